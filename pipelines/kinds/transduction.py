"""Transducers in the pipeline: labels found beside the right ones, and what became of each label."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.kinds.base import Kind, answer_split
from pipelines.kinds.recognition import beam_rate, write_found
from pipelines.settings.schema import Experiment
from rnn_lightning import PairModule, Transducer
from rnn_lightning.files import read_json
from rnn_lightning.sequences import Batch

SEARCH = ("beam_size", "per_step")


class TransductionKind(Kind[Transducer]):
    """Labels of a signal, each of which depends on those before."""

    predictor = "transduction"

    def check_search(self, experiment: Experiment, system: Transducer, data: PairModule) -> None:
        batch = data.dataset("validation")[(0,)]
        system.eval().recognize(batch.inputs, batch.lengths, **search_of(experiment.task.metric.search))
        system.train()

    def description(self, experiment: Experiment, card: dict[str, Any]) -> dict[str, Any]:
        return super().description(experiment, card) | {"search": experiment.task.metric.search}

    def test(self, experiment: Experiment, system: Transducer, data: PairModule, folder: Path) -> dict[str, float]:
        """Leaves what is found as the task's metric says beside what is right, and what became of each label. Where the metric
        has a search, its rate of errors is returned beside that of the likeliest path."""
        system.eval()
        settings = experiment.task.metric.search
        search = search_of(settings)

        def recognize(batch: Batch) -> list[list[int]]:
            best = system.recognize(batch.inputs, batch.lengths, **search)
            rows = zip(best.labels[:, 0].tolist(), best.lengths[:, 0].tolist(), strict=True)
            return [labels[:length] for labels, length in rows]

        found = answer_split(system, data, "test", recognize)
        right = write_found(system, data, found, read_json(experiment.processed() / "card.json"), folder)
        return beam_rate(system, found, right) if settings else {}


def search_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords of ``recognize`` from those of a task's search.

    Raises:
        ValueError: for a key that there is not.
    """
    if unknown := set(settings) - set(SEARCH):
        raise ValueError(f"task.metric.search has {sorted(unknown)}; a transducer's search has {' and '.join(SEARCH)}")
    return dict(settings)
