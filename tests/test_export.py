"""Exported graphs answer as their networks do, for any number of rows and steps, in onnxruntime and by `torch.export`."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from calls import GRU, SYSTEMS
from often import some, those
from torch import Tensor

import rnn_lightning as library
from rnn_lightning.export import parity
from rnn_lightning.export.folders import write_graph
from rnn_lightning.export.formats import read_onnx, write_onnx
from rnn_lightning.export.graphs import Whole
from rnn_lightning.export.kinds import KINDS
from rnn_lightning.export.parity import PARITY, ParityError, check_parity, difference
from rnn_lightning.models import FrameClassifier
from rnn_lightning.recurrent import CELLS, Deep, build_network

FORMATS = ("onnx", "torch_export")
WAYS = {"one way": False, "both ways": True}
NETWORKS = [("lstm", "both ways"), ("gru", "one way"), ("lstm", "one way"), ("gru", "both ways")]
NETWORKS += [("layernorm_lstm", way) for way in WAYS]


def reader(rnn: Any) -> FrameClassifier:
    torch.manual_seed(0)
    return FrameClassifier(rnn, 3, ["a", "b"]).eval()


def whole(model: Any) -> Whole:
    return Whole(model, lambda outputs: outputs, streams=True)


def of_all_cells() -> Deep:
    """A layer of every cell, one on top of the other; all read one way."""
    torch.manual_seed(0)
    return Deep([build_network(cell, 3 if number == 0 else 4, 4) for number, cell in enumerate(CELLS)])


@pytest.mark.parametrize(("cell", "way"), some(NETWORKS, 1))
def test_a_network_is_the_same_in_onnxruntime(cell: str, way: str, tmp_path: Path) -> None:
    model = reader({"cell": cell, "hidden_size": 6, "bidirectional": WAYS[way]})
    entry = write_graph("onnx", "model", whole(model), tmp_path)
    assert entry["largest_difference"] <= PARITY
    assert bool(entry["state"]) == (way == "one way")


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_every_cell_is_exported(form: str, tmp_path: Path) -> None:
    entry = write_graph(form, "model", whole(reader(of_all_cells())), tmp_path)
    assert entry["largest_difference"] <= PARITY and len(entry["state"]) >= len(CELLS) - 1


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_is_exported_in_both_ways(cell: str, way: str, form: str, tmp_path: Path) -> None:
    model = reader({"cell": cell, "hidden_size": 5, "num_layers": 2, "bidirectional": WAYS[way]})
    assert write_graph(form, "model", whole(model), tmp_path)["largest_difference"] <= 2 * PARITY


def test_a_stream_is_read_step_by_step_by_the_graph_that_reads_it_whole(tmp_path: Path) -> None:
    model = library.LanguageModel(9, {"cell": "lstm", "hidden_size": 5, "num_layers": 2}, embedding_size=4).eval()
    graph = whole(model)
    write_onnx(graph, tmp_path / "model.onnx")
    run, tokens = read_onnx(tmp_path / "model.onnx"), torch.randint(9, (2, 7))
    start = [torch.zeros(2, *size) for size in graph.state_sizes]
    outputs, *last = run(tokens, torch.tensor([7, 7]), *start)
    state, found = start, []
    for step in tokens.split(1, 1):
        scores, *state = run(step, torch.tensor([1, 1]), *state)
        found.append(scores)
    assert difference((torch.cat(found, 1), *state), (outputs, *last)) <= PARITY


def test_a_row_without_a_step_keeps_its_state(tmp_path: Path) -> None:
    graph = whole(reader({"cell": "gru", "hidden_size": 4}))
    write_onnx(graph, tmp_path / "model.onnx")
    before = torch.randn(2, *graph.state_sizes[0])
    _, after = read_onnx(tmp_path / "model.onnx")(torch.randn(2, 3, 3), torch.tensor([0, 3]), before)
    assert torch.equal(after[0], before[0]) and not torch.equal(after[1], before[1])


NAMES = {
    "LanguageModel": "language",
    "Tagger": "tagging",
    "FrameClassifier": "frames",
    "SequenceClassifier": "classification",
    "SequenceRegressor": "values",
    "Forecaster": "forecasts",
    "CTCRecognizer": "recognition",
    "Seq2Seq": "translation",
}
BOTH = {"cell": "lstm", "hidden_size": 3, "bidirectional": True}
FORECAST = {"rnn": GRU, "input_size": 4, "targets": ["a", "b"], "horizon": 3}
TRANSLATE = {"vocab_size": 7, "target_vocab_size": 6, "end": 5, "embedding_size": 4, "rnn": GRU}
MORE: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "known in advance": ("forecasts", library.Forecaster, {**FORECAST, "known": 2}),
    "recursive": ("forecasts", library.Forecaster, {**FORECAST, "known": 2, "recursive": True, "quantiles": [0.1, 0.5]}),
    "segments": ("forecasts", library.Forecaster, {**FORECAST, "segment": 2, "level": "mean"}),
    "input feeding": (
        "translation",
        library.Seq2Seq,
        {**TRANSLATE, "encoder": BOTH, "attention": "additive", "input_feeding": True},
    ),
    "a context": ("translation", library.Seq2Seq, {**TRANSLATE, "attention": None, "context": True}),
    "a summary": ("translation", library.Seq2Seq, {**TRANSLATE, "attention": None, "rnn": {**GRU, "cell": "layernorm_lstm"}}),
    "features": (
        "transcription",
        library.Seq2Seq,
        {
            "input_size": 4,
            "labels": ["-", "a"],
            "unit": "character",
            "rnn": GRU,
            "encoder": BOTH,
            "subsampling": {"channels": 3},
        },
    ),
    "pictures": (
        "recognition",
        library.CTCRecognizer,
        {
            "input_size": 6,
            "labels": ["-", "a"],
            "rnn": BOTH,
            "subsampling": {"name": "pictures", "channels": [2, 3], "pool": [[2, 2], [3, 1]]},
        },
    ),
    "adaptive": ("language", library.LanguageModel, {"vocab_size": 40, "rnn": GRU, "output": "adaptive", "embedding_size": 3}),
    "spelled by a network": (
        "tagging",
        library.Tagger,
        {"vocab_size": 7, "num_tags": 3, "rnn": BOTH, "num_characters": 5, "characters": {"name": "rnn", "rnn": GRU}},
    ),
    "words alone": ("tagging", library.Tagger, {"vocab_size": 7, "num_tags": 3, "rnn": BOTH}),
    "spliced": ("frames", FrameClassifier, {"rnn": GRU, "input_size": 3, "classes": ["a", "b"], "splice": 2, "delay": 1}),
    "tokens": ("classification", library.SequenceClassifier, {"rnn": BOTH, "input_size": 3, "vocab_size": 9, "num_classes": 4}),
    "a value": ("regression", library.SequenceClassifier, {"rnn": GRU, "input_size": 3}),
}
MODELS = {name: (NAMES[name], build, arguments) for name, (build, arguments) in SYSTEMS.items() if name in NAMES} | MORE


@pytest.mark.parametrize("name", those([*NAMES], lambda name: name in ("LanguageModel", "Tagger", "Forecaster", "Seq2Seq")))
def test_torch_export_takes_every_system(name: str, tmp_path: Path) -> None:
    check_export(name, "torch_export", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "form"), [*((name, form) for name in MORE for form in FORMATS), *((name, "onnx") for name in NAMES)]
)
def test_every_system_is_exported_in_every_way(name: str, form: str, tmp_path: Path) -> None:
    check_export(name, form, tmp_path)


def check_export(name: str, form: str, place: Path) -> None:
    """The system's graphs are written in a form, and answer as it does."""
    kind, build, arguments = MODELS[name]
    torch.manual_seed(0)
    for part, graph in KINDS[kind].graphs(build(**arguments).eval()).items():
        assert write_graph(form, part, graph, place)["largest_difference"] <= PARITY


def test_a_graph_that_answers_otherwise_is_refused(tmp_path: Path) -> None:
    model = reader({"cell": "gru", "hidden_size": 4})
    write_onnx(whole(model), tmp_path / "model.onnx")
    with torch.no_grad():
        model.output.bias += 1e-3
    with pytest.raises(ParityError, match=r"the graph model is not that of the network, its answers .* differ by 1\.0e-03"):
        check_parity(read_onnx(tmp_path / "model.onnx"), whole(model), "model")
    with pytest.raises(ParityError, match="the graph model fails for a batch of shape"):
        check_parity(lambda *tensors: 1 / 0, whole(model), "model")


def test_a_network_that_rounds_more_than_the_limit_is_judged_by_its_own_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = whole(reader({"cell": "layernorm_lstm", "hidden_size": 5, "num_layers": 2}))
    exact = copy.deepcopy(graph).double()

    def answers(*case: Tensor) -> tuple[Tensor, ...]:
        return tuple(part.float() for part in exact(*(part.double() if part.is_floating_point() else part for part in case)))

    monkeypatch.setattr(parity, "PARITY", 0.0)
    assert 0 < check_parity(answers, graph, "model") < 1e-4
    with pytest.raises(ParityError, match="is not that of the network"):
        check_parity(lambda *case: tuple(part + 1e-3 for part in answers(*case)), graph, "model")


@pytest.mark.slow
def test_a_compiled_system_reads_lengths_as_it_is() -> None:
    torch.manual_seed(0)
    model = library.SequenceClassifier({"cell": "gru", "hidden_size": 4}, 3, num_classes=2).eval()
    compiled = torch.compile(model, backend="eager")
    with torch.no_grad():
        for rows, steps in ((2, 5), (3, 4)):
            inputs, lengths = torch.randn(rows, steps, 3), torch.arange(1, rows + 1)
            assert torch.allclose(compiled(inputs, lengths)[0], model(inputs, lengths)[0], atol=1e-6)
    torch.compiler.reset()
