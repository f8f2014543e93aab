"""The page: a tab for each run, with what it is, what can be tried, and what it remembers."""

from collections.abc import Sequence
from pathlib import Path

from nicegui import app, ui

from pipelines.display.numbers import number, short
from pipelines.trying.models import Trial
from pipelines.trying.panels import panel

STYLE = Path(__file__).with_name("demo.css")
MICROSCOPE = Path("reports/microscope")
PICTURE = "microscope.png"


def build(trials: Sequence[Trial], microscope: Path = MICROSCOPE) -> None:
    """Lay the page out; the picture of ``rnn microscope`` is shown where there is one."""
    ui.add_css(STYLE)
    ui.page_title("rnn-lightning")
    ui.label("rnn-lightning").classes("text-2xl font-medium")
    with ui.row().classes("w-full no-wrap gap-8"):
        with ui.tabs().props("vertical no-caps").classes("runs") as tabs:
            each = [(ui.tab(str(trial.folder), label=trial.title), trial) for trial in trials]
            memory = ui.tab("memory", label="Memory") if (microscope / PICTURE).exists() else None
        with ui.tab_panels(tabs, value=each[0][0]).classes("w-full max-w-5xl").props("keep-alive vertical"):
            for tab, trial in each:
                with ui.tab_panel(tab):
                    _run(trial)
            if memory is not None:
                with ui.tab_panel(memory):
                    _memory(microscope)


def _run(trial: Trial) -> None:
    name = trial.task.metric.name
    ui.label(trial.task.description).classes("text-gray-700")
    ui.label(f"{trial.folder}: {short(trial.run.parameters)} parameters, {name} {number(trial.run.metrics[name])}").classes(
        "text-sm text-gray-500"
    )
    panel(trial)


def _memory(folder: Path) -> None:
    ui.label(
        "The gradient of the loss at a row's last step with respect to the states before, gates that are nearly shut or "
        "open, and singular values from state to state: python -m pipelines.microscope run=FOLDER makes the picture."
    ).classes("text-gray-700")
    app.add_static_files("/microscope", folder)
    ui.image(f"/microscope/{PICTURE}").classes("w-full")
