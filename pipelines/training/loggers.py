"""Lightning's loggers of a training beside the dashboard: files of CSV or of TensorBoard, or a class of your own package."""

import shutil
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from pipelines.runs.folders import read_points
from pipelines.settings.keywords import named
from pipelines.settings.schema import Experiment
from pipelines.training.signals import Point
from rnn_lightning.registry import in_words, own_class

FOLDER = Path("logs")
FILES: dict[str, Callable[..., Logger]] = {
    "csv": CSVLogger,
    "tensorboard": partial(TensorBoardLogger, default_hp_metric=False),  # which shows a metric that there is not
}
"""Loggers that write files alone: those of a resumed training are written anew, with the points that it has so far."""
OWN_LOGGERS = "RNN_LIGHTNING_LOGGERS"
"""The environment variable that names the packages whose loggers may be imported."""


class Loggers:
    """Gives a training's points to the loggers of ``trainer.loggers``, each ``logs/TASK/RNN/SEED/LOGGER``.

    Raises:
        ValueError: for a logger that there is not, or whose package is missing.
    """

    def __init__(self, experiment: Experiment, seed: int) -> None:
        folders = [name.rpartition(".")[2] for name in experiment.trainer.loggers]
        if twice := [name for name in folders if folders.count(name) > 1]:
            raise ValueError(f"trainer.loggers: two would write the folder {twice[0]}: rename the class of one")
        self._made = {name: logger_class(name) for name in experiment.trainer.loggers}
        self._name = str(experiment.run(seed).relative_to("runs"))
        self._config = experiment.plain(seed)
        self._loggers: list[Logger] = []

    def begin(self, known: Sequence[Point]) -> None:
        """Make the loggers of a training that begins or goes on, and has the ``known`` points already."""
        for name, made in self._made.items():
            if name in FILES:
                shutil.rmtree(FOLDER / self._name / name, ignore_errors=True)
            logger = self._make(name, made)
            self._loggers.append(logger)
            if name in FILES:
                _log(logger, known)

    def _make(self, name: str, made: Callable[..., Logger]) -> Logger:
        try:
            logger = made(save_dir=FOLDER, name=self._name, version=name.rpartition(".")[2])
            logger.log_hyperparams(self._config)
        except (Exception, SystemExit) as error:
            if name in FILES:
                raise
            what = in_words(error)
            raise ValueError(f"trainer.loggers: {name} cannot be made and given the settings of the run: {what}") from error
        return logger

    def log(self, points: Sequence[Point]) -> None:
        """Add points, which are in the files at once: a kill loses none that a checkpoint does not make again."""
        self._tell(lambda logger: _log(logger, points))

    def end(self) -> None:
        """Close the loggers of a training that is done."""
        self._tell(lambda logger: logger.finalize("success"))
        self._loggers.clear()

    def _tell(self, act: Callable[[Logger], None]) -> None:
        """Have each logger ``act``. One that fails costs a warning and its later points, and not the training."""
        for logger in [*self._loggers]:
            try:
                act(logger)
            except (Exception, SystemExit) as error:
                self._loggers.remove(logger)
                who = type(logger).__name__
                print(f"warning: trainer.loggers: {who} gets no more points: {in_words(error)}", file=sys.stderr)


def _log(logger: Logger, points: Sequence[Point]) -> None:
    for step, group in groupby(points, key=lambda point: point[1]):
        logger.log_metrics({metric: float(value) for metric, _, value in group}, step)
    logger.save()


def write_again(experiment: Experiment, seed: int) -> None:
    """Write the files of the loggers of a training that is done, which may have had others; loggers of one's own get no points.

    Raises:
        ValueError: for a logger that there is not, or whose package is missing.
    """
    names = experiment.trainer.loggers
    for name in names:
        logger_class(name)
    if own := [name for name in names if name not in FILES]:
        print(f"trainer.loggers: {', '.join(own)} gets no points of a training that is done", file=sys.stderr)
    trainer = experiment.trainer.model_copy(update={"loggers": [name for name in names if name in FILES]})
    loggers = Loggers(experiment.model_copy(update={"trainer": trainer}), seed)
    loggers.begin(read_points(experiment.trained(seed)))
    loggers.end()


def logger_class(name: str) -> Callable[..., Logger]:
    """What makes the logger of a name, from ``save_dir``, ``name`` and ``version``.

    Raises:
        ValueError: where it cannot be made.
    """
    if name == "tensorboard" and not any(map(find_spec, ("tensorboard", "tensorboardX"))):
        raise ValueError("trainer.loggers: tensorboard is not installed: pip install 'rnn-lightning[tensorboard]'")
    if name in FILES:
        return FILES[name]
    if "." not in name:
        raise ValueError(named("trainer.loggers", name, [*FILES, "my_package.MyLogger"]))
    return own_class("trainer.loggers", name, OWN_LOGGERS, Logger, "lightning.pytorch.loggers.Logger")
