"""What a person gives a run and sees of it, for each kind of predictor."""

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import events, run, ui

from pipelines.trying import views
from pipelines.trying.asking import Asking
from pipelines.trying.models import NO_OPTIONS, Trial
from pipelines.trying.pen import Drawing

View = Callable[[dict[str, Any]], str]
HYPOTHESES = 5
LONGEST = 2_000
"""Characters of a text that is answered: a long one would keep everybody waiting."""
SHEET = (720, 220)
"""Width and height of what a person draws on, in pixels."""


def panel(trial: Trial) -> None:
    """What is right for the predictor of ``trial``."""
    if trial.input_name == "strokes" and trial.kind == "recognition":
        _drawing(trial)
    else:
        {"tagging": _tagging, "translation": _translation, "language": _language}.get(trial.kind, _anything)(trial)


async def answer(trial: Trial, item: Any, shown: ui.html, view: View, options: Mapping[str, Any] = NO_OPTIONS) -> None:
    """Show what ``view`` makes of the answer to ``item``, or why there is none."""
    if isinstance(item, str) and len(item) > LONGEST and not trial.takes_files:
        shown.content = views.error(f"{len(item):,} characters, and this page answers at most {LONGEST:,}: use rnn predict")
        return
    try:
        found = await run.io_bound(trial.answer, item, options)
        shown.content = view(found or {})  # it is None where the page is gone
    except ValueError as error:
        shown.content = views.error(str(error))


def _text(label: str, example: str) -> ui.input:
    return ui.input(label, value=example).props("outlined clearable").classes("w-full")


def _busy() -> ui.spinner:
    """What says that an answer is awaited."""
    return ui.spinner("dots", size="2rem").props('role="status" aria-label="answering"')


def _result() -> ui.html:
    return ui.html("", sanitize=False)  # `views` escapes all text


def _tagging(trial: Trial) -> None:
    words = _text("Sentence", trial.example or "")
    busy, shown = _busy(), _result()

    async def show() -> None:
        await answer(trial, words.value or "", shown, views.tagged)

    asking = Asking(show, busy)
    words.on_value_change(asking)
    ui.timer(0, asking.now, once=True)


def _translation(trial: Trial) -> None:
    source = _text("Text", trial.example or "")
    with ui.row().classes("items-center gap-8 mt-4"):
        ui.label("beam size")
        beam = ui.slider(min=1, max=12, value=HYPOTHESES).props("label-always snap markers").classes("w-64")
    busy, shown, looked = _busy(), _result(), _result()

    async def show() -> None:
        size = int(beam.value or HYPOTHESES)
        options = {"beam_size": size, "n_best": min(HYPOTHESES, size), "scores": True}
        await answer(trial, source.value or "", shown, views.ranked, options)
        if trial.attends and not asking.superseded:
            await answer(trial, source.value or "", looked, _looked, {"beam_size": size, "attention": True})

    asking = Asking(show, busy)
    for element in (source, beam):
        element.on_value_change(asking)
    ui.timer(0, asking.now, once=True)


def _looked(found: dict[str, Any]) -> str:
    return views.attention(found["source"], found["target"], found["attention"]) if found.get("attention") else ""


def _language(trial: Trial) -> None:
    prompt = _text("Beginning", trial.example[:60] if trial.example else "")
    with ui.row().classes("items-center gap-8 mt-4"):
        ui.label("temperature")
        temperature = ui.slider(min=0, max=1.5, step=0.1, value=0.7).props("label-always").classes("w-48")
        ui.label("tokens")
        length = ui.slider(min=10, max=500, step=10, value=200).props("label-always").classes("w-48")
    busy, shown = _busy(), _result()

    async def show() -> None:
        text = prompt.value or ""
        options = {"temperature": temperature.value, "length": int(length.value or 0)}
        await answer(trial, text, shown, lambda found: views.continued(text, found["text"]), options)

    asking = Asking(show, busy)
    for element in (prompt, temperature, length):
        element.on_value_change(asking)
    ui.timer(0, asking.now, once=True)


def _drawing(trial: Trial) -> None:
    drawing = Drawing()
    ui.label("Write with the mouse or a finger; the text is read while it is written.")
    busy, shown = _busy(), _result()

    async def show() -> None:
        if drawing.strokes:
            await answer(trial, drawing.upwards(), shown, views.recognised)

    asking = Asking(show, busy)

    async def follow(event: events.MouseEventArguments) -> None:
        if drawing.take(event.type, event.image_x, event.image_y):
            sheet.content = drawing.svg()
            await asking()

    def clear() -> None:
        drawing.clear()
        sheet.content, shown.content = "", ""

    pen = ["mousedown", "mousemove", "mouseup"]
    sheet = ui.interactive_image(size=SHEET, events=pen, on_mouse=follow, sanitize=False).classes("sheet")
    ui.button("Clear", on_click=clear).props("flat")


def _anything(trial: Trial) -> None:
    item = ui.textarea("Item, as a request to the server has it", value=trial.example or "").classes("w-full font-mono")
    item.props("outlined autogrow input-style='max-height: 12em'")
    busy, shown = _busy(), _result()

    async def show() -> None:
        if item.value:
            await answer(trial, item.value, shown, views.classified if trial.kind == "classification" else views.plain)

    async def take(event: events.UploadEventArguments) -> None:
        item.value = trial.as_request(await event.file.read())

    asking = Asking(show, busy)
    item.on_value_change(asking)
    if trial.takes_files:
        ui.upload(label="or a file", on_upload=take, auto_upload=True)
    ui.timer(0, asking.now, once=True)
