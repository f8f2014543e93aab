"""Answer the lines of standard input by a run: ``python -m pipelines.predict run=runs/multi30k_de_en/lstm/1 < lines``.

A line is what the run's predictor takes: a text; the name of a sound or picture file; the strokes of a pen or an array in JSON;
numbers of tokens. Further arguments are ``format`` and the options of its ``load``. A line that is not UTF-8, or that the
predictor cannot take, is answered like an empty one; an error names it, and in the end the exit code is 1.
"""

import inspect
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, BinaryIO, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model

from pipelines.settings.base import validate
from pipelines.settings.compose import exit_on_user_error
from pipelines.settings.overrides import check_once, parse
from pipelines.settings.usage import keys_of
from rnn_lightning.predictors import PREDICTORS, Answer, Predictor, load_predictor, predictor_class
from rnn_lightning.predictors.inputs import NOTHING, Encoded

SHOWN = 80


class LineReader:
    """Answers the lines of a stream in batches, or one by one where a person types; ``refused`` counts the bad ones."""

    def __init__(self, predictor: Predictor[Any], form: str) -> None:
        self.predictor, self.form, self.refused = predictor, form, 0

    def answer(self, stream: BinaryIO) -> Iterator[str]:
        """What to print for each line of ``stream``."""
        numbered, size = enumerate(stream, start=1), 1 if stream.isatty() else self.predictor.batch_size
        most = size if size == 1 else self.predictor.pool * size
        while batch := list(islice(numbered, size)):
            size = min(2 * size, most)  # the first answers come soon
            answers = self.predictor.answer([self.encoded(line, number) for number, line in batch])
            for (number, _), answer in zip(batch, answers, strict=True):
                yield from self.shown(number, answer)

    def encoded(self, line: bytes, number: int) -> Encoded:
        """The item of a line; nothing, with an error on standard error, for a bad one."""
        text = ""
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")  # files may begin with a mark
            return self.predictor.inputs.encode(text)
        except UnicodeDecodeError as error:
            print(f"error: line {number} is not UTF-8 at byte {error.start + 1}", file=sys.stderr)
        except ValueError as error:
            name = text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
            print(f"error: line {number}, {name}: {error}", file=sys.stderr)
        self.refused += 1
        return NOTHING

    def shown(self, number: int, answer: Answer) -> Iterator[str]:
        """The output for line ``number``: one line, or of a list of the best one each."""
        if self.form == "json":
            yield json.dumps({"line": number, **answer}, ensure_ascii=False)
        elif "n_best" in answer:
            yield from (f"{number}\t{ranked['score']:.4f}\t{ranked['text']}" for ranked in answer["n_best"])
        else:
            yield self.predictor.text(answer, self.form)


def reader(options: Mapping[str, Any]) -> LineReader:
    """What answers lines by the run in the folder ``options["run"]``.

    Raises:
        FileNotFoundError: where the folder holds no evaluated run.
        ValueError: for an option or value that the run's predictor does not have.
    """
    given = dict(options)
    if "run" not in given:
        raise ValueError(
            "run=FOLDER must name the folder of an evaluated run, such as runs/dates/gru/1 or runs/dates/gru-NAME/1"
        )
    folder = str(given.pop("run"))
    checked = validate(options_of(predictor_class(folder)), given).model_dump()
    return LineReader(form=checked.pop("format"), predictor=load_predictor(folder, **checked))


def options_of(predictor: type[Predictor[Any]]) -> type[BaseModel]:
    """The options of the command for a class of predictors: the keywords of its ``load``, and the format of answers."""
    types, parameters = get_type_hints(predictor.load), inspect.signature(predictor.load).parameters
    options = {name: each.default for name, each in parameters.items() if name != "folder"}
    fields: dict[str, Any] = {name: (types[name], default) for name, default in options.items()}
    formats = Literal[predictor.formats]  # pyright: ignore[reportInvalidTypeForm]
    fields["format"] = (formats, predictor.formats[0])
    return create_model("Options", __config__=ConfigDict(extra="forbid", strict=True), **fields)


def all_keys() -> dict[str, str]:
    """The options of the command, with the kinds of predictors that have each."""
    kinds: dict[str, dict[str, list[str]]] = {}
    for kind, predictor in PREDICTORS.items():
        for key, allowed in keys_of(options_of(predictor)).items():
            kinds.setdefault(key, {}).setdefault(allowed, []).append(kind)
    texts = {key: "; ".join(f"{text} ({', '.join(of)})" for text, of in having.items()) for key, having in kinds.items()}
    return {"run": "the folder of an evaluated run, such as runs/dates/gru/1"} | texts


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
    for answer in lines.answer(sys.stdin.buffer):
        print(answer, flush=True)
    if lines.refused:
        raise SystemExit(1)


if __name__ == "__main__":
    exit_on_user_error(lambda: predict(sys.argv[1:]), keys=all_keys)
