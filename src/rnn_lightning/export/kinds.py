"""What is exported of each kind of run: its graphs, and the settings by which `runtime` makes answers of what they return."""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

from ..models import (
    CTCRecognizer,
    Forecaster,
    Model,
    Seq2Seq,
    SequenceClassifier,
    SequenceRegressor,
    Tagger,
    Transducer,
)
from .graphs import DecoderStep, Encoder, Exportable, Whole


class Kind(NamedTuple):
    """The ``graphs`` of a kind of run by name, and its ``settings`` in plain values."""

    graphs: Callable[[Any], dict[str, Exportable]]
    settings: Callable[[Any], dict[str, Any]]


def one_graph(model: Model) -> dict[str, Exportable]:
    """The outputs of ``model`` as they are."""
    return {"model": Whole(model, lambda outputs: outputs, streams=True)}


def in_units(model: Any, *, streams: bool) -> dict[str, Exportable]:
    """The outputs of ``model`` in the units of its targets."""
    return {"model": Whole(model, model.in_units, streams=streams)}


def two_graphs(model: Seq2Seq) -> dict[str, Exportable]:
    """The encoder, and a step of the decoder.

    Raises:
        ValueError: for a decoder that copies, or whose attention looks at earlier weights.
    """
    lacking = {"copying": model.decoder.pointer is not None, "an attention to earlier weights": model.decoder.looks_back}
    if there := [name for name, used in lacking.items() if used]:
        raise ValueError(
            f"a graph of a decoder has no form for {there[0]}: export with format=safetensors, or answer by the run"
        )
    return {"encoder": Encoder(model), "step": DecoderStep(model)}


def no_graphs(model: Transducer) -> dict[str, Exportable]:
    """No graph.

    Raises:
        ValueError: always.
    """
    raise ValueError("a graph of a transducer has no form here: export with format=safetensors, or answer by the run")


def of_tagger(model: Tagger) -> dict[str, Any]:
    scores = model.output.transition_scores()
    return {"scheme": model.scheme, "transitions": None if scores is None else finite(scores)}


def finite(scores: Tensor) -> list[list[float | None]]:
    """The ``scores`` as JSON has them, which knows no infinity: ``None``."""
    return [[value if value > -float("inf") else None for value in row] for row in scores.tolist()]


def of_classifier(model: SequenceClassifier) -> dict[str, Any]:
    return {"classes": model.classes or [str(number) for number in range(model.num_classes or 0)], "size": size_of(model)}


def of_values(model: SequenceRegressor) -> dict[str, Any]:
    of_steps = {"every_step": model.every_step, "size": size_of(model)}
    return {"targets": model.targets, "quantiles": model.quantiles, **of_steps}


def of_recognizer(model: CTCRecognizer | Transducer) -> dict[str, Any]:
    stride = 1 if model.subsampling is None else model.subsampling.stride
    labels = {"labels": model.labels, "unit": model.unit, "blank": model.blank}
    return {**labels, "stride": stride, "size": model.input_size}


def of_search(model: Seq2Seq) -> dict[str, Any]:
    stride = 1 if model.subsampling is None else model.subsampling.stride
    return {"end": model.end, "labels": model.labels, "unit": model.unit, "stride": stride, "size": size_of(model)}


def of_forecaster(model: Forecaster) -> dict[str, Any]:
    return {"targets": model.targets, "quantiles": model.quantiles, "size": model.input_size}


def size_of(model: Model) -> int:
    """How many tokens ``model`` reads, or the features of a step."""
    return model.input_size if model.vocab_size is None else model.vocab_size


KINDS: dict[str, Kind] = {
    "classification": Kind(one_graph, of_classifier),
    "forecasts": Kind(lambda model: in_units(model, streams=False), of_forecaster),
    "frames": Kind(one_graph, lambda model: {"classes": model.classes, "size": model.input_size}),
    "language": Kind(one_graph, lambda model: {"size": model.vocab_size}),
    "recognition": Kind(one_graph, of_recognizer),
    "regression": Kind(one_graph, lambda model: {"size": size_of(model)}),
    "tagging": Kind(one_graph, of_tagger),
    "transduction": Kind(no_graphs, of_recognizer),
    "transcription": Kind(two_graphs, of_search),
    "translation": Kind(two_graphs, of_search),
    "values": Kind(lambda model: in_units(model, streams=True), of_values),
}
"""The kinds by the names of their predictors."""
