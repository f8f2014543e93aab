"""Lines of text in, answers out: what every model that reads text shares.

A line that is not UTF-8 is answered like an empty one, and named on standard error.
"""

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import BinaryIO

SEARCH = "search.json"
"""What tells a run of a translation task: how it searched."""
RECOGNIZED, CLASSIFIED, UTTERANCE = "recognized.txt", "classified.txt", "utterance.png"
"""What tells a run of a recogniser, of a classifier of rows, and of one of frames: what it found in the test split."""


class LineReader(ABC):
    """Reads a stream in batches of lines, or one by one where a person types; ``refused`` counts those that are no text."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size, self.refused = batch_size, 0

    @abstractmethod
    def respond(self, lines: Sequence[tuple[int, str]]) -> Iterator[str]:
        """What to print for numbered ``lines``, in their order."""

    def answer(self, stream: BinaryIO) -> Iterator[str]:
        """What to print for each line of ``stream``."""
        numbered = enumerate(stream, start=1)
        while batch := list(islice(numbered, 1 if stream.isatty() else self.batch_size)):
            yield from self.respond([(number, self.decoded(line, number)) for number, line in batch])

    def decoded(self, line: bytes, number: int) -> str:
        """The text of a line; empty, with an error on standard error, where it is not UTF-8."""
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError as error:
            print(f"error: line {number} is not UTF-8 at byte {error.start + 1}", file=sys.stderr)
            self.refused += 1
            return ""
