"""Garbage is collected seldom while a command imports, and as usual once it trains or answers."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

BEGIN = """
import gc, weakref
from pipelines.settings import collector

class Node:
    pass

def forgotten_cycle():
    node = Node()
    node.itself = node
    return weakref.ref(node)

before = gc.get_freeze_count()
collector.collect_seldom()
"""


def run(program: str) -> str:
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([sys.executable, "-c", BEGIN + program], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(("work", "collected"), [("", False), ("collector.collect_as_usual()", True)])
def test_cycles_are_collected_in_time_only_once_work_has_begun(work: str, collected: bool) -> None:
    program = f"{work}\ncycle = forgotten_cycle()\nkept = [[] for _ in range(20_000)]\nprint(cycle() is None)"
    assert run(program) == str(collected)


def test_work_begins_once_and_what_was_there_is_looked_through_no_more() -> None:
    program = "collector.collect_as_usual()\nfirst = gc.get_freeze_count()\ncollector.collect_as_usual()\n"
    program += "collector.collect_seldom()\nprint(before == 0 < first, first >= gc.get_freeze_count(), gc.get_threshold())"
    assert run(program) == "True True (700, 10, 10)"


def test_what_code_of_ones_own_leaves_open_is_closed_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compressed file of an object that refers to itself."""
    monkeypatch.setenv("RNN_LIGHTNING_LOGGERS", "my_package")
    file = tmp_path / "text.gz"
    program = f"import gzip\ncollector.collect_as_usual()\nnode = Node()\nnode.file = gzip.open({str(file)!r}, 'wt')\n"
    run(f"{program}node.itself = node\nnode.file.write('all of it')")
    assert gzip.decompress(file.read_bytes()) == b"all of it"
