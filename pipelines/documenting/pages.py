"""Pages of Markdown, README.md and docs/*.md, with blocks that a command writes: everything between two markers.

A block is ``<!-- KIND:ARGUMENT -->``, what was written, ``<!-- /KIND -->``. The kinds are ``results:TASK`` (a task's table),
``headlines:TASK ...`` (a line for each task), ``picture:NAME TASK ...`` (docs/pictures/NAME.png), ``map:FOLDER`` (its modules),
``cells:FILE`` (what was measured of each cell), ``learned:TASK ...`` (a line for each architecture, a column for each task),
``measured:NAME`` (what benchmarks/NAME.json has).
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from pipelines.documenting import cells, modules, tables
from pipelines.documenting.measured import measured
from pipelines.documenting.tables import StoredResults

KINDS = ("results", "headlines", "picture", "map", "cells", "learned", "measured")
BLOCK = re.compile(rf"(<!-- (?P<kind>{'|'.join(KINDS)}):(?P<argument>[^\n]+) -->\n).*?(<!-- /(?P=kind) -->)", re.DOTALL)
PICTURES = Path("docs/pictures")


@dataclass(frozen=True)
class Documentation:
    """The pages of the project in the folder ``root``, and the stored results that they show."""

    root: Path
    stored: StoredResults

    def pages(self) -> list[Path]:
        """README.md and every page of docs/."""
        return [self.root / "README.md", *sorted((self.root / "docs").glob("*.md"))]

    def stale_pages(self) -> dict[Path, str]:
        """Each page whose blocks are not what they should be, with the text that it should have.

        Raises:
            ValueError: for a task that does not exist or has no stored results, or a folder without modules.
            FileNotFoundError: where there is no README.md.
        """
        texts = {page: page.read_text(encoding="utf-8") for page in self.pages()}
        rendered = {page: self.render(page, text) for page, text in texts.items()}
        return {page: text for page, text in rendered.items() if text != texts[page]}

    def render(self, page: Path, text: str) -> str:
        """``text`` with every block written anew, for the place of ``page``."""

        def written(block: re.Match[str]) -> str:
            argument = block["argument"].strip()
            content = {
                "results": lambda: tables.results_table(self.stored, argument),
                "headlines": lambda: tables.headlines(self.stored, argument.split()),
                "picture": lambda: self._image(page, argument.split()),
                "map": lambda: modules.module_list(self.root / argument),
                "cells": lambda: cells.cost_table(self.root / argument),
                "learned": lambda: cells.learned_table(self.stored, argument.split()),
                "measured": lambda: measured(self.root, argument),
            }[block["kind"]]()
            return f"{block[1]}{content}\n{block[4]}"

        return BLOCK.sub(written, text)

    def pictures(self) -> dict[Path, list[str]]:
        """The file of each picture on a page, and the tasks that it shows."""
        blocks = [block for page in self.pages() for block in BLOCK.finditer(page.read_text(encoding="utf-8"))]
        arguments = [block["argument"].split() for block in blocks if block["kind"] == "picture"]
        return {self.root / PICTURES / f"{name}.png": tasks for name, *tasks in arguments}

    def stale_pictures(self) -> dict[Path, list[str]]:
        """The pictures whose file is missing, or drawn from other values than those that are stored now."""
        from pipelines.documenting import picture

        return {
            file: tasks
            for file, tasks in self.pictures().items()
            if picture.drawn_digest(file) != picture.digest([self.stored.rows(task) for task in tasks])
        }

    def draw(self, file: Path, tasks: list[str]) -> None:
        """Draw the picture of ``tasks`` into ``file``."""
        from pipelines.documenting import picture

        file.parent.mkdir(parents=True, exist_ok=True)
        picture.draw([self.stored.rows(task) for task in tasks], file)

    def _image(self, page: Path, argument: list[str]) -> str:
        """The link to a picture, with the words that stand for it where it cannot be seen."""
        name, *tasks = argument
        titles = "; ".join(self.stored.rows(task)[0].task.title for task in tasks)
        target = Path(os.path.relpath(self.root / PICTURES / f"{name}.png", page.parent)).as_posix()
        return f"![Test metric of each architecture with its 95% interval: {titles}]({target})"
