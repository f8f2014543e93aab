"""Translation through the stages: what a run leaves, how it is scored, and lines of standard input answered one by one."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from run_folders import run_by_stages
from sacrebleu import corpus_bleu, corpus_chrf

from pipelines import tracking
from pipelines.kinds.translation import Texts, score_texts
from pipelines.predict import predict, reader
from pipelines.settings.compose import compose
from pipelines.training.run import train_one
from rnn_lightning import PairModule, Seq2Seq
from rnn_lightning.predictors.searching import search_keywords
from rnn_lightning.search import GNMTLength

DATES = [
    "task=dates",
    "rnn=gru",
    "task.corpus.rows={train:300,validation:40,test:50}",
    "task.training.epochs=1",
    "task.training.validate_every=null",
    "task.parameters=20000",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A finished run of a small translation task, in a place of its own."""
    with run_by_stages(tmp_path_factory.mktemp("place"), DATES) as folder:
        yield folder


def lines(run: Path, side: str) -> list[str]:
    return (run.parents[3] / f"data/processed/dates/test.{side}.txt").read_text().splitlines()


def test_a_run_leaves_its_translations_and_their_scores(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    found = (run / "translations.txt").read_text().splitlines()
    references = lines(run, "target")
    assert len(found) == len(references) == 50
    assert metrics["test/bleu"] == corpus_bleu(found, [references]).score
    assert metrics["test/chrf"] == corpus_chrf(found, [references]).score
    assert metrics["test/accuracy"] == sum(map(str.__eq__, found, references)) / 50
    assert "tok:13a" in json.loads((run / "search.json").read_text())["signatures"]["bleu"]


def test_the_dashboard_shows_translations_and_attention_of_every_validation(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{run.parents[3]}/mlflow.db")
    run_id = json.loads((run / "training.json").read_text())["mlflow_run_id"]
    shown = {Path(file.path).suffix for file in tracking.store.client().list_artifacts(run_id, "validation")}
    assert shown == {".md", ".png"}
    assert {"val/bleu", "val/accuracy"} <= set(tracking.store.client().get_run(run_id).data.metrics)


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ("beam=3", r"a search has beam_size, .*, stop, and no 'beam'"),
        ("beam_size=wide", "beam_size of a search must be a number, not 'wide'"),
        ("beam_size=0", "beam_size must be"),
        ("stop=never", "stop must be one of"),
        ("normalisation={name:gnmt,alfa:1}", "alfa"),
    ],
)
def test_a_search_that_the_test_would_fail_by_is_refused_before_the_training(run: Path, search: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        train_one(compose([*DATES, "seed=2", f"++task.metric.search.{search}"]), 2)
    assert not list(Path("work").glob("dates-gru-2-*/curves.csv"))


def test_a_dashboard_that_takes_no_files_ends_no_training(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mlflow.MlflowClient.log_artifact", full)
        experiment = compose([*DATES, "seed=3"])
        train_one(experiment, 3)
    assert (experiment.trained(3) / "model.ckpt").exists()
    assert "the dashboard does not take what there is to show (no space left): it waits in" in capsys.readouterr().err
    assert tracking.deliver_waiting() > 0


def test_predict_refuses_a_search_that_there_is_not(run: Path) -> None:
    with pytest.raises(ValueError, match=r"beamsize: there is no such setting \(the nearest is beam_size\)"):
        reader({"run": str(run), "beamsize": 3})


def test_predict_answers_each_line_as_the_model_translates_it(run: Path) -> None:
    translator = reader({"run": run, "batch_size": 7})
    stream = io.BytesIO("".join(f"{line}\n" for line in lines(run, "source")).encode())
    assert list(translator.answer(stream)) == (run / "translations.txt").read_text().splitlines()


def test_the_served_model_answers_as_the_test_did(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import pyfunc

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{run.parents[3]}/mlflow.db")
    monkeypatch.chdir(run.parents[3])
    store, run_id = tracking.store.client(), json.loads((run / "training.json").read_text())["mlflow_run_id"]
    (model,) = store.search_logged_models([store.get_run(run_id).info.experiment_id], f"source_run_id = '{run_id}'")
    answers = pyfunc.load_model(model.model_uri).predict([*lines(run, "source"), "", "  "])
    assert [each["text"] for each in answers] == [*(run / "translations.txt").read_text().splitlines(), "", ""]


def test_predict_answers_with_compressed_weights(run: Path) -> None:
    stream = "".join(f"{line}\n" for line in lines(run, "source")).encode()
    plain, small = (
        list(reader({"run": run, "weights": weights}).answer(io.BytesIO(stream))) for weights in ("float32", "float16")
    )
    assert sum(one == two for one, two in zip(plain, small, strict=True)) >= 0.9 * len(plain)
    with pytest.raises(ValueError, match="weights must be one of"):
        reader({"run": run, "weights": "int2"})


def test_n_best_lists_are_numbered_scored_and_sorted(run: Path) -> None:
    translator = reader({"run": run, "n_best": 3, "beam_size": 4})
    source = lines(run, "source")[0]
    cells = [line.split("\t") for line in translator.answer(io.BytesIO(f"\n{source}\n".encode()))]
    assert [cell[0] for cell in cells] == ["2"] * 3
    scores = [float(cell[1]) for cell in cells]
    assert scores == sorted(scores, reverse=True)
    assert len({cell[2] for cell in cells}) == 3


def test_bad_lines_harm_no_others(run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = lines(run, "source")[:2]
    long = " ".join(["May"] * 2000)
    strange = "am 3. \u65e5\u672c \N{GRINNING FACE}"
    text = [first.encode(), b"", b"  \t ", b"3rd of \xff May", strange.encode(), long.encode(), second.encode()]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\n".join(text))))
    with pytest.raises(SystemExit, match="1"):
        predict([f"run={run}", "max_length=12"])
    printed = capsys.readouterr()
    answers = printed.out.split("\n")[:-1]
    alone = reader({"run": run, "max_length": 12}).answer(io.BytesIO(f"{first}\n{second}".encode()))
    assert len(answers) == 7
    assert [answers[0], answers[6]] == list(alone)
    assert answers[1] == answers[2] == answers[3] == ""
    assert printed.err == "error: line 4 is not UTF-8 at byte 8\n"


def test_a_folder_that_is_no_evaluated_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError,
        match=r"has no predictor\.json, and so no evaluated run: give",
    ):
        reader({"run": str(tmp_path)})
    with pytest.raises(ValueError, match="run=FOLDER must name"):
        reader({})


def test_scores_ignore_case_where_the_data_do() -> None:
    lower = Texts(["x"], ["A dog runs across the wet grass ."], None, None, lowercase=True)  # pyright: ignore[reportArgumentType]
    found = ["a DOG runs across the wet grass ."]
    assert score_texts(found, lower).values["bleu"] == pytest.approx(100)
    assert score_texts(found, lower).values["accuracy"] == 1
    exact = score_texts(found, lower._replace(lowercase=False))
    assert exact.values["bleu"] < 100 and exact.values["accuracy"] == 0
    assert "case:lc" in score_texts(found, lower).signatures["bleu"]
    assert "case:mixed" in exact.signatures["bleu"]


def test_a_normalisation_is_named_in_plain_values() -> None:
    told = {"beam_size": 4, "normalisation": {"name": "gnmt", "alpha": 0.7}}
    assert search_keywords(told) == {"beam_size": 4, "normalisation": GNMTLength(0.7)}
    with pytest.raises(ValueError, match=r"normalisation.name must be one of .*'gnmt'.*, not 'wu'"):
        search_keywords({"normalisation": {"name": "wu"}})
    with pytest.raises(ValueError, match="beta"):
        search_keywords({"normalisation": {"name": "gnmt", "beta": 1}})


def test_the_checkpoint_of_a_run_loads_without_arguments(run: Path) -> None:
    system = Seq2Seq.load_from_checkpoint(run / "model.ckpt", weights_only=True).eval()
    data = PairModule(run.parents[3] / "data/processed/dates", batch_size=10)
    batch = data.dataset("test")[(0, 1, 2)]
    assert torch.isfinite(system.log_probabilities(batch)).all()
