"""Garbage is collected seldom while a command imports, as usual once it trains or answers, and not as Python ends."""

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


def test_what_a_command_has_written_is_there_when_it_ends(tmp_path: Path) -> None:
    file = tmp_path / "text"
    run(f"opened = open({str(file)!r}, 'w')\nopened.write('all of it')\nprint('end')")
    assert file.read_text() == "all of it"
