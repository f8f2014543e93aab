"""Searches on the command line: ensembles, constraints, samples, scores of given texts, attention, a language model."""

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from corpora import write_fetched
from run_folders import own_place, store_run
from stored_kinds import SMALL, store_kind

from pipelines.kinds import pictures
from pipelines.predict import PicturedLines, predict, reader
from pipelines.settings.compose import compose
from pipelines.training.building import build_system
from rnn_lightning import load_predictor
from rnn_lightning.export import export_run
from rnn_lightning.files import read_json
from rnn_lightning.models import Seq2Seq
from rnn_lightning.predictors.base import load_system
from rnn_lightning.runtime import load

LINES = ["May 3rd, 1988", "the twenty-first of March, 1987"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    where = tmp_path_factory.mktemp("place")
    with own_place(where):
        store_kind(where, "translation")
        other = compose(["task=dates", "rnn=lstm", *SMALL])
        torch.manual_seed(3)
        card = read_json(other.processed() / "card.json")
        store_run(where / "runs/other", other, build_system(other, card, planned=10), card)
        yield where


def ask(run: str, *lines: str, **options: Any) -> list[str]:
    lines_of = reader({"run": run, **options})
    answers = list(lines_of.answer(io.BytesIO("".join(f"{line}\n" for line in lines).encode())))
    assert not lines_of.refused
    return answers


def test_an_ensemble_is_named_by_its_folders_and_scores_with_the_mean(place: Path) -> None:
    target = "1988-05-03"
    one, other, both = (
        json.loads(ask(run, f"{LINES[0]}\t{target}", score=True, format="json")[0])
        for run in ("runs/translation", "runs/other", "[runs/translation, runs/other]")
    )
    assert one["tokens"] == other["tokens"] == both["tokens"] == len(target) + 1
    assert one["log_probability"] != other["log_probability"] and len(ask("[runs/translation,runs/other]", *LINES)) == 2
    assert min(one["log_probability"], other["log_probability"]) < both["log_probability"]


def test_a_score_is_that_of_teacher_forcing(place: Path) -> None:
    predictor = load_predictor("runs/translation", score=True)
    (answer,) = predictor([f"{LINES[0]}\t1988"])
    system = load_system(Seq2Seq, "runs/translation").eval()
    source = torch.tensor([predictor.inputs.encode(f"{LINES[0]}\t1988").steps.tolist()])
    target = torch.tensor([[*load_predictor("runs/translation").target.encode("1988"), system.end]])
    with torch.no_grad():
        logits = system.decoder.output(system.teacher_forced(system.encode(source), target).features)
    total = logits.log_softmax(2).gather(2, target.unsqueeze(2)).sum().item()
    assert answer["log_probability"] == pytest.approx(total, abs=1e-4)
    (line,) = ask("runs/translation", f"{LINES[0]}\t1988", score=True)
    assert line == f"{answer['log_probability']:.4f}\t{answer['perplexity']:.4f}"


def test_attention_is_a_distribution_over_the_source_for_each_token(place: Path) -> None:
    for line, answer in zip(LINES, ask("runs/translation", *LINES, attention=True, format="json"), strict=True):
        shown = json.loads(answer)
        assert "".join(shown["source"][:-1]) == line and shown["target"][-1] == "<eos>"
        assert "".join(shown["target"][:-1]) == shown["text"] and len(shown["attention"]) == len(shown["target"])
        assert all(len(row) == len(shown["source"]) and sum(row) == pytest.approx(1, abs=1e-4) for row in shown["attention"])


@pytest.mark.parametrize(("name", "head"), [("maps.png", b"\x89PNG"), ("maps.svg", b"<?xml")])
def test_attention_is_drawn_a_panel_for_each_of_the_first_lines(
    name: str, head: bytes, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    draw = pictures.attention_maps
    monkeypatch.setattr(pictures, "attention_maps", lambda panels, file: (drawn.extend(panels), draw(panels[:2], file)))
    asked = [LINES[0], "", *LINES[1:], *LINES * 6]
    lines = reader({"run": "runs/translation", "attention": name, "max_length": 8})
    assert isinstance(lines, PicturedLines)
    texts = list(lines.answer(io.BytesIO("\n".join(asked).encode())))
    lines.draw()
    assert Path(name).read_bytes().startswith(head) and texts == ask("runs/translation", *asked, max_length=8)
    assert capsys.readouterr().err == "maps.png has the first 12 of 14 lines\n".replace("maps.png", name)
    shown = [json.loads(each) for each in ask("runs/translation", *asked, attention=True, format="json", max_length=8)]
    shown = [one for one in shown if one["line"] != 2][:12]
    assert [panel.title for panel in drawn] == [f"line {one['line']}" for one in shown]
    for panel, one in zip(drawn, shown, strict=True):
        assert (panel.source, panel.target) == (one["source"], one["target"])
        assert panel.weights.tolist() == [pytest.approx(row, abs=1e-5) for row in one["attention"]]


def test_nothing_to_draw_is_said(place: Path) -> None:
    lines = reader({"run": "runs/translation", "attention": "none.png"})
    assert isinstance(lines, PicturedLines) and list(lines.answer(io.BytesIO(b"\n"))) == [""]
    with pytest.raises(ValueError, match=r"attention=none.png: no line was answered, so that there is nothing to draw"):
        lines.draw()
    assert not Path("none.png").exists()


def test_constraints_and_samples(place: Path) -> None:
    constraints = {"prefix": "19", "required": ["7-"], "forbidden": ["0"]}
    for text in ask("runs/translation", *LINES, constraints=constraints, beam_size=10, max_length=12):
        assert text.startswith("19") and "7-" in text and "0" not in text
    drawn = ask("runs/translation", LINES[0], LINES[0], n_best=3, sampling={"temperature": 1.0, "top_k": 4, "seed": 2})
    assert [line.split("\t")[1:] for line in drawn[:3]] == [line.split("\t")[1:] for line in drawn[3:]]


def test_a_line_whose_constraints_nothing_satisfies_is_named_and_the_others_are_answered(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text has twice the steps of its source and ten at most, where ``max_length`` says no more."""
    constraints, short, long = {"prefix": "1-" * 12}, "May", LINES[1]
    for form, empty in (("text", ""), ("json", '{"line": 2, "text": ""}')):
        lines = reader({"run": "runs/translation", "constraints": constraints, "format": form})
        answers = list(lines.answer(io.BytesIO(f"{long}\n{short}\n{long}\n".encode())))
        assert answers[1] == empty and "1-" * 12 in answers[0] and lines.refused == 1
        said = (
            "constraints: prefix has 24 tokens, and with its end a text has 18 at most: raise max_length, or give a shorter one"
        )
        assert capsys.readouterr().err == f"error: line 2: {said}\n"
    with pytest.raises(ValueError, match=r"item 1: constraints: prefix has 24 tokens"):
        load_predictor("runs/translation", constraints=constraints)([long, short])
    with pytest.raises(ValueError, match=r"item 0: constraints: no hypothesis of a beam of 2 satisfies forbidden, no_repeated"):
        limits = {"no_repeated_ngrams": 1, "forbidden": [*"0123456"]}
        load_predictor("runs/translation", beam_size=2, constraints=limits, min_length=9, max_length=9)([long])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{short}\n".encode())))
    with pytest.raises(SystemExit, match="1"):
        predict(["run=runs/translation", f"constraints={{prefix: '{'1-' * 12}'}}"])


def test_an_unknown_token_does_not_stand_for_what_is_forbidden(place: Path) -> None:
    limits = {"constraints": {"forbidden": [*"0123456789-"]}, "min_length": 3, "max_length": 9}
    export_run(place / "runs/translation", place / "exported")
    for answers in (load_predictor("runs/translation", **limits), load("exported", **limits)):
        with pytest.raises(ValueError, match="no hypothesis of a beam of 5 satisfies forbidden within 9 tokens, its end incl"):
            answers(LINES)


def language_model(place: Path, tokenizer: str | None) -> str:
    """A language model of the translations, with the tokenizer of theirs, or one that it has learnt."""
    name = "language" if tokenizer else "own"
    given = [f"++task.corpus.tokenizer={tokenizer}"] if tokenizer else []
    experiment = compose(["task=wikitext2", "rnn=gru", "task.corpus.level=character", *given, "task.rnn=null", *SMALL])
    lines = Path("data/processed/dates/test.target.txt").read_text().splitlines()
    corpus = experiment.task.corpus.build()
    shutil.rmtree(experiment.raw(), ignore_errors=True)
    write_fetched(experiment.raw(), {split: {"text": lines} for split in ("train", "validation", "test")}, corpus.spec())
    corpus.preprocess(experiment.raw(), experiment.processed())
    card = read_json(experiment.processed() / "card.json")
    store_run(place / "runs" / name, experiment, build_system(experiment, card, planned=10), card)
    return f"runs/{name}"


def test_a_language_model_with_the_tokens_of_the_translations_is_fused(place: Path) -> None:
    run = language_model(place, "data/processed/dates/target_tokenizer.json")
    line = f"{LINES[0]}\t1988"
    plain, fused = (
        json.loads(ask("runs/translation", line, score=True, format="json", **more)[0])
        for more in ({}, {"fusion": {"run": run, "weight": 0.5}})
    )
    of_language = json.loads(ask(run, "1988", score=True, format="json")[0])
    expected = plain["log_probability"] + 0.5 * of_language["log_probability"]
    assert fused["log_probability"] == pytest.approx(expected, abs=1e-3)
    with pytest.raises(ValueError, match=r"fusion: the language model of runs/own has other tokens than the translations"):
        ask("runs/translation", line, fusion={"run": language_model(place, None), "weight": 0.5})


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"run": "[runs/translation, ]"}, r"run=\[runs/translation, \] must be a folder, or \[FOLDER, FOLDER\]"),
    ({"run": "[runs/translation, runs/translation]"}, "run must be a list of at least 1 names, all different"),
    ({"run": "runs/translation", "attention": True}, r"attention=true needs format=json, .*; attention=FILE.png draws it"),
    ({"run": "runs/translation", "attention": "a.gif"}, "attention=a.gif must be true, false, or .*: FILE.png or FILE.svg"),
    ({"run": "runs/translation", "attention": "no/a.png"}, "attention=no/a.png: there is no folder no: make it"),
    ({"run": "[runs/translation, runs/other]", "attention": "a.png"}, "attention is shown of .* one run"),
    ({"run": "[runs/translation, runs/other]", "attention": True, "format": "json"}, "attention is shown of .* one run"),
    ({"run": "runs/translation", "constraints": {"prefix": "ä"}}, "constraints: prefix: the vocabulary lacks .* 'ä'"),
    (
        {"run": "runs/translation", "constraints": {"required": ["1988-05"]}, "max_length": 7},
        "constraints: required has 7 tokens, and with its end a text has 7 at most: raise max_length",
    ),
    ({"run": "runs/translation", "fusion": {"weight": 1}}, r"fusion must be \{run: FOLDER of a language model, weight: 0.3\}"),
    ({"run": "[runs/translation, runs/other]", "ensemble": ["runs/other"]}, r"run=\[...\] is an ensemble already"),
    ({"run": "runs/translation", "score": True, "n_best": 3, "max_length": 9}, "leave max_length, n_best out"),
    ({"run": "runs/translation", "score": True, "scores": True}, "leave scores out"),
    ({"run": "runs/translation", "ensemble": ["runs/nowhere"]}, "runs/nowhere does not exist: give the folder of an eval"),
    (
        {"run": "runs/translation", "fusion": {"run": "runs/other", "weight": 1}},
        "runs/other is a run of kind translation, and one of kind language is needed here",
    ),
    ({"run": "runs/translation", "n_best": 100_000}, "n_best: 100000, and at most 100 are answered here; max_beam=100000 at"),
    ({"run": "runs/translation", "groups": 3, "max_beam": 2}, "groups: 3, and at most 2 are answered here; max_beam=3 at the"),
    ({"run": "runs/translation", "max_length": 10_001}, "max_length: 10001, and at most 10000 are answered here; max_steps"),
    ({"run": "runs/translation", "constraints": {"no_repeated_ngrams": 0}}, "constraints: no_repeated_ngrams must be a whole"),
    ({"run": "runs/translation", "constraints": {"repetition_penalty": 0}}, "constraints: repetition_penalty must be a finite"),
    ({"run": "runs/translation", "sampling": {"seed": 2**63}}, f"sampling: seed must be a whole number of 0 to {2**63 - 1}"),
    ({"run": "runs/translation", "patience": 1e300}, r"patience must be a number in \(0, 1e\+38\], not 1e\+300"),
    ({"run": "runs/translation", "sampling": {"temperature": 1e-40}}, "temperature must be 0, .* or at least 1e-06"),
    ({"run": "runs/translation", "sampling": {"top_q": 1}}, "sampling: there is no setting 'top_q'"),
]


@pytest.mark.parametrize(("options", "said"), WRONG, ids=str)
def test_what_there_is_not_is_refused(place: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        reader(options)


def test_a_line_without_a_target_is_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = reader({"run": "runs/translation", "score": True})
    assert list(lines.answer(io.BytesIO(b"May 3rd, 1988\n\n"))) == ["", ""] and lines.refused == 1
    assert "line 1, May 3rd, 1988: it has no tabs, and what is to be scored is a source, a tab" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("May 3rd\t1988\tx", "it has 2 tabs, and what is to be scored is a source, a tab and a target"),
        ("\t1988", "the source is empty: what is to be scored is a source, a tab and a target"),
        ("  \t1988", "the source is empty"),
        ("\t", "the source is empty"),
    ],
)
def test_a_line_that_is_no_pair_is_refused_wherever_it_comes_from(place: Path, line: str, said: str) -> None:
    inputs = load_predictor("runs/translation", score=True).inputs
    for encoded in (lambda: inputs.encode(line), lambda: inputs.encode(inputs.from_request(line))):
        with pytest.raises(ValueError, match=said):
            encoded()


def test_what_the_vocabulary_lacks_of_a_scored_text_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known, lacking, empty = ("May\t1988", "May\t19ä8 ä€", "May\t")
    answers = [json.loads(line) for line in ask("runs/translation", known, lacking, empty, score=True, format="json")]
    assert [answer["unknown"] for answer in answers] == [[], ["ä", " ", "€"], []]
    assert capsys.readouterr().err == "warning: line 2: the vocabulary lacks 'ä', ' ', '€': scored as <unk>\n"
    scorer = load_predictor("runs/translation", score=True)
    (served,) = scorer.answer(scorer.encoded([lacking], requested=True))
    assert served["unknown"] == ["ä", " ", "€"] and ask("runs/translation", known, score=True) and not capsys.readouterr().err
