"""Fetching from the Hub ends well or in one line, and never half way: against a fake Hub that fails on request.

The client reads its address and its cache's folder at import, so every fetch is a process of its own.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_hub import COMMIT, ROWS
from pyarrow import parquet

from rnn_lightning.files import sha256

SERVER = Path(__file__).with_name("fake_hub.py")
UNREACHABLE = "http://127.0.0.1:9"
FETCH = """
import json, sys
from pathlib import Path
from rnn_lightning.corpora import CorpusError, HubSource, fetch_from_hub
raw, *sources = sys.argv[1:]
for number, source in enumerate(sources):
    try:
        arguments = json.loads(source)
        fetch_from_hub(HubSource(**arguments | {"record": Path(arguments["record"])}), Path(raw) / str(number))
        print("fetched")
    except CorpusError as error:
        print(error)
"""


def source(folder: Path, **changes: Any) -> str:
    """The arguments of a `HubSource` as JSON."""
    plain = {"repository": "tiny/lines", "config": "default", "revision": "main", "tries": 4, "wait": 0.0}
    return json.dumps({**plain, "record": str(folder / "record.json"), **changes})


def fetch(folder: Path, fault: dict[str, Any] | None, *sources: str, **environment: str) -> list[str]:
    """Fetch ``sources`` to ``folder``/0, 1, ... in one process; what came of each. Without ``fault`` there is no Hub."""
    command = [sys.executable, "-c", FETCH, str(folder), *sources]
    if fault is not None:
        command = [sys.executable, str(SERVER), json.dumps(fault), *command]
    variables = {"HF_HOME": str(folder / "cache"), "HF_HUB_DISABLE_TELEMETRY": "1", "HF_ENDPOINT": UNREACHABLE}
    finished = subprocess.run(
        command, env={**os.environ, **variables, **environment}, capture_output=True, text=True, check=False
    )
    lines = finished.stdout.splitlines()
    assert len(lines) == len(sources), finished.stderr
    return lines


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a good fetch in ``0``, its record and its cache."""
    folder = tmp_path_factory.mktemp("fetched")
    assert fetch(folder, {}, source(folder, rows={split: len(rows) for split, rows in ROWS.items()})) == ["fetched"]
    return folder


def test_a_fetch_holds_the_rows_and_says_where_they_come_from(fetched: Path) -> None:
    noted = json.loads((fetched / "0" / "source.json").read_text())
    assert noted == json.loads((fetched / "record.json").read_text())
    assert (noted["commit"], noted["licence"]) == (COMMIT, "cc0-1.0")
    for split, rows in ROWS.items():
        path = fetched / "0" / f"{split}.parquet"
        assert parquet.read_table(path)["text"].to_pylist() == rows
        assert (noted["rows"][split], noted["files"][path.name]) == (len(rows), sha256(path))


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"fail": [1, 4]}, id="busy_early", marks=pytest.mark.slow),
        pytest.param({"fail": [7, 11, 16]}, id="busy_late"),
        pytest.param({"cut": True}, id="cut_bodies", marks=pytest.mark.slow),
    ],
)
def test_a_passing_fault_leaves_no_trace(fault: dict[str, Any], fetched: Path, tmp_path: Path) -> None:
    assert fetch(tmp_path, fault, source(tmp_path)) == ["fetched"]
    assert contents(tmp_path / "0") == contents(fetched / "0")


def test_a_lost_hub_ends_in_one_line_and_the_next_fetch_completes(fetched: Path, tmp_path: Path) -> None:
    (line,) = fetch(tmp_path, {"gone_after": 2}, source(tmp_path, tries=2))
    assert all(word in line for word in ("in 2 tries", "http://127.0.0.1", "HF_ENDPOINT", "HF_HOME"))
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]
    assert fetch(tmp_path, {}, source(tmp_path)) == ["fetched"]
    assert contents(tmp_path / "0") == contents(fetched / "0")


def test_without_a_network_the_cache_serves(fetched: Path) -> None:
    before = contents(fetched / "0")
    shutil.rmtree(fetched / "0")
    assert fetch(fetched, None, source(fetched), HF_HUB_OFFLINE="1") == ["fetched"]
    assert contents(fetched / "0") == before


def test_without_a_network_and_a_cache_the_error_says_what_to_do(tmp_path: Path) -> None:
    (line,) = fetch(tmp_path, None, source(tmp_path, tries=2))
    assert all(word in line for word in ("in 2 tries", UNREACHABLE, "network", "HF_ENDPOINT", "HF_HOME"))
    assert not (tmp_path / "0").exists()


def test_what_no_retry_would_mend_ends_at_once_and_in_one_line(tmp_path: Path) -> None:
    table = [
        ({"revision": "gone"}, "at gone: no such revision"),
        ({"repository": "tiny/gone"}, "tiny/gone (default) at main: no such data set"),
        ({"config": "gone"}, "BuilderConfig 'gone' not found. Available: ['default']"),
        ({"rows": {"train": 5}}, "split 'train' has 4 rows, expected 5"),
        ({"rows": {"dev": 5}}, "no split 'dev'; it has ['test', 'train', 'validation']"),
    ]
    lines = fetch(tmp_path, {}, *(source(tmp_path, **changes, tries=99, wait=99.0) for changes, _ in table))
    for (_, expected), line in zip(table, lines, strict=True):
        assert expected in line
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_another_configuration_under_one_record_is_named_and_nothing_has_changed(fetched: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    record.write_bytes((fetched / "record.json").read_bytes())
    (line,) = fetch(tmp_path, {}, source(tmp_path, splits={"train": "test"}))
    assert line.startswith(f"{record} is the record of another configuration (splits was None, is {{'train': 'test'}}): give")
    assert line.endswith("task.corpus.record another file, or remove this one") and "has changed" not in line
    assert record.read_bytes() == (fetched / "record.json").read_bytes() and not (tmp_path / "0").exists()


def test_other_bytes_than_recorded_stop_the_fetch(fetched: Path, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    record.write_bytes((fetched / "record.json").read_bytes())
    (line,) = fetch(tmp_path, {"rows": {**ROWS, "train": ["another\n"]}}, source(tmp_path))
    expected = json.loads(record.read_text())["files"]["train.parquet"]
    assert line.startswith("train.parquet of tiny/lines has changed") and str(record) in line
    assert f"expected {expected}, got " in line and not line.split("got ")[1].startswith(expected)
    assert line.endswith(f"; remove {record} to take what is there now")
    assert record.read_bytes() == (fetched / "record.json").read_bytes()
    assert not (tmp_path / "0").exists()
