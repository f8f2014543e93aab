"""What the model server runs, for every kind: items in, each a string, and answers out, each a JSON object.

A request is ``{"inputs": ["...", "..."]}``. An item is text; numbers of tokens with blanks between; an array (T, F) or the
strokes of a pen in JSON, of any length; the bytes of a sound or picture file in base64; or, of forecasts, the text of a CSV
file, or its bytes in base64. No item names a file of the server.
The answers, ``{"predictions": [{...}, {...}]}``, are those of ``rnn_lightning.load_predictor`` without options.
"""

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class Server(PythonModel):
    """Answers by the predictor whose files are the model's artifacts; needs no package but those of the library."""

    def load_context(self, context: PythonModelContext) -> None:
        from pathlib import Path

        from rnn_lightning import load_predictor

        self.predictor = load_predictor(Path(context.artifacts["predictor.json"]).parent)

    def predict(self, context: PythonModelContext, model_input: list[str]):  # pyright: ignore[reportIncompatibleMethodOverride]
        """The answers, a list of dicts (which the signature leaves out: MLflow warns of values of any type)."""
        from mlflow.exceptions import MlflowException

        try:
            return self.predictor([self.predictor.inputs.from_request(item) for item in model_input])
        except ValueError as error:  # MLflow shows its own exceptions, of others only that there was one
            raise MlflowException.invalid_parameter_value(str(error)) from None


set_model(Server())
