"""Answers to the lines of a stream."""

import json
import sys
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

from ..symbols import UNKNOWN_TOKEN
from .base import ERROR, Answer, Answerer
from .inputs import NOTHING, Encoded
from .scores import UNKNOWN

SHOWN = 80
"""Characters of a line that an error shows."""


def standard_input() -> BinaryIO:
    """Standard input, as bytes.

    Raises:
        ValueError: where it is closed.
    """
    if sys.stdin is None:
        raise ValueError("standard input is closed: give it lines, such as < lines.txt")
    return sys.stdin.buffer


class LineReader:
    """Answers the lines of a stream in batches, or one by one where a person types; ``refused`` counts the bad ones."""

    def __init__(self, predictor: Answerer, form: str) -> None:
        self.predictor, self.form, self.refused = predictor, form, 0

    def answer(self, stream: BinaryIO) -> Iterator[str]:
        """What to print for each line of ``stream``."""
        numbered, size = enumerate(stream, start=1), 1 if stream.isatty() else self.predictor.batch_size
        most = size if size == 1 else self.predictor.pool * size
        while batch := list(islice(numbered, size)):
            size = min(2 * size, most)  # the first answers come soon
            answers = self.predictor.answer_each([self.encoded(line, number) for number, line in batch])
            for (number, _), answer in zip(batch, answers, strict=True):
                yield from self.shown(number, self.checked(number, answer))

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

    def checked(self, number: int, answer: Answer) -> Answer:
        """The answer to line ``number``; that to nothing, with an error on standard error, where there is none."""
        if ERROR not in answer:
            return answer
        print(f"error: line {number}: {answer[ERROR]}", file=sys.stderr)
        self.refused += 1
        return self.predictor.no_answer()

    def shown(self, number: int, answer: Answer) -> Iterator[str]:
        """The output for line ``number``: one line, or of a list of the best one each; what is unknown of it is warned of."""
        if unknown := answer.get(UNKNOWN):
            parts = ", ".join(map(repr, unknown))
            print(f"warning: line {number}: the vocabulary lacks {parts}: scored as {UNKNOWN_TOKEN}", file=sys.stderr)
        if self.form == "json":
            yield json.dumps({"line": number, **answer}, ensure_ascii=False)
        elif "n_best" in answer:
            yield from (f"{number}\t{ranked['score']:.4f}\t{ranked['text']}" for ranked in answer["n_best"])
        else:
            yield self.predictor.text(answer, self.form)
