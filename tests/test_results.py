"""Stored results and the pages that show them: merged, never lost, and never different from each other unnoticed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from run_folders import make_run, make_task

from pipelines.results import main, read_results, results, stale

README = "# Title\n\n<!-- results:words -->\nold\n<!-- /results -->\n\nThe end.\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    make_task(tmp_path, "words")
    for rnn, seed in (("lstm", 2), ("lstm", 1), ("gru", 1)):
        make_run(tmp_path, "words", rnn, seed, {"test/loss": 2.0 + seed / 10})
    (tmp_path / "README.md").write_text(README)
    return tmp_path


def stored(project: Path) -> list[dict]:
    return json.loads((project / "results" / "words.json").read_text())["runs"]


def test_runs_are_stored_in_order_and_shown(project: Path) -> None:
    results([], root=project)
    assert [(run["rnn"], run["seed"]) for run in stored(project)] == [("gru", 1), ("lstm", 1), ("lstm", 2)]
    readme = (project / "README.md").read_text()
    assert readme.startswith("# Title\n\n<!-- results:words -->\n| architecture |")
    assert readme.endswith("|\n<!-- /results -->\n\nThe end.\n")
    assert "| LSTM | 2.15 ± 0.64 | 2 |" in readme


def test_storing_again_changes_nothing(project: Path) -> None:
    results([], root=project)
    before = [(project / name).read_bytes() for name in ("README.md", "results/words.json")]
    results(["words"], root=project)
    assert [(project / name).read_bytes() for name in ("README.md", "results/words.json")] == before


def test_a_run_replaces_the_same_run_only(project: Path) -> None:
    results([], root=project)
    config = stored(project)[1]["config"]
    make_run(project, "words", "lstm", 1, {"test/loss": 9.0})
    results([], root=project)
    assert [run["metrics"]["test/loss"] for run in stored(project) if run["rnn"] == "lstm"] == [9.0, 2.2]
    make_run(project, "words", "lstm", 1, {"test/loss": 8.0}, config=config | {"rnn": {"cell": "lstm", "hidden_size": 128}})
    results([], root=project)
    assert sorted(run["metrics"]["test/loss"] for run in stored(project) if run["rnn"] == "lstm") == [2.2, 8.0, 9.0]
    readme = (project / "README.md").read_text()
    assert "LSTM (hidden_size 64)" in readme
    assert "LSTM (hidden_size 128)" in readme


def test_what_killed_ones_had_not_finished_is_removed(project: Path) -> None:
    """Also of a file that is not written again, and of a process whose number another has by now."""
    results([], root=project)
    files = ("README.md", "results/words.json", "results/gone.json", "docs/page.md", "docs/pictures/one.png")
    left = [project / Path(file).parent / f".{Path(file).name}.elsewhere-1.tmp" for file in files]
    for file in left:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    results([], root=project)
    assert not [file for file in left if file.exists()]


def test_trials_are_stored_where_they_are_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = {"rnn": {"cell": "lstm", "hidden_size": 8}}
    make_run(project, "words", "gru", 2, {"test/loss": 1.0}, commit="0123-dirty")
    trial = make_run(project, "words", "lstm", 1, {"test/loss": 1.5}, name="1a2b3c4d", config=config)
    (named := trial.parents[1] / "lstm-1a2b3c4d").mkdir()
    trial.rename(named / "1")
    results([], root=project)
    assert [(run["rnn"], run["seed"]) for run in stored(project)] == [("gru", 1), ("lstm", 2)]
    said = "words/lstm-1a2b3c4d/1 is not stored: its settings are not those of the files; `python -m pipelines.results words/"
    assert f"{said}lstm-1a2b3c4d` stores it\n" in (err := capsys.readouterr().err)
    assert "words/gru/2 is not stored: its code is not that of its commit; " in err
    with pytest.raises(
        ValueError, match=r"runs/words/elman has no finished run; name one of \['gru', 'lstm', 'lstm-1a2b3c4d'\]"
    ):
        results(["words/elman"], root=project)
    results(["words/lstm-1a2b3c4d", "words/gru"], root=project)
    assert sorted(run["metrics"]["test/loss"] for run in stored(project)) == [1.0, 1.5, 2.1, 2.2]
    assert capsys.readouterr().err == "" and results([], root=project) is None and capsys.readouterr().err == ""
    assert len(stored(project)) == 4


def test_other_words_make_no_other_run(project: Path) -> None:
    results([], root=project)
    config = stored(project)[1]["config"]
    words = {"task": config["task"] | {"title": "Words, said better"}}
    later = config | words | {"trainer": config["trainer"] | {"strategy": "auto"}}
    make_run(project, "words", "lstm", 1, {"test/loss": 9.0}, config=later)
    results([], root=project)
    kept = {run["seed"]: run["metrics"]["test/loss"] for run in stored(project) if run["rnn"] == "lstm"}
    assert kept == {1: 9.0, 2: 2.2} and len(stored(project)) == 3
    assert "| LSTM | 6 ± 43 | 2 |" in (project / "README.md").read_text()


def test_a_stray_folder_stops_nothing(project: Path) -> None:
    (project / "runs/a_task_of_before/lstm/1").mkdir(parents=True)
    results([], root=project)
    assert len(stored(project)) == 3
    with pytest.raises(ValueError, match="task must be one of "):
        results(["a_task_of_before"], root=project)
    assert [file.name for file in (project / "results").iterdir()] == ["words.json"]


def test_results_outlive_the_runs(project: Path) -> None:
    results([], root=project)
    (project / "runs" / "words" / "gru" / "1" / "metrics.json").unlink()
    results([], root=project)
    assert len(stored(project)) == 3


def test_a_page_that_disagrees_is_named_and_not_changed(project: Path) -> None:
    results([], root=project)
    assert stale(project) == []
    readme = project / "README.md"
    wrong = readme.read_text().replace("2.15", "1.15")
    readme.write_text(wrong)
    assert stale(project) == ["README.md"]
    assert readme.read_text() == wrong


def test_the_command_fails_where_they_disagree(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "argv", ["results", "--check"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: a page shows results of words, but results/words.json does not exist\n"
    results([], root=project)
    assert main() == 0
    assert capsys.readouterr().err == ""
    (project / "README.md").write_text(README)
    assert main() == 1
    page = "error: README.md does not show what is stored; `python -m pipelines.results` writes it anew\n"
    assert capsys.readouterr().err == page
    assert (project / "README.md").read_text() == README


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["wordz"], "task must be one of letters, words, not 'wordz'"),
        (["letters"], "runs/letters has no finished run to store, and there is no results/letters.json"),
    ],
)
def test_what_cannot_be_stored_is_one_line(project: Path, arguments: list[str], said: str) -> None:
    make_task(project, "letters")
    (project / "README.md").unlink()
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-m", "pipelines.results", *arguments]
    outcome = subprocess.run(command, cwd=project, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=False)
    assert (outcome.returncode, outcome.stderr.count("\n")) == (2, 1)
    assert outcome.stderr.startswith("error: ") and said in outcome.stderr


def test_a_project_without_pages_stores_its_runs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "README.md").unlink()
    make_task(project, "letters")
    (project / "runs/letters").mkdir(parents=True)
    results([], root=project)
    assert capsys.readouterr().out == "results/words.json: 3 runs\n" and len(stored(project)) == 3


def test_a_copied_folder_is_said_to_be_one(project: Path) -> None:
    shutil.copytree(project / "runs/words/gru", project / "runs/words/copied")
    said = r"copied has no finished run: 1 is a copy of gru/1: .*; name one of \['gru', 'lstm'\]"
    with pytest.raises(ValueError, match=said):
        results(["words/copied"], root=project)


def test_a_file_with_an_incomplete_run_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "words.json"
    file.write_text('{"runs": [{"rnn": "lstm"}]}')
    with pytest.raises(ValueError, match=r"words.json: lacks label, seed"):
        read_results(file)


def test_the_pages_of_this_project_show_what_is_stored() -> None:
    root = Path(__file__).resolve().parent.parent
    assert stale(root) == [], "run `python -m pipelines.results`"
