"""Files of lines, CSV and JSON, checked as a whole before they are read: errors name the file and the line."""

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Any

from ..files import read_lines
from .corpus import CorpusError

WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
REAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
KINDS = ("int64", "float64", "string")
"""The types of a column, from the narrowest on."""
LONGEST_CELL = 1 << 30
LARGEST = 3.4028234663852886e38
"""The largest number of single precision."""
TOO_LARGE = "beyond 3.4e38, the largest number of single precision: give it in larger units"


def text_lines(path: Path) -> int:
    """The number of lines of a text file.

    Raises:
        CorpusError: where it is empty, or no UTF-8; names the line.
    """
    try:
        count = sum(1 for _ in read_lines(path))
    except ValueError as error:
        raise CorpusError(str(error)) from None
    if not count:
        raise CorpusError(f"{path} is empty")
    return count


def separator_of(path: Path) -> str:
    """What separates columns in a file of this name."""
    return "\t" if path.suffix.lower() == ".tsv" else ","


def csv_columns(
    paths: Sequence[Path], separator: str, texts: Sequence[str] = (), classes: Sequence[str] = ()
) -> dict[str, Any]:
    """The options by which ``datasets`` reads files of CSV with one heading: among them the type of each column.

    A column of nothing but whole numbers is of these, one of numbers of real ones (an empty cell is none), any other is text,
    and so are ``texts``, and ``classes`` that are not all whole numbers. Where columns are separated by tabs, quotes are part
    of the text.

    Raises:
        CorpusError: for a file without a row, another heading, or a line with more or fewer columns than it; names the line.
    """
    from datasets import Features, Value

    kinds: dict[str, int] = {}
    for path in paths:
        rows = csv_rows(path, separator)
        _, heading = next(rows, (0, []))
        if not heading:
            raise CorpusError(f"{path} is empty: a file of CSV begins with the names of its columns")
        if len(heading) == 1 and re.search("[;\t|]", heading[0]):
            raise CorpusError(f"{path}:1 has one column, {heading[0]!r}: set separator to what is between its columns")
        if (kinds and [*kinds] != heading) or len(set(heading)) < len(heading):
            wanted = f", but {[*kinds]} as {paths[0]}" if kinds else ", each once"
            raise CorpusError(f"{path}:1 has the columns {heading}; a file of CSV begins with the names of its columns{wanted}")
        kinds = kinds or dict.fromkeys(heading, 0)
        if not sum(_widen(kinds, path, line, row) for line, row in rows):
            raise CorpusError(f"{path} is empty: it has no row below its heading")
    text = KINDS.index("string")
    kinds |= {name: text for name in kinds if name in texts or (name in classes and kinds[name])}
    features = Features({name: Value(KINDS[kind]) for name, kind in kinds.items()})
    quoting = csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL
    more = {"sep": separator, "quoting": quoting, "keep_default_na": False, "na_values": [""], "encoding": "utf-8-sig"}
    return {"features": features, **more}


def csv_rows(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a file of CSV with the number of the line that each ends on; blank lines are none.

    Raises:
        CorpusError: for a quote that is not closed, or closed before the end of its cell; names the line where it opens.
    """
    csv.field_size_limit(LONGEST_CELL)
    quoting = csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader, before = csv.reader(file, delimiter=separator, quoting=quoting, strict=True), 0
        try:
            for row in reader:
                before = reader.line_num
                if row:
                    yield before, row
        except UnicodeDecodeError:
            text_lines(path)
        except csv.Error as error:
            if (opened := _open_quote(path, separator, before, reader.line_num)) is None:
                raise CorpusError(f"{path}:{reader.line_num} is no CSV: {error}") from None
            said = 'begins with a quote and does not end with one; write "" for a quote inside'
            raise CorpusError(f"{path}:{opened} has a cell that {said}") from None


def _open_quote(path: Path, separator: str, before: int, end: int) -> int | None:
    """The line of the first cell that begins with a quote and does not end with one, in the row behind the line ``before``."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        row = "".join(islice(file, before, end))
    mark = re.escape(separator)
    cell = re.compile(rf'(?:"(?:[^"]|"")*+"|[^"{mark}\r\n][^{mark}\r\n]*|)(?:{mark}|\r\n?|\n|\Z)')
    place = 0
    while place < len(row) and (found := cell.match(row, place)):
        place = found.end()
    if not row.startswith('"', place):
        return None
    return before + 1 + len(re.findall(r"\r\n?|\n", row[:place]))


def _widen(kinds: dict[str, int], path: Path, line: int, row: Sequence[str]) -> int:
    """Have ``kinds`` hold the cells of a row too; 1, the row.

    Raises:
        CorpusError: where the row has not a cell for each of them.
    """
    if len(row) != len(kinds):
        raise CorpusError(f"{path}:{line} has {len(row)} columns, not {len(kinds)} as the heading: {', '.join(kinds)}")
    for name, cell in zip(kinds, row, strict=True):
        if kinds[name] < 1 and not WHOLE.fullmatch(cell):
            kinds[name] = 1
        if kinds[name] < 2 and cell and not REAL.fullmatch(cell):
            kinds[name] = 2
    return 1


def check_numbers(paths: Sequence[Path], separator: str, columns: Mapping[str, str | None]) -> None:
    """Refuse a cell that is no number of single precision, in columns of a name or pattern of ``columns``.

    These say what to do about an empty one; ``None``: nothing, it may be.

    Raises:
        CorpusError: naming the first, and its line.
    """
    for path in paths:
        rows = csv_rows(path, separator)
        _, heading = next(rows)
        places = {place: columns[key] for place, name in enumerate(heading) for key in columns if fnmatchcase(name, key)}
        for line, row in rows:
            for place, empty in places.items():
                if reason := _why_no_number(row[place], empty):
                    raise CorpusError(f"{path}:{line}: {row[place]!r} in column {heading[place]!r} is {reason}")


def _why_no_number(cell: str, empty: str | None) -> str:
    """Why a ``cell`` is no number of single precision; nothing where it is one, or may be ``empty``."""
    if not cell:
        return "" if empty is None else f"no number: {empty}"
    if not REAL.fullmatch(cell):
        return "no number"
    return "" if abs(float(cell)) <= LARGEST else TOO_LARGE


def json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a file of JSON, one a line, with the numbers of their lines; none of a file that is a single array.

    Raises:
        CorpusError: for a line that is no JSON object; names it.
    """
    for number, line in enumerate(read_lines(path), start=1):
        if number == 1 and not line.lstrip().startswith("{"):
            return
        try:
            row = json.loads(line) if line.strip() else None
        except json.JSONDecodeError as error:
            raise CorpusError(f"{path}:{number} is no JSON: {error}") from None
        if row is not None:
            if not isinstance(row, dict):
                raise CorpusError(f'{path}:{number} is no JSON object, such as {{"text": "..."}}')
            yield number, row


def check_json(paths: Sequence[Path], columns: Sequence[str] = ()) -> None:
    """Refuse the first line that is no JSON object, in files of one a line, or has a word for a number in the ``columns``.

    Raises:
        CorpusError: naming it.
    """
    for path in paths:
        for number, row in json_rows(path):
            for column in columns:
                for value in _values_in(row.get(column)):
                    real = isinstance(value, int | float)
                    if not real or LARGEST < abs(value) < math.inf:
                        reason = TOO_LARGE if real else "no number"
                        raise CorpusError(f"{path}:{number}: {value!r} in column {column!r} is {reason}")


def _values_in(value: Any) -> Iterator[Any]:
    """What is not none in nested lists."""
    if isinstance(value, list):
        for each in value:
            yield from _values_in(each)
    elif value is not None:
        yield value


def explanation(error: BaseException) -> str:
    """The first line of what an exception was raised from."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return " ".join(str(error).split())[:300] or type(error).__name__
