"""What a command prints may find no reader, or no space: one line says so, or nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HELP = [sys.executable, "-m", "pipelines.compare", "--help"]
MANY = "from pipelines.settings.compose import exit_on_user_error; exit_on_user_error(lambda: print('x' * 100_000, flush={}))"


@pytest.mark.parametrize("command", [HELP, *([sys.executable, "-c", MANY.format(flush)] for flush in (True, False))])
@pytest.mark.parametrize("reader", ["gone", "full"])
def test_output_that_cannot_be_written_is_told(command: list[str], reader: str) -> None:
    read, write = os.pipe() if reader == "gone" else (os.open("/dev/null", os.O_RDONLY), os.open("/dev/full", os.O_WRONLY))
    os.close(read)
    ended = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ, check=False)
    os.close(write)
    expected = {
        "gone": (141, ""),
        "full": (2, "error: standard output cannot be written: No space left on device\n"),
    }
    assert (ended.returncode, ended.stderr) == expected[reader]
