"""Searches of encoder-decoders in a test: of one network, of an ensemble, with a language model; and the metrics of several.

Shapes: B rows of a batch.
"""

import math
from collections.abc import Mapping
from typing import Any

from pipelines.kinds.base import answer_split
from rnn_lightning import PairModule, Seq2Seq
from rnn_lightning.items.folders import PARTNERS
from rnn_lightning.items.sides import Side
from rnn_lightning.predictors.searching import Searcher
from rnn_lightning.predictors.sides import Shared, language_model_of
from rnn_lightning.predictors.texts import SearchPredictor
from rnn_lightning.sequences import IGNORED, Batch


def searcher_of(
    system: Seq2Seq, settings: Mapping[str, Any], target: Side, predictor: type[SearchPredictor], shared: Shared
) -> Searcher:
    """The search that the ``settings`` of a test name: by ``system``, with the encoder-decoders and the language model of the
    runs that they name.

    Args:
        target: the target side of the system.
        predictor: what loads the networks of other runs.
        shared: what these must have in common with the system.

    Raises:
        FileNotFoundError: where there is no such run.
        ValueError: where one does not fit, or as `Searcher`.
    """
    options = {name: value for name, value in settings.items() if name not in PARTNERS}
    others = predictor.partners(settings.get("ensemble", []), shared)
    fusion = language_model_of(settings["fusion"], target) if "fusion" in settings else None
    return Searcher([system, *others], options, target.encode_known, fusion=fusion, silent=target.silent)


def check_searcher(searcher: Searcher, data: PairModule) -> None:
    """Refuse, before a training, a search that the test would fail by.

    Raises:
        ValueError: as `Searcher`.
    """
    batch = data.dataset("validation")[(0,)]
    searcher(batch.inputs, batch.lengths)


def ensemble_loss(searcher: Searcher, system: Seq2Seq, data: PairModule) -> dict[str, float]:
    """The loss of an ensemble on the test split, that of the mean of its networks' probabilities, and its perplexity; nothing
    where a language model is fused: the sums of a fusion are no probabilities."""
    if searcher.fusion is not None:
        return {}

    def totals(batch: Batch) -> list[tuple[float, int]]:
        rows = [row[row != IGNORED].tolist() for row in system.real_targets(batch)]
        scores = searcher.scores(batch.inputs, batch.lengths, [row[:-1] for row in rows])
        return [(score if row else 0.0, len(row)) for score, row in zip(scores, rows, strict=True)]

    sums, counts = zip(*answer_split(system, data, "test", totals), strict=True)
    loss = -math.fsum(sums) / max(sum(counts), 1)
    return {"test/loss": loss, "test/perplexity": math.exp(min(loss, 700))}


def ensemble_errors(searcher: Searcher, system: Seq2Seq, data: PairModule) -> dict[str, float]:
    """The rates of errors of what a beam of 1 of an ensemble, or with a language model, finds in the test split."""
    greedy = Searcher(searcher.systems, {"beam_size": 1}, lambda _: [], fusion=searcher.fusion)
    metrics = {name: metric for name, metric in system.metrics_of("test").items() if name != "loss"}
    for metric in metrics.values():
        metric.reset()

    def count(batch: Batch) -> list[None]:
        right = [row[row != IGNORED].tolist() for row in system.real_targets(batch)]
        found = [row[0].tokens if row else [] for row in greedy(batch.inputs, batch.lengths)]
        pairs = [(one, other[:-1]) for one, other in zip(found, right, strict=True) if other]
        system.count_errors("test", *([pair[side] for pair in pairs] for side in (0, 1)))
        return [None] * len(right)

    answer_split(system, data, "test", count)
    return {f"test/{name}": float(metric.compute()) for name, metric in metrics.items()}
