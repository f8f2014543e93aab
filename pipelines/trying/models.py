"""Runs that are tried: their predictors with the options that a person chooses, and an example of what they take."""

import base64
import threading
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipelines.runs.folders import Run
from pipelines.settings.tasks import Task
from pipelines.tracking.examples import example_of
from rnn_lightning.predictors import Predictor, load_predictor, read_description

NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})
KEPT = 6
"""Predictors of a run that are kept loaded, each with options of its own."""
LOADING = threading.Lock()
"""Held while a run is loaded: what leaves out warnings, and the hooks of PyTorch that count weights, are of all threads."""
FILES = ("sound", "picture", "series")
"""Inputs that are read from the bytes of a file."""


class Trial:
    """A finished run, and its predictor, which is loaded when it is first asked; one question at a time."""

    def __init__(self, folder: Path, run: Run, task: Task, processed: Path) -> None:
        self.folder, self.run, self.task, self.processed = folder, run, task, processed
        self.description = read_description(folder)
        self._load = lru_cache(KEPT)(lambda options: load_predictor(folder, **dict(options)))
        self._lock = threading.Lock()

    @property
    def kind(self) -> str:
        """The name of its predictor."""
        return self.description["predictor"]

    @property
    def title(self) -> str:
        """The task and the architecture."""
        return f"{self.task.title}: {self.run.label}"

    @property
    def input_name(self) -> str | None:
        """What it reads: text, strokes, a picture, ..."""
        return self.description.get("inputs", {}).get("name")

    @property
    def takes_files(self) -> bool:
        """Whether an item is the content of a file."""
        return self.input_name in FILES

    @cached_property
    def example(self) -> str | None:
        """An item of the test split, if the corpus is still there."""
        return example_of(self.folder, self.processed)

    @cached_property
    def attends(self) -> bool:
        """Whether its translations come with attention."""
        decoder = getattr(self.predictor().system, "decoder", None)
        return getattr(decoder, "attention", None) is not None

    def predictor(self, options: Mapping[str, Any] = NO_OPTIONS) -> Predictor[Any]:
        """Its predictor with keywords of its ``load``."""
        with LOADING:
            return self._load(tuple(sorted(options.items())))

    def answer(self, item: Any, options: Mapping[str, Any] = NO_OPTIONS) -> dict[str, Any]:
        """The answer to an item; text is read as a request to the server is.

        Raises:
            ValueError: for an item that the predictor cannot take, or an option that it cannot have.
        """
        with self._lock:
            predictor = self.predictor(options)
            return predictor.answer(predictor.encoded([item], requested=isinstance(item, str)))[0]

    def as_request(self, content: bytes) -> str:
        """The content of a file as a request gives it."""
        return base64.b64encode(content).decode()
