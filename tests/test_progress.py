"""How far a work has come: lines, notes to the process that draws, and bars on a terminal."""

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.display import progress as module
from pipelines.display.progress import FOLDER, Progress, State, noted
from pipelines.preprocess import CountedWorkers
from rnn_lightning.workers import Workers


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)


def test_lines_come_after_a_while_and_say_how_much_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with Progress("lstm seed 1", 1200, "steps") as work:
        work.begin(200)
        for done in range(201, 801):
            now[0] += 0.125
            work.reach(done, "val/loss 0.5")
    assert capsys.readouterr().err.splitlines() == [
        "lstm seed 1: 440 of 1,200 steps, 1.6 min left, val/loss 0.5",
        "lstm seed 1: 680 of 1,200 steps, 1.1 min left, val/loss 0.5",
    ]
    assert work.ended() == "lstm seed 1: 800 of 1,200 steps in 1.2 min, val/loss 0.5"


def test_of_an_unknown_total_only_the_count_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "BETWEEN_LINES", 0.0)
    with Progress("fetch", None, "rows") as work:
        work.reach(4096)
        work.total = 5000
        work.reach(5000, left=3.0)
    assert capsys.readouterr().err == "fetch: 4,096 rows\nfetch: 5,000 of 5,000 rows, 3 s left\n"


def test_a_process_notes_how_far_it_is_to_the_one_that_draws(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setattr(module, "BETWEEN_NOTES", 0.0)
    with Progress("one", 10, "steps") as work:
        work.reach(5, "val/loss 2", left=7.0)
        assert noted(tmp_path) == [State("one", 5, 10, "steps", 7.0, "val/loss 2")]
    assert noted(tmp_path) == [] and not list(tmp_path.iterdir()) and not capsys.readouterr().err


def test_notes_of_processes_that_are_gone_or_half_written_are_none(tmp_path: Path) -> None:
    state = State("one", 1, 2, "steps", None)
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    (tmp_path / f"{gone.pid}-1.json").write_text(json.dumps(state))
    (tmp_path / f"{os.getpid()}-1.json").write_text('["one", 1')
    assert noted(tmp_path) == []


def test_a_drawer_that_is_gone_costs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path / "gone"))
    monkeypatch.setattr(module, "BETWEEN_NOTES", 0.0)
    with Progress("one", 10, "steps") as work:
        work.reach(5)
        work.reach(6)


SCRIPT = """
import subprocess, sys, time
from pipelines.display.progress import Progress
CHILD = '''
import time
from pipelines.display import progress
progress.BETWEEN_NOTES = 0.0
with progress.Progress("child", 4, "trials") as work:
    work.reach(1)
    time.sleep(1.5)
    print("said by a child", flush=True)
'''
with Progress("parent", 1000, "steps") as work:
    child = subprocess.Popen([sys.executable, "-c", CHILD])
    work.reach(250)
    child.wait()
    print("said by itself")
print("afterwards", work.done)
"""


def test_a_terminal_has_a_bar_for_each_process_below_what_they_print() -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120"}
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 10_000)
            except OSError:  # the terminal is closed
                break
            shown += part
            if not part:
                break
    os.close(ours)
    text = shown.decode()
    assert process.returncode == 0, text
    assert "250 of 1,000 steps" in text and "1 of 4 trials" in text and "━" in text and " left" in text
    assert text.index("1 of 4 trials") < text.index("said by a child") < text.index("said by itself")
    assert text.replace("\r", "").endswith("afterwards 250\n") and "\0" not in text


def test_rows_are_counted_as_often_as_they_are_gone_through() -> None:
    with Progress("preprocess", None, "rows") as work:
        workers = CountedWorkers(Workers(1), work, rows=10)
        for passes in (1, 2):
            assert [part for part, _ in workers.map(len, range(7), at_once=5)] == [[0, 1, 2, 3, 4], [5, 6]]
            assert (work.done, work.total) == (7 * passes, 10 * passes)
