"""Back-off n-gram language models in files of the ARPA format, as SRILM and KenLM write them, to tables of n-grams."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .files import read_lines

BEGIN, END, UNKNOWN = "<s>", "</s>", ("<unk>", "<UNK>")
Gram = tuple[str, ...]


class Entry(NamedTuple):
    """An n-gram: the natural logarithms of its probability and of its back-off weight (0 where it has none)."""

    log_prob: float
    back_off: float


class Line(NamedTuple):
    """A line that is not empty, and ``where`` it stands."""

    where: str
    text: str


def read_arpa(path: str | Path) -> list[dict[Gram, Entry]]:
    """The n-grams of the file ``path`` by their order, unigrams first.

    Logarithms of the file are decimal. What stands before the line ``\\data\\`` is a comment.

    Raises:
        ValueError: for a file that is damaged or no ARPA file; names the line and what was expected there.
        FileNotFoundError: where there is no such file.
    """
    lines = _lines(Path(path))
    counts, line = _counts(lines, str(path))
    grams: list[dict[Gram, Entry]] = []
    for order, count in enumerate(counts, start=1):
        _expect(line, f"\\{order}-grams:")
        found, line = _section(lines, order, len(counts), grams)
        if len(found) != count:
            raise ValueError(f"{line.where} ends {len(found)} n-grams of order {order}, expected {count} as \\data\\ says")
        grams.append(found)
    _expect(line, "\\end\\")
    if missing := [word for word in (BEGIN, END) if (word,) not in grams[0]]:
        raise ValueError(f"{path} has no unigram {missing[0]}, which {'begins' if missing[0] == BEGIN else 'ends'} each text")
    return grams


def _lines(path: Path) -> Iterator[Line]:
    """The lines of the file that are not empty, and one for its end."""
    number = 0
    for number, text in enumerate(read_lines(path), start=1):
        if text.strip():
            yield Line(f"{path}:{number}", text.strip())
    yield Line(f"{path}:{number + 1}", "")


def _expect(line: Line, text: str) -> None:
    if line.text != text:
        raise ValueError(f"{line.where} {_said(line)}, expected {text}")


def _said(line: Line) -> str:
    return f"is {line.text[:60]!r}" if line.text else "is the end of the file"


def _counts(lines: Iterator[Line], path: str) -> tuple[list[int], Line]:
    """The numbers of n-grams that ``\\data\\`` promises, and the line after them."""
    if not any(line.text == "\\data\\" for line in lines):
        raise ValueError(f"{path} has no line \\data\\, with which the n-grams of an ARPA file begin")
    counts: list[int] = []
    for line in lines:
        if not line.text.startswith("ngram "):
            break
        order, equals, count = (part.strip() for part in line.text.removeprefix("ngram ").partition("="))
        if not equals or order != str(len(counts) + 1) or not count.isdecimal():
            raise ValueError(f"{line.where} {_said(line)}, expected ngram {len(counts) + 1}=COUNT")
        counts.append(int(count))
    else:
        raise AssertionError("the end of the file is a line")
    if not counts:
        raise ValueError(f"{line.where} {_said(line)}, expected ngram 1=COUNT")
    return counts, line


def _section(
    lines: Iterator[Line], order: int, highest: int, shorter: list[dict[Gram, Entry]]
) -> tuple[dict[Gram, Entry], Line]:
    """The n-grams of an ``order``, and the line after them; ``shorter`` are those of all orders before."""
    found: dict[Gram, Entry] = {}
    for line in lines:
        if line.text.startswith("\\") or not line.text:
            return found, line
        gram, entry = _entry(line, order, may_back_off=order < highest)
        if gram in found:
            raise ValueError(f"{line.where} has the n-gram {' '.join(gram)!r} a second time, expected another one")
        if shorter and (unknown := [word for word in gram if (word,) not in shorter[0]]):
            raise ValueError(f"{line.where} has {unknown[0]!r}, expected words of the unigrams alone")
        found[gram] = entry
    raise AssertionError("the end of the file is a line")


def _entry(line: Line, order: int, *, may_back_off: bool) -> tuple[Gram, Entry]:
    """The n-gram of a line: a logarithm, words and, of all orders but the highest, perhaps the logarithm of a weight."""
    fields = line.text.split()
    if len(fields) - order - 1 not in ((0, 1) if may_back_off else (0,)):
        more = " and perhaps a back-off weight" if may_back_off else ""
        raise ValueError(f"{line.where} has {len(fields)} fields, expected a logarithm, {order} words{more}")
    log_prob = _number(line, fields[0])
    if log_prob > 0:
        raise ValueError(f"{line.where} has the logarithm {fields[0]} of a probability, expected 0 at most")
    back_off = _number(line, fields[order + 1]) if len(fields) > order + 1 else 0.0
    return tuple(fields[1 : order + 1]), Entry(log_prob * math.log(10), back_off * math.log(10))


def _number(line: Line, field: str) -> float:
    try:
        number = float(field)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{line.where} has {field[:40]!r}, expected a finite number")
    return number
