"""A run of a recogniser, by all stages: what it leaves agrees with the model, and the served model answers as it does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
import torch
from run_folders import run_by_stages

from pipelines.kinds.base import target_rows
from pipelines.kinds.recognition import check_search, search_of
from pipelines.predict import reader
from pipelines.settings.compose import compose
from rnn_lightning import CTCRecognizer, NGram, PairModule, ctc_greedy, load_predictor
from rnn_lightning.export import export_run
from rnn_lightning.files import read_json, sha256
from rnn_lightning.pen import pen_features
from rnn_lightning.runtime import load

SEARCH = "+task.metric.search={beam_size: 4, fusion: {order: 2, weight: 0.3, bonus: 0.2}}"
TINY = ["task=strokes", "rnn=lstm", "task.corpus.rows={train: 60, validation: 20, test: 30}", "task.training.epochs=2"]
TINY += ["task.training.validate_every=2", "task.parameters=3000", SEARCH]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, CTCRecognizer, PairModule]]:
    with run_by_stages(tmp_path_factory.mktemp("strokes"), TINY) as run:
        model = CTCRecognizer.load_from_checkpoint(run / "model.ckpt", weights_only=True).eval()
        yield run, model, PairModule("data/processed/strokes", batch_size=8)


def edits(said: str, right: str) -> int:
    row = list(range(len(right) + 1))
    for at, one in enumerate(said, 1):
        before, row[0] = row[0], at
        for place, other in enumerate(right, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (one != other))
    return row[-1]


def test_what_was_found_stands_beside_what_is_right_and_gives_the_rate(made: tuple[Path, CTCRecognizer, PairModule]) -> None:
    run, model, data = made
    lines = [line.split("\t") for line in (run / "recognized.txt").read_text().split("\n")[:-1]]
    right = [model.text(row) for row in target_rows(data, "test")]
    assert [line[1] for line in lines] == right and len(lines) == 30
    wrong = sum(edits(said, other) for said, other in lines)
    scores = read_json(run / "metrics.json")
    assert scores["test/cer_beam"] == pytest.approx(wrong / sum(map(len, right)))
    assert all((run / name).stat().st_size > 1000 for name in ("alignment.png", "strokes.png"))
    table = [line.strip("| ").split(" | ") for line in (run / "labels.md").read_text().splitlines()[2:]]
    assert {line[0] for line in table[:-1]} == {f"`{sign}`" for line in lines for sign in "".join(line)}
    assert float(table[-1][6]) == pytest.approx(scores["test/cer_beam"], abs=1e-4)
    for column in range(1, 6):
        assert sum(int(line[column]) for line in table[:-1]) == int(table[-1][column])
    dataset, best = data.dataset("test"), []
    for row in range(30):
        batch = dataset[(row,)]
        with torch.no_grad():
            found = ctc_greedy(model(batch.inputs)[0])
        best.append(model.text(model.sequences(found.labels[:, 0], found.lengths[:, 0])[0]))
    wrong = sum(edits(said, other) for said, other in zip(best, right, strict=True))
    assert scores["test/cer"] == pytest.approx(wrong / sum(map(len, right)))


def test_the_language_model_is_counted_in_training(made: tuple[Path, CTCRecognizer, PairModule]) -> None:
    _, model, data = made
    told = search_of({"beam_size": 4, "fusion": {"order": 2, "weight": 0.3}}, model, data)
    expected = NGram(target_rows(data, "train"), vocab_size=len(model.labels), order=2, end=0)
    tokens = torch.tensor([0])
    one, _ = told["fusion"].step(tokens, told["fusion"].start(1))
    other, _ = expected.step(tokens, expected.start(1))
    assert torch.equal(one, other) and told["fusion"].weight == 0.3


def test_the_language_model_may_be_a_file(made: tuple[Path, CTCRecognizer, PairModule], tmp_path: Path) -> None:
    _, model, data = made
    words = ["<s>", "</s>", *model.labels[1:]]
    lines = ["\\data\\", f"ngram 1={len(words)}", "\\1-grams:", *(f"-1 {word}" for word in words), "\\end\\"]
    (tmp_path / "lm.arpa").write_text("\n".join(lines))
    search = search_of({"beam_size": 4, "fusion": {"arpa": str(tmp_path / "lm.arpa"), "bonus": 0.5}}, model, data)
    log_probs, _ = search["fusion"].step(torch.tensor([0]), search["fusion"].start(1))
    assert search["fusion"].bonus == 0.5
    torch.testing.assert_close(log_probs, torch.full((1, len(model.labels)), -1.0).double() * torch.tensor(10).double().log())


def test_an_evaluation_with_another_file_of_the_same_name_is_another(
    made: tuple[Path, CTCRecognizer, PairModule], tmp_path: Path
) -> None:
    _, model, data = made
    file = tmp_path / "lm.arpa"
    words = [*TINY[:-1], f"+task.metric.search={{beam_size: 4, fusion: {{arpa: {file}}}}}"]
    found = []
    for score in (-1, -2):
        lines = ["ngram 1=2", "\\1-grams:", f"{score} <s>", f"{score} </s>", "\\end\\"]
        file.write_text("\n".join(["\\data\\", *lines]))
        for each in (words, [*words, "name=mine"]):
            found.append(compose(each))
            fusion = found[-1].plain(1)["task"]["metric"]["search"]["fusion"]
            assert fusion == {"arpa": str(file), "sha256": sha256(file)}
    assert len({each.run(1) for each in found}) == 4 and len({each.trained(1) for each in found}) == 2
    with pytest.raises(ValueError, match=r"lm.arpa has the SHA-256 \w{12}..., and \w{12}... is asked for: give that file"):
        search_of(found[0].task.metric.search, model, data)
    file.unlink()
    assert "sha256" not in compose(words).task.metric.search["fusion"]


def test_the_served_model_answers_as_the_tested_one(made: tuple[Path, CTCRecognizer, PairModule]) -> None:
    _, model, _ = made
    (stored,) = mlflow.search_logged_models(output_format="list")
    strokes = [[[[0, 0], [1, 5], [2, 0]], [[5, 5]]], [[[0, 0], [0, 9]], [[3, 3], [9, 9], [9, 0]]]]
    answers = mlflow.pyfunc.load_model(stored.model_uri).predict([json.dumps(each) for each in strokes])
    for each, answer in zip(strokes, answers, strict=True):
        best = model.recognize(torch.from_numpy(pen_features(each, spacing=0.25)).unsqueeze(0), beam_size=4)
        assert answer["text"] == model.text(best.labels[0, 0].tolist())


def test_a_run_answers_by_the_beam_of_its_test_and_says_that_its_language_model_is_not_there(
    made: tuple[Path, CTCRecognizer, PairModule], capsys: pytest.CaptureFixture[str]
) -> None:
    run, _, _ = made
    assert read_json(run / "predictor.json")["search"] == {"beam_size": 4}
    assert reader({"run": str(run), "n_best": 4}).predictor.beam_size == 4  # pyright: ignore[reportAttributeAccessIssue]
    said = f"{run} was tested with a language model (order 2, weight 0.3, bonus 0.2), which its folder does not hold"
    assert said in capsys.readouterr().err
    assert load_predictor(run, beam_size=2).beam_size == 2  # pyright: ignore[reportAttributeAccessIssue]
    export_run(run, run.parent / "exported")
    assert load(run.parent / "exported").beam_size == 4  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"beam": 4}, r"task.metric.search has \['beam'\]"),
        ({"beam_size": 4, "fusion": {"weight": 1.0}}, "must have order, or arpa and perhaps space, .*: 'order'"),
        ({"beam_size": 4, "fusion": {"arpa": "none.arpa"}}, "must be a file in the ARPA format, and none.arpa is no file"),
        ({"beam_size": 4, "fusion": {"order": 2, "arpa": "lm.arpa"}}, "has order and arpa: the file says its order"),
        ({"beam_size": "wide"}, "beam_size must be a whole number, not 'wide'"),
        ({"beam_size": 0}, "beam_size must be a whole number of at least 1, not 0"),
        ({"beam_size": 4, "fusion": {"order": 2, "wait": 1.0}}, "may have weight and bonus: .*'wait'"),
    ],
)
def test_a_search_that_is_none_is_refused(
    made: tuple[Path, CTCRecognizer, PairModule], told: dict[str, Any], said: str
) -> None:
    _, model, data = made
    with pytest.raises(ValueError, match=said):
        check_search(model, data, told)
