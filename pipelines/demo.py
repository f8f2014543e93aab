"""Try finished runs on a page in the browser: ``python -m pipelines.demo run=runs/ewt/bilstm/1 run=runs/unipen/lstm/1``.

A sentence and its tags; a translation with its beam and its attention; a text continued; a word drawn with the mouse and read
while it is drawn; and the picture of `pipelines.microscope`, where there is one. Without ``run=``, the best run of each task
in ``runs/``, by validation, is there. Ctrl-C ends it.
"""

import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from pipelines.settings.base import Settings, validate
from pipelines.settings.collector import collect_as_usual
from pipelines.settings.compose import CONF, exit_on_user_error
from pipelines.settings.overrides import check_once, parse
from pipelines.settings.usage import keys_of

if TYPE_CHECKING:
    from pipelines.trying.models import Trial

RUNS, DATA = Path("runs"), Path("data")


class Demo(Settings):
    """Which runs are tried, and where the page is."""

    run: list[str] = Field(default=[], description="the folder of an evaluated run; given once or more, or not at all")
    host: str = Field(default="127.0.0.1", description="the address to listen on; 0.0.0.0 is every one of this machine")
    port: int = Field(default=8090, ge=0, le=65_535)


def read_words(words: Sequence[str]) -> Demo:
    """The settings KEY=VALUE, of which ``run=FOLDER`` may be given more than once.

    Raises:
        ValueError: for what is none, or given twice.
    """
    others = [word for word in words if not word.startswith("run=")]
    check_once(others)
    runs = list(dict.fromkeys(word.removeprefix("run=").rstrip("/") for word in words if word.startswith("run=")))
    text = dict(word.split("=", 1) for word in others if word.startswith("host="))
    parsed = [parse(word) for word in others if not word.startswith("host=")]
    return validate(Demo, {"run": runs} | text | {each.key_or_group: each.value() for each in parsed})


def trials(folders: Sequence[Path]) -> "list[Trial]":
    """The runs in ``folders``.

    Raises:
        ValueError: where one holds no evaluated run, or there are none.
    """
    from pipelines.runs.folders import given_run
    from pipelines.settings.tasks import read_card, task_of_runs
    from pipelines.trying.models import Trial

    found = []
    for folder in folders:
        run = given_run(folder)
        name = run.config["task_name"]
        task = task_of_runs(CONF, name, [run.config], read_card(DATA, name))
        found.append(Trial(folder, run, task, DATA / "processed" / name))
    if not found:
        raise ValueError(f"{RUNS}/ has no evaluated runs: train and evaluate one, or give run=FOLDER")
    return found


def best_of_each_task() -> list[Path]:
    """The folders of the runs in ``runs/`` that are best on validation, one a task."""
    from pipelines.runs.folders import folder_of, read_runs
    from pipelines.settings.tasks import read_card, task_of_runs
    from rnn_lightning.files import read_json

    best = []
    for name in sorted(path.name for path in RUNS.iterdir() if path.is_dir()) if RUNS.is_dir() else ():
        runs = read_runs(RUNS, name)[0]
        if runs:
            metric = task_of_runs(CONF, name, [run.config for run in runs], read_card(DATA, name)).metric
            folders = [folder_of(RUNS, name, run.folder_name, run.seed) for run in runs]
            best.append(min(folders, key=lambda each: metric.sort_key(read_json(each / "training.json")["best_value"])))
    return best


def check_address(host: str, port: int) -> None:
    """Refuse an address that cannot be listened on.

    Raises:
        ValueError: where another process has it, or it is none of this machine.
    """
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        raise ValueError(f"{host}:{port} cannot be listened on ({error.strerror}): give another port=, or host=") from None


def demo(arguments: Sequence[str]) -> None:
    """Show the page until the process is interrupted or ended."""
    settings = read_words(arguments)
    tried = trials([Path(folder) for folder in settings.run] or best_of_each_task())
    try:
        from nicegui import ui

        from pipelines.trying.page import build
    except ModuleNotFoundError as error:
        if error.name != "nicegui":
            raise
        raise ValueError("the page needs nicegui: pip install 'rnn-lightning[demo]'") from None
    check_address(settings.host, settings.port)
    print(f"http://{settings.host}:{settings.port} (Ctrl-C ends it)", flush=True)
    where = {"host": settings.host, "port": settings.port}
    collect_as_usual()
    with suppress(KeyboardInterrupt):  # the server gives it on, when the page is closed
        ui.run(lambda: build(tried), **where, reload=False, show=False, show_welcome_message=False)


if __name__ == "__main__":
    exit_on_user_error(lambda: demo(sys.argv[1:]), keys=lambda: keys_of(Demo), resumes=False)
