"""What answers raw items: items encoded, batched by their lengths, and answered in their order."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from ..checks import check_counts, shown
from .inputs import Encoded, Inputs

Answer = dict[str, Any]
"""What is said of an item, in plain values that go to JSON."""
ERROR = "error"
"""The key of an answer that says why there is none."""


class Answerer(ABC):
    """What answers raw items that its ``inputs`` encode: text, words, sounds, pen strokes, pictures or arrays.

    Items of similar length are answered together, ``batch_size`` at once; answers do not depend on how, but for rounding.
    """

    formats: ClassVar[tuple[str, ...]] = ("text", "json")
    """The forms in which a command can print answers, the default first."""

    pool: ClassVar[int] = 1
    """Batches of items that are worth waiting for: a command that reads many lines answers so many batches together."""

    def __init__(self, inputs: Inputs, *, batch_size: int) -> None:
        """Answer what the ``inputs`` encode.

        Raises:
            ValueError: for a batch size below 1.
        """
        check_counts(batch_size=batch_size)
        self.inputs, self.batch_size = inputs, batch_size

    @abstractmethod
    def answer_batch(self, batch: Sequence[Encoded]) -> list[Answer]:
        """The answers to encoded items, none of them empty, in their order."""

    def __call__(self, items: Iterable[Any]) -> list[Answer]:
        """The answers to raw items, in their order.

        Raises:
            ValueError: for what is no list of items, or an item that cannot be encoded; names it by its number, from 0 on.
        """
        if not isinstance(items, Iterable) or isinstance(items, str | bytes):
            raise ValueError(f"items must be a list of them, such as predictor([item]), not {shown(items)}")
        return self.answer(self.encoded(items))

    def encoded(self, items: Iterable[Any], *, requested: bool = False) -> list[Encoded]:
        """Raw items as a network reads them; ``requested`` are those that strings of a request to a server stand for.

        Raises:
            ValueError: for one that cannot be encoded; names it by its number, from 0 on.
        """
        made = []
        for number, item in enumerate(items):
            try:
                made.append(self.inputs.encode(self.inputs.from_request(item) if requested else item))
            except ValueError as error:
                raise ValueError(f"item {number}: {error}") from None
            except (TypeError, AttributeError):
                raise ValueError(f"item {number}: {type(item).__name__} is no type of an item here: {shown(item)}") from None
        return made

    def answer(self, encoded: Sequence[Encoded]) -> list[Answer]:
        """The answers to encoded items, in their order.

        Raises:
            ValueError: for an item that there is no answer to; names it by its number, from 0 on.
        """
        answers = self.answer_each(encoded)
        for number, answer in enumerate(answers):
            if ERROR in answer:
                raise ValueError(f"item {number}: {answer[ERROR]}")
        return answers

    def answer_each(self, encoded: Sequence[Encoded]) -> list[Answer]:
        """The answers to encoded items, in their order; of an item that there is none to, the reason under `ERROR`."""
        lengths = [len(item.steps) for item in encoded]
        by_length = sorted((row for row, length in enumerate(lengths) if length), key=lengths.__getitem__)
        answers: dict[int, Answer] = {}
        for start in range(0, len(by_length), self.batch_size):
            rows = by_length[start : start + self.batch_size]
            answers |= zip(rows, self.answer_batch([encoded[row] for row in rows]), strict=True)
        return [answers[row] if length else self.no_answer() for row, length in enumerate(lengths)]

    def no_answer(self) -> Answer:
        """The answer to an item without a step."""
        return {"text": ""}

    def refusal(self, reason: str) -> Answer:
        """What stands for the answer to an item that there is none to."""
        return {**self.no_answer(), ERROR: reason}

    def text(self, answer: Answer, form: str = "text") -> str:
        """An answer in one of the ``formats`` but JSON; as ``text`` it is one line."""
        return answer["text"]
