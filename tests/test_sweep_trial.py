"""What the folder of a trial says of the process that worked there."""

import json
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.runs.processes import start_time
from pipelines.sweeping.trial import OUTCOME, PROCESS, TrialSpec, end_process, has_saved, run_trial
from rnn_lightning.systems.durable import LAST


@pytest.mark.parametrize(
    ("begun", "saved", "expected"), [(10, 20, True), (20, 10, False), (10, None, False), (None, 20, False)]
)
def test_a_trial_has_saved_what_is_newer_than_its_process(
    tmp_path: Path, begun: int | None, saved: int | None, expected: bool
) -> None:
    for name, when in ((PROCESS, begun), (LAST, saved)):
        if when is not None:
            (tmp_path / name).touch()
            os.utime(tmp_path / name, (when, when))
    assert has_saved(tmp_path) == expected


@pytest.mark.parametrize(("host", "late", "ended"), [(None, 0.0, True), ("elsewhere", 0.0, False), (None, 60.0, False)])
def test_only_the_very_process_that_is_named_is_ended(tmp_path: Path, host: str | None, late: float, ended: bool) -> None:
    """Numbers of processes are given again, and another machine has numbers of its own."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as sleeper:
        told = {"pid": sleeper.pid, "born": start_time(sleeper.pid) - late, "host": host or platform.node()}
        (tmp_path / PROCESS).write_text(json.dumps(told))
        end_process(tmp_path)
        assert (sleeper.poll() is not None) == ended or (ended and sleeper.wait(10) is not None)
        sleeper.kill()


def test_a_folder_without_a_process_has_none_to_end(tmp_path: Path) -> None:
    end_process(tmp_path)


def test_a_trial_that_cannot_write_says_so_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    values: Any = dict.fromkeys(TrialSpec._fields) | {"number": 3, "folder": tmp_path / "file"}
    before = signal.getsignal(signal.SIGINT)
    run_trial(TrialSpec(**values))
    signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err.startswith("trial 3 stops: [Errno ") and OUTCOME not in os.listdir(tmp_path)
