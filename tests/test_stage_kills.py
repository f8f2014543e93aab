"""Stages, DVC and `make repro` killed at random times: nothing stays behind, and the next go completes with equal outputs.

``KILLS=30 python -m pytest -m slow tests/test_stage_kills.py`` kills as often as it says; `benchmarks.kill_stages` kills more.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
KILLS = int(os.environ.get("KILLS", "1"))
CASES = (
    "train adding",
    "preprocess clinc",
    "evaluate phonemes",
    "compare",
    "train seeds side by side",
    "train ddp",
    "dvc repro",
    "make repro",
    "reproduce",
)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_killed_command_leaves_nothing_behind_and_the_next_completes(case: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.kill_stages", "--kills", str(KILLS), "--seed", "2", "--out", "out.json"]
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, case], cwd=tmp_path, env=os.environ | paths, check=True)
    found = json.loads((tmp_path / "out.json").read_text())[case]
    assert found["killed"] == KILLS
    assert not any(found[name] for name in ("orphans", "leaked", "different", "failed")), found
