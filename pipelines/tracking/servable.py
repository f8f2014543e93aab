"""A trained predictor as an MLflow model: its files, its code, and a signature with the parameters of a request."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.settings.places import LIBRARY
from rnn_lightning.items.limits import LIMITS

if TYPE_CHECKING:
    from mlflow.models import Model

SERVING_PACKAGES = ("torch", "lightning", "torchmetrics", "numpy")


class Servable(NamedTuple):
    """What `MLflow` saves: the Python file that answers requests, what it loads by name, packages, parameters of a request,
    and an ``example`` of an item."""

    served: Path
    files: Mapping[str, Path]
    packages: Sequence[str] = ()
    parameters: Sequence[Mapping[str, Any]] = ()
    example: str | None = None

    def save_model(self, path: str, mlflow_model: "Model", validate_serving_input: bool = False) -> None:
        """Save it in the folder ``path``, as ``Model.log`` asks a flavor to."""
        from mlflow import pyfunc
        from mlflow.models.utils import _save_example  # pyfunc would answer the example, on the thread that delivers
        from mlflow.types import ParamSchema, ParamSpec

        pyfunc.save_model(
            path,
            mlflow_model=mlflow_model,
            python_model=str(self.served),
            artifacts={key: str(file) for key, file in self.files.items()},
            code_paths=[str(LIBRARY)],
            model_config=dict(LIMITS),
            # Left to itself MLflow finds the packages by loading the model in another process, which takes ten seconds.
            pip_requirements=[f"{each}=={version(each).split('+')[0]}" for each in (*SERVING_PACKAGES, *self.packages)],
        )
        if self.parameters:  # MLflow infers them from values alone, and an option may have none
            specs = [ParamSpec(each["name"], each["type"], each["default"]) for each in self.parameters]
            assert mlflow_model.signature is not None
            mlflow_model.signature.params = ParamSchema(specs)
        if self.example is not None:
            _save_example(mlflow_model, [self.example], path)
        mlflow_model.save(str(Path(path) / "MLmodel"))
