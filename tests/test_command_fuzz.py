"""Random command lines end within 20 seconds and 2 GB, with exit code 0, or 2 and lines that say what is wrong."""

import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from command_fuzz import DONE, EITHER, REFUSED, TOLD, Line, lines
from command_worker import Told, Worker, worker
from small_project import TASKS, copy_project, make_runs

SEED = 15
MOST_SECONDS, MOST_MEGABYTES, LONGEST = 20, 2_000, 1_200
"""Of a command, and how many characters of a line on standard error are still clear."""


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Worker, Path, Path]]:
    """What runs commands, the project that they run in, with runs of some tasks, and another one as it was at first."""
    folder = tmp_path_factory.mktemp("fuzz")
    project = copy_project(folder / "project")
    with worker(project) as made:
        make_runs(project, made, request.param)
        shutil.copytree(project, folder / "first")
        yield made, project, folder / "first"


def ended(line: Line, place: tuple[Worker, Path, Path]) -> Told:
    """How the command ends in the project as it was at first."""
    made, project, first = place
    shutil.rmtree(project)
    shutil.copytree(first, project)
    if line.damage:
        line.damage(project)
    return made.run(line.command, line.words, project)


def fault(line: Line, told: Told) -> str:
    """What is wrong with the end of a command; nothing where it is as it must be."""
    if told.seconds > MOST_SECONDS or told.megabytes > MOST_MEGABYTES:
        return "takes too much"
    if "Traceback" in told.err or "Traceback" in told.out:
        return "traceback"
    if told.code not in {DONE: (0,), REFUSED: (2,), EITHER: (0, 2), TOLD: (0, 2)}[line.end]:
        return f"ends with {told.code}"
    errors = re.findall(r"^.*\berror: .*$", told.err, re.MULTILINE)
    if told.code == 2 and (not errors or any(len(error) > LONGEST for error in errors)):
        return "says nothing clear"
    said = told.err if told.code else told.err + told.out
    if line.end in (REFUSED, TOLD) and line.names and not any(name in said for name in line.names):
        return "does not name what is wrong"
    return ""


def check(some: Sequence[Line], place: tuple[Worker, Path, Path], most: float) -> None:
    ends: Counter[str] = Counter()
    faults = []
    for line in some:
        told = ended(line, place)
        wrong = fault(line, told)
        ends[f"{line.end}, {wrong or 'right'}"] += 1
        if wrong:
            faults.append(f"{wrong}: {line.command} {line.words} ({line.end} {line.names}): {told}"[:2000])
    print(*(f"{count:5} {end}" for end, count in sorted(ends.items())), sep="\n")
    assert len(faults) <= most * len(some), "\n".join(faults)


@pytest.mark.slow
@pytest.mark.parametrize("place", [TASKS[:1]], indirect=True)
def test_a_few_random_lines(place: tuple[Worker, Path, Path]) -> None:
    of_these = [line for line in lines(30, SEED) if not any(task in word for task in TASKS[1:] for word in line.words)]
    check(of_these[:4], place, most=0)


@pytest.mark.slow
@pytest.mark.parametrize("place", [TASKS], indirect=True)
def test_a_thousand_random_lines(place: tuple[Worker, Path, Path]) -> None:
    check(lines(1000, SEED), place, most=0)
