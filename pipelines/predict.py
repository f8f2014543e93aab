"""Answer the lines of standard input by a run: ``python -m pipelines.predict run=runs/multi30k_de_en/lstm/1 < lines``.

``run`` may also be a folder that was exported as safetensors, or ``hub:OWNER/NAME@REVISION``, one on the Hugging Face Hub;
``run=[FOLDER, FOLDER]`` is an ensemble. A line is what the run's predictor takes: a text; the name of a sound or picture file;
the strokes of a pen or an array in JSON; numbers of tokens; with ``score=true`` a source, a tab and a target. Further
arguments are ``format``, the options of its ``load``, and their limits, as `pipelines.serve` has them; ``attention=FILE.png``
(or .svg) draws what the answers looked at. A line that is not UTF-8, or that the predictor cannot take, is answered like an
empty one; an error names it, and in the end the exit code is 1.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, create_model

from pipelines.runs.remarks import say_of_run
from pipelines.settings.base import validate
from pipelines.settings.compose import exit_on_user_error
from pipelines.settings.overrides import check_once, parse
from pipelines.settings.usage import keys_of
from rnn_lightning.hub import local_folder
from rnn_lightning.items.limits import LIMITED, LIMITS, check_options
from rnn_lightning.items.lines import LineReader, standard_input
from rnn_lightning.predictors import PREDICTORS, Answer, Predictor, load_predictor, predictor_class

MOST_PANELS = 12
"""Lines whose attention one picture has room for."""
PICTURES = (".png", ".svg")
Picture = Annotated[str, Field(description="FILE.png or FILE.svg, a picture of it")]
LIMITS_HERE = ("max_steps", "max_beam")
"""The limits of a server that options have here too; of lines there may be any number, and each of any length."""


def reader(options: Mapping[str, Any]) -> LineReader:
    """What answers lines by the run in the folder ``options["run"]``.

    Raises:
        FileNotFoundError: where the folder holds no evaluated run.
        ValueError: for an option or value that the run's predictor does not have.
    """
    given = dict(options)
    if not given.get("run"):
        raise ValueError(
            "run=FOLDER must name the folder of an evaluated run, such as runs/dates/gru/1 or runs/dates/gru-NAME/1"
        )
    folder, *others = map(local_folder, folders_of(given.pop("run")))
    kind = predictor_class(folder)
    say_of_run(folder)
    if others:
        if "ensemble" not in signature(kind.load).parameters:
            raise ValueError("run=[...] is an ensemble of translations or transcriptions: give this kind of run alone")
        if "ensemble" in given:
            raise ValueError("run=[...] is an ensemble already: leave ensemble out")
        given["ensemble"] = [str(other) for other in others]
    checked = validate(options_of(kind), given).model_dump()
    form, attention = checked.pop("format"), checked.get("attention", False)
    limits = {name: checked.pop(name) for name in LIMITS_HERE if name in checked}
    check_options(checked, limits)
    if isinstance(attention, str):
        check_picture(attention)
        predictor = load_predictor(folder, **checked | {"attention": True})
        return PicturedLines(predictor, form, Path(attention))
    if attention and form != "json":
        raise ValueError("attention=true needs format=json, text has no place for it; attention=FILE.png draws it")
    return LineReader(form=form, predictor=load_predictor(folder, **checked))


class PicturedLines(LineReader):
    """Lines whose answers come with attention, of which the first `MOST_PANELS` are drawn to a ``file``."""

    def __init__(self, predictor: Predictor[Any], form: str, file: Path) -> None:
        super().__init__(predictor, form)
        self.file, self.seen = file, dict[int, Answer]()

    def shown(self, number: int, answer: Answer) -> Iterator[str]:
        if answer.get("attention"):
            self.seen[number] = answer if len(self.seen) < MOST_PANELS else {}
        return super().shown(number, answer)

    def draw(self) -> None:
        """Write the picture: a panel a line, and a word on standard error where there are more lines than it has room for.

        Raises:
            ValueError: where no line has attention, or the file cannot be written.
        """
        from pipelines.kinds.pictures import Attended, attention_maps

        if not self.seen:
            raise ValueError(f"attention={self.file}: no line was answered, so that there is nothing to draw")
        panels = []
        for number, answer in list(self.seen.items())[:MOST_PANELS]:
            weights = np.array(answer["attention"], np.float32)
            panels.append(Attended(weights, answer.get("source"), answer["target"], f"line {number}"))
        attention_maps(panels, self.file)
        if not self.file.exists():
            raise ValueError(f"attention={self.file} was not written: give a file that can be")
        if len(self.seen) > MOST_PANELS:
            print(f"{self.file} has the first {MOST_PANELS} of {len(self.seen)} lines", file=sys.stderr)


def check_picture(name: str) -> None:
    """Refuse what is no name of a picture in a folder that is there.

    Raises:
        ValueError: saying what may be given.
    """
    file = Path(name)
    if file.suffix not in PICTURES:
        raise ValueError(f"attention={name} must be true, false, or the file of a picture: FILE.png or FILE.svg")
    if not file.parent.is_dir():
        raise ValueError(f"attention={name}: there is no folder {file.parent}: make it, or give another")


def folders_of(run: Any) -> list[str]:
    """The folders that ``run`` names: one, or several as ``[FOLDER, FOLDER]``.

    Raises:
        ValueError: for a list of none.
    """
    text = str(run)
    if not (text.startswith("[") and text.endswith("]")):
        return [text]
    folders = [part.strip() for part in text[1:-1].split(",")]
    if not all(folders):
        raise ValueError(f"run={text} must be a folder, or [FOLDER, FOLDER] of an ensemble")
    return folders


def options_of(predictor: type[Predictor[Any]]) -> type[BaseModel]:
    """The options of the command for a class of predictors: the keywords of its ``load``, the format of answers, and their
    limits."""
    types, parameters = get_type_hints(predictor.load), signature(predictor.load).parameters
    options = {name: each.default for name, each in parameters.items() if name != "folder"}
    types |= {"attention": bool | Picture} if "attention" in types else {}
    fields: dict[str, Any] = {name: (types[name], default) for name, default in options.items()}
    formats = Literal[predictor.formats]  # pyright: ignore[reportInvalidTypeForm]
    fields["format"] = (formats, predictor.formats[0])
    limited = {LIMITED[name] for name in options if name in LIMITED}
    fields |= {name: (int, Field(default=LIMITS[name], ge=1)) for name in LIMITS_HERE if name in limited}
    return create_model("Options", __config__=ConfigDict(extra="forbid", strict=True), **fields)


def all_keys() -> dict[str, str]:
    """The options of the command, with the kinds of predictors that have each."""
    kinds: dict[str, dict[str, list[str]]] = {}
    for kind, predictor in PREDICTORS.items():
        for key, allowed in keys_of(options_of(predictor)).items():
            kinds.setdefault(key, {}).setdefault(allowed, []).append(kind)
    texts = {key: "; ".join(f"{text} ({', '.join(of)})" for text, of in having.items()) for key, having in kinds.items()}
    return {"run": "the folder of an evaluated run, such as runs/dates/gru/1, or hub:OWNER/NAME@REVISION"} | texts


def read_options(arguments: Sequence[str]) -> dict[str, Any]:
    """The options KEY=VALUE: the folder of the run as it is written, all else as on the command line of a stage.

    Raises:
        ValueError: for what is no option, and one that is given twice.
    """
    check_once(arguments)
    options: dict[str, Any] = {}
    for argument in arguments:
        if argument.startswith("run="):
            options["run"] = argument.removeprefix("run=")
        else:
            parsed = parse(argument)
            options[parsed.key_or_group] = parsed.value()
    return options


def predict(arguments: Sequence[str]) -> None:
    """Answer standard input on standard output, line by line."""
    lines = reader(read_options(arguments))
    for answer in lines.answer(standard_input()):
        print(answer, flush=True)
    if isinstance(lines, PicturedLines):
        lines.draw()
    if lines.refused:
        raise SystemExit(1)


if __name__ == "__main__":
    exit_on_user_error(lambda: predict(sys.argv[1:]), keys=all_keys, resumes=False)
