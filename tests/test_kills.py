"""Sweeps whose processes are killed at random, in a shorter form than the benchmark's, on both databases."""

import importlib
import shutil
from pathlib import Path

import pytest

KILLS = 4


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_no_trial_is_lost_or_counted_twice_whoever_is_killed(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`study` refuses a sweep that hangs, has too many or too few trials, and a database that fails its own check."""
    server = list(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")) or shutil.which("pg_ctl")
    if database == "postgresql" and not server:
        pytest.skip("PostgreSQL is not here: apt-get install postgresql")
    monkeypatch.syspath_prepend(Path(__file__).resolve().parent.parent)
    found = importlib.import_module("benchmarks.kills").study(database, KILLS, seed=2)
    assert sum(found["killed"].values()) == KILLS
    over = sum(found["states"].get(state, 0) for state in ("complete", "pruned", "given up"))
    assert over == found["sweeps"] * found["trials_each"]
    assert found["integrity"] == "ok"
