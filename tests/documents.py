"""README.md and docs/ as tests read them: their fenced blocks, links and headings, and the commands of a shell block."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>.+?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
CODE_WORDS = re.compile(r"`([^`]+)`")
"""What stands between backticks."""
RECORD = """#!/bin/bash
/bin/cat > /dev/null
printf '%s\\x1f' "${0##*/}" "$@" >> "$CALLS"
printf '\\x1e' >> "$CALLS"
"""
"""Stands for a program: reads its input to the end, notes its name and arguments, and does nothing."""
HARMLESS = ("ls", "cat", "mkdir", "sort", "base64")
"""Programs that are what they are."""


class Block(NamedTuple):
    """A fenced block of a page; ``reason`` says why it is not run, where it is not."""

    page: Path
    line: int
    language: str
    text: str
    reason: str | None

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


class Call(NamedTuple):
    """A program that a shell block starts."""

    program: str
    arguments: list[str]


def blocks(*languages: str) -> list[Block]:
    """All fenced blocks in these languages, in the order of the pages."""
    found = [(page, match) for page in PAGES for match in FENCE.finditer(page.read_text(encoding="utf-8"))]
    made = [
        Block(page, match.string[: match.start("text")].count("\n"), match["language"], match["text"], match["reason"])
        for page, match in found
    ]
    return [block for block in made if not languages or block.language in languages]


def calls_of(text: str, folder: Path, programs: Sequence[str]) -> list[Call]:
    """The calls of ``programs`` that bash makes of a shell block, run in ``folder``; none of them does anything.

    Raises:
        AssertionError: where bash refuses the block, or it starts a program that is not one of these.
    """
    stubs, record = folder / ".stubs", folder / ".calls"
    stubs.mkdir(exist_ok=True)
    for program in programs:
        (stubs / program).write_text(RECORD)
        (stubs / program).chmod(0o755)
    for program in HARMLESS:
        (stubs / program).unlink(missing_ok=True)
        (stubs / program).symlink_to(f"/bin/{program}")
    record.write_text("")
    environment = {"PATH": str(stubs), "CALLS": str(record), "HOME": str(folder)}
    command = ["/bin/bash", "-euo", "pipefail", "-c", text]
    streams: Any = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    done = subprocess.run(command, cwd=folder, env=environment, check=False, **streams)
    assert done.returncode == 0, done.stderr
    records = record.read_text().split("\x1e")[:-1]
    return [Call(program, arguments) for program, *arguments in (each.split("\x1f")[:-1] for each in records)]


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def links(page: Path) -> list[str]:
    """The targets of all links and pictures of a page."""
    return re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text(encoding="utf-8")))
