"""What a corpus reads from the columns of a data set."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

PLACE = "file:line"
"""The column of local data in which each row states the file and line that it was read from, so that errors name these."""


class Column(NamedTuple):
    """A column, the setting ``key`` that names it, and what it ``holds``.

    A number column may be a pattern of names (``t*``). Rows of one unit, such as a document, are held out together; a unit that
    no key names need not be there. An empty cell of numbers is refused with the advice ``empty``, or stands for none where that
    is ``None``.
    """

    key: str | None
    name: str
    holds: Literal["text", "number", "class", "words", "media", "unit", "anything"] = "anything"
    empty: str | None = "give it a number"


def named(columns: Sequence[Column], holds: str) -> list[str]:
    """The names of the columns that hold this."""
    return [column.name for column in columns if column.holds == holds]


def given(key: str, name: str | None, holds: str = "anything") -> list[Column]:
    """The column of a setting, none where it is not set."""
    return [] if name is None else [Column(key, name, holds)]  # pyright: ignore[reportArgumentType]
