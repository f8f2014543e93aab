"""A cluster of machines that Ray holds together: joined, and its processes as workers of preprocessing.

On a cluster all machines see the project at one path.
"""

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pipelines.settings.places import LIBRARY, PACKAGE
from rnn_lightning.workers import LostWorkerError, Result, Row, Submit, Workers


def join_cluster() -> Any:
    """The module ``ray``, which has joined the cluster that runs here or that ``RAY_ADDRESS`` names, or begun one of this
    machine.

    Raises:
        ValueError: where Ray is not installed or not to be reached.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError:
        raise ValueError("engine=ray needs Ray: pip install -c constraints.txt -e '.[cluster]'") from None
    kept = {name: value for name, value in os.environ.items() if name.startswith(("MLFLOW_", "OMP_", "MALLOC_"))}
    paths = os.pathsep.join([str(LIBRARY.parent), str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    try:
        ray.init(logging_level="ERROR", runtime_env={"env_vars": kept | {"PYTHONPATH": paths}})
    except (ConnectionError, RuntimeError) as error:
        raise ValueError(f"engine=ray: {str(error).splitlines()[0]}") from None
    return ray


class ClusterWorkers(Workers):
    """``count`` tasks of Ray at a time, each on whatever machine has a processor free; what a lost one did is done again."""

    def __init__(self, count: int) -> None:
        """Join the cluster.

        Raises:
            ValueError: as `join_cluster`.
        """
        super().__init__(count)
        self._ray = join_cluster()

    @contextmanager
    def begun(self, work: Callable[[list[Row]], Result]) -> Iterator[Submit[Row, Result]]:
        shared, errors = self._ray.put(work), self._ray.exceptions
        task = self._ray.remote(num_cpus=1)(_work_there)

        def submit(part: list[Row]) -> Callable[[], Result]:
            handle = task.remote(os.getcwd(), shared, part)
            return lambda: self._ray.get(handle)

        try:
            yield submit
        except errors.RayTaskError as error:  # the work itself says what is wrong
            raise error.cause from None
        except errors.RayError as error:
            raise LostWorkerError(f"engine=ray: a worker was lost again and again ({type(error).__name__})") from None


def _work_there(folder: str, work: Callable[[list[Row]], Result], rows: list[Row]) -> Result:
    """What a process of the cluster does, which may have begun in any folder."""
    os.chdir(folder)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    return work(rows)
