"""Pages of the documentation's site that are made of other files: README.md, a page for each task, and the API.

A page is its text by its path in the site; those of docs/ are there by themselves.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipelines.display.numbers import number
from pipelines.documenting.pages import Documentation
from pipelines.documenting.tables import results_table
from pipelines.settings.tasks import Task, read_task, task_names

LINK = re.compile(r"(?P<before>!?\[(?P<label>[^\]\[]*)\])\((?P<target>[^)\s]+)\)")
CODE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
MADE_OF = {"index.md": "README.md", "changes.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
"""Pages of the site that are files of the project's root."""
OPTIONS = "    options: {filters: ['!^_'], heading_level: 1, show_root_heading: true, show_root_full_path: true}"
API = (
    "systems",
    "models",
    "recurrent",
    "search",
    "ctc",
    "crf",
    "data",
    "corpora",
    "predictors",
    "metrics",
    "microscope",
    "laws",
)
"""The rooms of the library that have a page."""


def pages(documentation: Documentation) -> dict[str, str]:
    """All pages that are made, by their path in the site."""
    root = documentation.root
    made = {page: (root / file).read_text(encoding="utf-8") for page, file in MADE_OF.items()}
    found = {page: with_links(text, "", documentation.root) for page, text in made.items()}
    tasks = {name: read_task(root / "conf", name) for name in task_names(root / "conf")}
    found |= {f"tasks/{name}.md": task_page(documentation, task) for name, task in tasks.items()}
    found["tasks/index.md"] = task_list(tasks)
    return found | {f"api/{room}.md": f"::: rnn_lightning.{room}\n{OPTIONS}\n" for room in API}


def with_links(text: str, folder: str, root: Path) -> str:
    """``text`` of a page in the ``folder`` of the project, with the links of the site; none to a file that is not in it.

    Pages of docs/ are at the top of the site, task files are the pages of their tasks.
    """
    parts = CODE.split(text)
    return "".join(
        part if number % 2 else LINK.sub(lambda link: _moved(link, folder, root), part) for number, part in enumerate(parts)
    )


def _moved(link: re.Match[str], folder: str, root: Path) -> str:
    target, mark, anchor = link["target"].partition("#")
    if "://" in target or not target:
        return link[0]
    file = (root / folder / target).resolve().relative_to(root.resolve()).as_posix()
    pages_of_files = {name: page for page, name in MADE_OF.items()}
    if file.startswith("conf/task/"):
        place = f"tasks/{Path(file).stem}.md"
    elif file.startswith("docs/"):
        place = file.removeprefix("docs/")
    else:
        place = pages_of_files.get(file, "")
    return f"{link['before']}({place}{mark}{anchor})" if place else link["label"]


def task_page(documentation: Documentation, task: Task) -> str:
    """What a task is, its stored results, the commands that make them again, and its settings."""
    return "\n\n".join(_task_parts(documentation, task)) + "\n"


def _task_parts(documentation: Documentation, task: Task) -> Iterator[str]:
    yield f"# {task.title}"
    yield task.description
    stored = documentation.stored
    best = "lstm"
    if task.variant is not None:
        yield f"A variant of the task [{task.variant.of}]({task.variant.of}.md), whose page has its results too."
    elif task.name in stored.tasks:
        yield "## Results\n\nMeans over seeds with 95% intervals; `make results` writes this table from stored runs."
        yield results_table(stored, task.name)
        best = stored.rows(task.name)[0].runs[0].rnn
    else:
        yield "There are no stored results of this task."
    known = [f"- {one.name}: {number(one.value)} ({one.source})" for one in task.references]
    yield from ["## To compare with", "\n".join(known)] if known else []
    words = f"task={task.name} rnn={best}"
    lines = [f"rnn fetch task={task.name}", f"rnn preprocess task={task.name}"]
    lines += [f"rnn train {words} seeds=3", f"rnn evaluate {words} seeds=3", f"rnn predict run=runs/{task.name}/{best}/1"]
    yield "## Train it\n\n```sh\n" + "\n".join(lines) + "\n```"
    settings = (documentation.root / "conf/task" / f"{task.name}.yaml").read_text(encoding="utf-8")
    yield f"## Settings\n\n`conf/task/{task.name}.yaml`; every value can be set on the command line.\n\n```yaml\n{settings}```"


def task_list(tasks: Mapping[str, Task]) -> str:
    """A page with a line for every task."""
    rows = [
        f"| [{name}]({name}.md) | {task.title} | {task.metric.name.removeprefix('test/')} |" for name, task in tasks.items()
    ]
    return "\n".join(["# Tasks", "", "| task | title | metric |", "| :-- | :-- | :-- |", *rows, ""])
