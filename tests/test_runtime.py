"""An exported run of each kind answers raw items as its predictor does, in a process that cannot import PyTorch."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from run_folders import own_place
from stored_kinds import KINDS, store_kind

from rnn_lightning import (
    CTCRecognizer,
    LinearChainCRF,
    ctc_align,
    ctc_beam_search,
    ctc_greedy,
    load_predictor,
    runtime,
    span_constraints,
)
from rnn_lightning.export import export_run
from rnn_lightning.export.kinds import KINDS as KINDS_EXPORTED
from rnn_lightning.export.kinds import of_recognizer
from rnn_lightning.items.inputs import ArrayInputs, Encoded
from rnn_lightning.models import Seq2Seq
from rnn_lightning.predictors import RecognitionPredictor
from rnn_lightning.runtime import ctc
from rnn_lightning.runtime.recognition import DeployedRecognizer
from rnn_lightning.runtime.rules import Rules
from rnn_lightning.runtime.search import Decoder
from rnn_lightning.runtime.viterbi import best_path
from rnn_lightning.search import make_normalisation

ROOT = Path(__file__).parents[1]
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "translation": [
        {"beam_size": 1},
        {"beam_size": 4, "n_best": 3},
        {"beam_size": 6, "groups": 3, "diversity": 0.5, "n_best": 4, "max_length": 12},
        {"constraints": {"prefix": "1", "required": ["7-"], "forbidden": ["0"]}, "max_length": 12},
    ],
    "language": [{"temperature": 0, "length": 6}, {"temperature": 0.5, "top_k": 1, "length": 6}, {"score": True}],
    "symbols": [{"temperature": 0, "length": 6}],
    "recognition": [{}, {"beam_size": 6, "n_best": 3}, {"beam_size": 9, "n_best": 9}],
    "tagging": [{}, {"confidence": True}],
}
"""By kind, the options that it is asked with."""
ANSWER = """
import json, sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "lightning", "onnx", "onnxscript"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Without())
from rnn_lightning.runtime import load
items, options = json.load(sys.stdin)
print(json.dumps(load(sys.argv[1], **options)(items)))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    where = tmp_path_factory.mktemp("place")
    with own_place(where):
        yield where


def answers_of(folder: Path, items: list[Any], options: dict[str, Any]) -> list[Any]:
    """What a process without PyTorch answers by the exported ``folder``."""
    paths = {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", ANSWER, str(folder)]
    given = json.dumps([items, options])
    done = subprocess.run(command, input=given, env=os.environ | paths, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def same(one: Any, other: Any) -> bool:
    """Whether two answers are the same: text to the sign, numbers but for rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        parts = {**one, **({"text": ""} if "value" in one else {})}, {**other, **({"text": ""} if "value" in other else {})}
        return one.keys() == other.keys() and all(same(parts[0][key], parts[1][key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return bool(np.isclose(one, other, rtol=1e-4, atol=1e-4))
    return one == other


QUICK = ("tagging",)
"""What the ordinary tests try: the ways of decoding have tests without an export, constraints of translation one with it."""


EXPORTED = [kind for kind in KINDS if kind != "transduction"]


@pytest.mark.parametrize("kind", [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in EXPORTED])
def test_an_exported_run_answers_as_its_predictor(kind: str, place: Path) -> None:
    run = store_kind(place, kind)
    check_equal(run.folder, run.items, OPTIONS.get(kind, [{}]))
    if kind == "translation":
        for options, said in (({"beam_size": 0}, "at least 1, not 0"), ({"normalisation": "foo"}, "must be .*, not 'foo'")):
            with pytest.raises(ValueError, match=said):
                runtime.load(run.folder.parent / "export", **options)


def test_a_transducer_has_no_graph_and_says_so(place: Path) -> None:
    run = store_kind(place, "transduction").folder
    with pytest.raises(ValueError, match="a graph of a transducer has no form here: export with format=safetensors"):
        export_run(run, run.parent / "graph")
    assert not (run.parent / "graph").exists()
    assert export_run(run, run.parent / "shared", "safetensors")["predictor"] == "transduction"


def check_equal(run: Path, items: list[Any], asked: list[dict[str, Any]]) -> None:
    """The export of the ``run`` answers as its predictor, with each of the options that it is ``asked`` with."""
    target = run.parent / "export"
    export_run(run, target)
    for options in asked:
        expected = load_predictor(run, **options)(items)
        found = answers_of(target, items, options)
        equal = [same(one, other) for one, other in zip(found, expected, strict=True)]
        assert all(equal), (options, equal.index(False), found[equal.index(False)], expected[equal.index(False)])


def test_tags_of_a_field_are_found_as_it_finds_them() -> None:
    torch.manual_seed(0)
    tags = ["O", "B-X", "I-X", "B-Y", "I-Y"]
    field = LinearChainCRF(len(tags), span_constraints(tags, "BIO"))
    with torch.no_grad():
        for parameter in field.parameters():
            parameter.normal_()
    emissions, lengths = 2 * torch.randn(40, 9, len(tags)), torch.randint(1, 10, (40,))
    transitions, best = field.transition_scores(torch.float32).detach().numpy(), field.decode(emissions, lengths).tags[:, 0]
    for row, length, path in zip(emissions.numpy(), lengths.tolist(), best.tolist(), strict=True):
        assert best_path(row[:length], transitions) == path[:length]


def test_a_signal_is_decoded_and_aligned_as_the_library_does() -> None:
    torch.manual_seed(0)
    log_probs = (2 * torch.randn(20, 12, 4)).log_softmax(2)
    greedy, beam = ctc_greedy(log_probs), ctc_beam_search(log_probs, beam_size=5, n_best=3)
    aligned = ctc_align(log_probs, beam.labels[:, 0], None, beam.lengths[:, 0])
    for row, numbers in enumerate(log_probs.numpy()):
        labels, score = ctc.best_path(numbers, 0)
        assert labels == greedy.labels[row, 0, : greedy.lengths[row, 0]].tolist()
        assert score == pytest.approx(float(greedy.scores[row, 0]), rel=1e-5)
        found = ctc.beam_search(numbers, 0, 5)[:3]
        sizes = beam.lengths[row].tolist()
        assert [one for one, _ in found] == [beam.labels[row, n, :size].tolist() for n, size in enumerate(sizes)]
        assert [score for _, score in found] == pytest.approx(beam.scores[row].tolist(), rel=1e-5)
        times = zip(*(part[row].tolist() for part in (aligned.starts, aligned.ends, aligned.confidence)), strict=True)
        assert ctc.align(numbers, found[0][0], 0) == [pytest.approx(span, rel=1e-5) for span in [*times][: sizes[0]]]


def test_a_signal_that_few_texts_are_possible_for_lists_no_others() -> None:
    """Of one step, the labels alone and nothing: their probabilities sum to 1, and the list is JSON, which has no infinity."""
    torch.manual_seed(0)
    model = CTCRecognizer({"cell": "gru", "hidden_size": 4}, 3, ["<blank>", "a", "b"], unit="character").eval()
    (answer,) = RecognitionPredictor(model, ArrayInputs(3), beam_size=9, n_best=9)(["[[1, -2, 3]]"])
    with torch.no_grad():
        log_probs = model(torch.tensor([[[1.0, -2.0, 3.0]]]))[0][0]
    ranked = sorted(zip(log_probs[0].tolist(), ["", "a", "b"], strict=True), reverse=True)
    assert [each["text"] for each in answer["n_best"]] == [text for _, text in ranked]
    assert [each["score"] for each in answer["n_best"]] == pytest.approx([score for score, _ in ranked])
    assert sum(math.exp(each["score"]) for each in answer["n_best"]) == pytest.approx(1)
    deployed = object.__new__(DeployedRecognizer)
    deployed.beam_size, deployed.n_best, deployed.exported = 9, 9, SimpleNamespace(settings=of_recognizer(model))
    found = deployed.answer_of(Encoded(np.ones((1, 3), np.float32)), log_probs.numpy())
    assert same(found["n_best"], answer["n_best"]) and json.dumps([found, answer], allow_nan=False)


SEARCHES: list[dict[str, Any]] = [
    {"beam_size": 1, "stop": "first"},
    {"beam_size": 4, "n_best": 3, "min_length": 3},
    {"beam_size": 4, "n_best": 2, "normalisation": {"name": "gnmt", "alpha": 0.6}, "stop": "first"},
    {"beam_size": 3, "normalisation": {"name": "power"}, "stop": "patience", "patience": 0.5},
    {"beam_size": 5, "normalisation": {"name": "reward", "reward": 0.3}, "max_length": 6},
    {"beam_size": 3, "coverage": 0.4, "n_best": 2},
]


@pytest.mark.parametrize("options", SEARCHES, ids=str)
def test_a_search_finds_what_that_of_the_library_finds(options: dict[str, Any]) -> None:
    """With the modules that are exported in the place of graphs."""
    torch.manual_seed(0)
    model = Seq2Seq(7, 6, {"cell": "gru", "hidden_size": 5}, end=5, embedding_size=4).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(1.2 * torch.randn(parameter.shape))
    sources, lengths = torch.randint(7, (6, 8)), torch.tensor([8, 3, 5, 1, 8, 2])
    named = options | ({"normalisation": make_normalisation(options["normalisation"])} if "normalisation" in options else {})
    expected = model.translate(sources, lengths, **named)
    encoder, step = (KINDS_EXPORTED["translation"].graphs(model)[name] for name in ("encoder", "step"))
    longest = [options.get("max_length", 2 * length + 10) for length in lengths.tolist()]
    decoder = Decoder(lambda *arrays: [part.numpy() for part in step(*map(torch.from_numpy, arrays))], 3, True)
    with torch.no_grad():
        parts = [part.numpy() for part in encoder(sources, lengths)]
        found = decoder.search(Rules(5, **options), longest, parts)
    for row, ranked in enumerate(found):
        sizes = [size for size in expected.lengths[row].tolist() if size]
        assert [tokens for _, tokens in ranked] == [
            expected.tokens[row, n, : size - 1].tolist() for n, size in enumerate(sizes)
        ]
        assert [score for score, _ in ranked] == pytest.approx(expected.scores[row, : len(sizes)].tolist(), rel=1e-4)
