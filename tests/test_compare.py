"""A comparison says what the run folders say: against naive arithmetic, and when runs are missing or unequal."""

import json
import shutil
from math import sqrt
from pathlib import Path

import pytest
from often import some
from run_folders import make_run, make_task, own_place, undrawn

from pipelines import compare as stage
from pipelines.comparing import figures
from pipelines.comparing.sections import Section
from pipelines.display import numbers
from pipelines.runs.folders import Expected, read_points, read_run
from pipelines.settings.compose import CONF
from rnn_lightning.files import write_sums

TWO_SIDED_95 = {2: 12.706, 3: 4.303, 4: 3.182}
"""Student's t at 95% by number of seeds, from a printed table."""
LOSSES = {"lstm": [2.0, 2.1, 2.3], "gru": [1.9, 2.2, 2.4], "elman": [3.0]}


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    undrawn(monkeypatch)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    make_task(tmp_path, "words", "Words & <things>")
    for rnn, losses in LOSSES.items():
        for seed, loss in enumerate(losses):
            make_run(tmp_path, "words", rnn, seed, {"test/loss": loss, "test/perplexity": 2.718281828**loss})
    return tmp_path


def compare(project: Path, expected: tuple[Expected, ...] = ()) -> Section:
    folders = {"conf": project / "conf", "data": project / "data"}
    return stage.compare(project / "runs", project / "reports", **folders, expected=expected)[0]


def page(project: Path, kind: str) -> str:
    return (project / "reports" / f"comparison.{kind}").read_text()


def test_means_and_intervals_are_those_of_the_textbook(project: Path) -> None:
    compare(project)
    rows = {row["rnn"]: row["metrics"]["test/loss"] for row in json.loads(page(project, "json"))["tasks"][0]["rows"]}
    for rnn, losses in LOSSES.items():
        count, mean = len(losses), sum(losses) / len(losses)
        assert rows[rnn]["mean"] == pytest.approx(mean)
        if count == 1:
            assert rows[rnn]["half"] is None
        else:
            deviation = sqrt(sum((loss - mean) ** 2 for loss in losses) / (count - 1))
            assert rows[rnn]["half"] == pytest.approx(TWO_SIDED_95[count] * deviation / sqrt(count), rel=1e-3)


def test_the_best_comes_first_whatever_best_means(project: Path) -> None:
    assert [row.rnn for row in compare(project).rows] == ["lstm", "gru", "elman"]
    file = project / "conf" / "task" / "words.yaml"
    file.write_text(file.read_text().replace("mode: min", "mode: max"))
    assert [row.rnn for row in compare(project).rows] == ["elman", "gru", "lstm"]


def test_one_seed_has_no_interval(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare(project)
    elman = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("Elman"))
    assert "± \N{EN DASH}" in elman


def test_what_is_missing_is_said_everywhere(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(project, "words", "lstm", 7, None)
    make_run(project, "words", "lstm", 8, {"test/loss": float("nan")})
    (project / "runs/words/lstm/.1.killed.partial").mkdir()  # what a kill leaves is no run
    reasons = {each.seed: each.reason for each in compare(project, (Expected("words", "gru", 9),)).missing}
    assert reasons == {"7": "was not evaluated: no metrics.json", "8": "test/loss is nan", "9": "was not started"}
    for text in (page(project, "md"), page(project, "html"), page(project, "json"), capsys.readouterr().out):
        assert all(reason in text for reason in reasons.values())


def test_a_metric_that_could_not_be_measured_is_left_out(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed, value in ((7, None), (8, float("nan")), (9, 0.5)):
        make_run(project, "words", "lstm", seed, {"test/loss": 9.0, "test/accuracy_US (F)": value})  # pyright: ignore
    section = compare(project)
    (row,) = [row for row in section.rows if row.rnn == "lstm"]
    assert not section.missing and row.spread("test/accuracy_US (F)").mean == 0.5
    assert "NaN" not in page(project, "json")


def test_a_run_whose_own_metric_could_not_be_measured_is_missing(tmp_path: Path) -> None:
    config = {"task": {"metric": {"name": "test/loss"}}, "rnn": {}, "trainer": {}}
    folder = make_run(tmp_path, "words", "gru", 1, {"test/loss": 1.0, "test/accuracy": 1.0}, config=config)
    (folder / "metrics.json").write_text('{"test/loss": null, "test/accuracy": 1.0}')
    write_sums(folder)
    with pytest.raises(ValueError, match="test/loss is None"):
        read_run(folder)


def test_a_task_of_which_nothing_finished_is_still_there(tmp_path: Path) -> None:
    make_task(tmp_path, "words")
    section = compare(tmp_path, (Expected("words", "gru", 1),))
    assert (len(section.rows), len(section.missing)) == (0, 1)


def test_where_nothing_that_was_asked_for_is_finished_there_is_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_task(tmp_path, "words")
    config = {"task_name": "words", "rnn": {"cell": "gru"}}
    make_run(tmp_path, "copied", "gru", 1, {"test/loss": 1.0}, config=config)
    for task in ("words", "copied"):
        with pytest.raises(ValueError, match=rf"runs has no finished run of {task}: train and evaluate some first"):
            stage.compare(tmp_path / "runs", tmp_path / "out", conf=tmp_path / "conf", data=tmp_path / "data", tasks=[task])
    assert not (tmp_path / "out").exists()
    assert "copied/gru/1 is not compared: is of the task words: a run counts in the folder of its" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("field", "value"), some([("data", "cd" * 32), ("precision", "bf16-mixed"), ("planned_steps", 800)], 1)
)
def test_unequal_runs_are_called_unequal(project: Path, field: str, value: object) -> None:
    assert not compare(project).warnings()
    make_run(project, "words", "gru", 5, {"test/loss": 2.0, "test/perplexity": 7.4}, **{field: value})
    assert compare(project).warnings() == [f"not like for like: 2 different values of {field}"]


def test_what_was_tuned_is_told_and_who_was_not(project: Path) -> None:
    assert ["tuned", "nothing"] in compare(project).facts()
    swept = {"sweep": "words-gru-basic", "trials": 20, "pruned": 8, "best": 3, "varied": ["task.model.lr"]}
    for rnn, tuning in (("gru", swept), ("lstm", swept | {"pruned": 11}), ("elman", None)):
        for file in (project / "runs" / "words" / rnn).glob("*/training.json"):
            told = json.loads(file.read_text())
            told["config"] |= {"tuning": tuning, "task": {"model": {"lr": 0.002}}} if tuning else {}
            file.write_text(json.dumps(told))
            write_sums(file.parent)
    section = compare(project)
    facts = dict(section.facts())
    assert facts["tuned, GRU"] == "20 trials, 8 of them given up early; model.lr 0.00200"
    assert facts["tuned, Elman RNN (tanh)"] == "0 trials"
    for file in (project / "runs" / "words" / "gru").glob("*/training.json"):
        told = json.loads(file.read_text())
        file.write_text(json.dumps(told | {"command": f"{told['command']} task.model.lr=0.002"}))
        write_sums(file.parent)
    assert dict(compare(project).facts())["tuned, GRU"].endswith("; model.lr 0.00200 by hand")
    (warning,) = section.warnings()
    assert "LSTM was tuned by 20 trials" in warning and "Elman RNN (tanh) was tuned by 0 trials" in warning
    shutil.rmtree(project / "runs" / "words" / "elman")
    assert compare(project).warnings() == []  # as many trials each, however many of them were given up


def test_a_part_of_a_stream_is_said_to_be_one(project: Path) -> None:
    for file in (project / "runs" / "words").glob("*/*/training.json"):
        told = json.loads(file.read_text())
        told["config"] |= {"task": {"corpus": {"streaming": {"rows": {"train": 9000, "test": 20}, "buffer": 500, "seed": 1}}}}
        file.write_text(json.dumps(told))
        write_sums(file.parent)
    said = "at most train 9,000, test 20 rows, shuffled in a buffer of 500"
    assert dict(compare(project).facts())["a part of a stream"] == said


def test_the_web_page_needs_nothing_else(project: Path) -> None:
    compare(project)
    text = page(project, "html")
    assert "http" not in text
    assert text.count("data:image/png;base64,") == 3
    assert "Words &amp; &lt;things&gt;" in text
    assert "prefers-color-scheme: dark" in text


def test_references_come_from_the_task_and_from_the_data(project: Path) -> None:
    assert {each.name: each.value for each in compare(project).task.references} == {"guessing": 4.6, "entropy": 0.9}
    (project / "data" / "processed" / "words" / "card.json").unlink()
    assert {each.name for each in compare(project).task.references} == {"guessing"}


def test_runs_know_their_tasks_of_other_folders(tmp_path: Path) -> None:
    task = {"title": "Of mine", "description": "Mine.", "metric": {"name": "test/loss", "mode": "min"}, "unit": "tokens"}
    for seed in (1, 2):
        config = {"task": task, "rnn": {"cell": "gru"}, "trainer": {}, "seed": seed}
        make_run(tmp_path, "own", "gru", seed, {"test/loss": 1.0 + seed}, config=config)
    with own_place(tmp_path):
        with pytest.raises(ValueError, match="conf=mine: there is no such folder"):
            stage.main(["task=own", "conf=mine"])
        (tmp_path / "mine").mkdir()
        stage.main(["task=own", "conf=mine"])
    assert "Of mine" in (tmp_path / "reports/own/comparison.md").read_text()


def test_architectures_keep_their_colours_and_do_not_share_them() -> None:
    names = {file.stem for file in (CONF / "rnn").glob("*.yaml")}
    assert names == set(figures.NAMES), "those of conf/rnn have looks of their own, by their place in figures.NAMES"
    assert len({tuple(figures.style(rnn).items()) for rnn in names}) == len(names)
    assert figures.style("a_cell_of_next_year") == figures.style("a_cell_of_next_year")


def test_every_finished_run_has_the_points_that_were_logged(project: Path) -> None:
    points = read_points(project / "runs" / "words" / "lstm" / "0")
    assert len(points) == 40
    assert points[-1] == ("val/loss", 400, pytest.approx(2.0 * (1 + 2 * 0.98**400)))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0123456, "0.01235"), (4.7512, "4.751"), (115.78, "115.8"), (0.5, "0.5000"), (12345.6, "12346"), (0, "0")],
)
def test_numbers_show_what_counts(value: float, shown: str) -> None:
    assert numbers.number(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(999, "999"), (1_000_000, "1.00 M"), (998_400, "998 k"), (12_345, "12.3 k")])
def test_counts_are_short(value: float, shown: str) -> None:
    assert numbers.short(value) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(42, "42 s"), (210, "3.5 min"), (4800, "1 h 20 min"), (7199, "2 h 0 min")])
def test_durations_are_readable(seconds: float, shown: str) -> None:
    assert numbers.duration(seconds) == shown
