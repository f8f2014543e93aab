"""Run folders that no stage has left: they count as missing, with the reason, and stop nothing else."""

import json
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest
from run_folders import make_run

from pipelines.runs.folders import read_points, read_run, read_runs
from rnn_lightning.files import read_json, write_sums

ROOT = Path(__file__).resolve().parent.parent


def test_a_copied_run_is_no_further_seed(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "words", "gru", 1, {"test/loss": 1.0})
    copytree(folder, folder.with_name("2"))
    finished, missing = read_runs(tmp_path / "runs", "words")
    assert [run.seed for run in finished] == [1]
    assert [(one.seed, one.reason) for one in missing] == [("2", "is a copy of gru/1: a run counts in its own folder alone")]


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("metrics.json", '{"test/loss": "0.1"}', "the metric test/loss is '0.1', which is no number"),
        ("metrics.json", '{"test/loss": true}', "the metric test/loss is True"),
        ("metrics.json", '{"test/loss": [1]}', "the metric test/loss is"),
        ("metrics.json", "[" * 200_000, "is not JSON"),
        ("training.json", {"config": 3}, "config is 3, which no stage writes"),
        ("training.json", {"parameters": "many"}, "parameters is 'many'"),
        ("training.json", {"seed": True}, "seed is True"),
    ],
)
def test_values_of_other_types_are_missing_runs(file: str, content: str | dict[str, object], said: str, tmp_path: Path) -> None:
    folder = make_run(tmp_path, "words", "gru", 1, {"test/loss": 1.0})
    text = content if isinstance(content, str) else json.dumps(read_json(folder / file) | content)
    (folder / file).write_text(text)
    write_sums(folder)
    with pytest.raises(ValueError, match=said.replace("[", r"\[")):
        read_run(folder)


def test_a_table_of_other_columns_is_no_table_of_curves(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "words", "gru", 1, {"test/loss": 1.0})
    (folder / "curves.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"curves.csv is no table of curves"):
        read_points(folder)


def test_the_digest_of_no_folder_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipelines.digest", "nowhere", str(tmp_path / "digest.json")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (
        2,
        "error: nowhere is no folder: give one that a stage has made, such as runs/dates/lstm\n",
    )
