"""Dates in common spellings, to be translated to ISO 8601: a translation task that is learned in seconds.

Character-level date normalisation is the usual first task of sequence-to-sequence courses; the forms here are our own.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from .corpus import SPLITS, RawSplit
from .generated import GeneratedText
from .text import read_lines
from .translation import Tokens, write_translation

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NUMBERS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth"}
ORDINALS |= {"twelve": "twelfth", "twenty": "twentieth", "thirty": "thirtieth"}
FORMS = (
    "{day} {month} {year}",
    "{day} {mon} {year}",
    "{month} {day}, {year}",
    "{mon} {day}, {year}",
    "{month} {nth}, {year}",
    "{month} {nth} {year}",
    "{nth} {month} {year}",
    "{nth} of {month}, {year}",
    "the {nth} of {month} '{short}",
    "the {ordinal} of {month}, {year}",
    "{month} the {ordinal}, {year}",
    "{ordinal} {month}, {spelled}",
    "{day}-{mon}-{short}",
    "{day}/{number}/{short}",
    "{day}/{number}/{year}",
    "{day}.{number}.{year}",
    "{year}, {month} {day}",
)
"""Numbers alone stand for day, month, year. Half of the dates begin with their weekday."""
TENTHS = {"train": 8, "validation": 1, "test": 1}
"""How many tenths of the days each split draws from."""


class Dates(GeneratedText):
    """A pairs corpus of characters: "Tue, the 3rd of May '88" to "1988-05-03".

    Each split draws from days of its own: once each, and again in other forms once all are drawn. ``years`` are the first
    and the last year, at most a hundred, so that two digits tell the year.
    """

    def __init__(self, *, rows: Mapping[str, int], seed: int, years: Sequence[int] = (1950, 2049)) -> None:
        super().__init__(rows=rows, seed=seed)
        if len(years) != 2 or not 1900 <= years[0] <= years[1] <= min(2099, years[0] + 99):
            raise ValueError(f"years must be the first and the last of at most 100 between 1900 and 2099, not {list(years)}")
        self.years = [int(year) for year in years]

    def parameters(self) -> dict[str, Any]:
        return {"years": self.years}

    def days(self) -> dict[str, list[date]]:
        """The days of each split, none in two."""
        first, last = date(self.years[0], 1, 1), date(self.years[1], 12, 31)
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, len(SPLITS)])))
        shuffled = generator.permutation((last - first).days + 1)
        cuts = np.cumsum([tenths * len(shuffled) // 10 for tenths in TENTHS.values()])[:-1]
        parts = zip(TENTHS, np.split(shuffled, cuts), strict=True)
        return {split: [first + timedelta(int(day)) for day in days] for split, days in parts}

    def lines(self, split: str, generator: np.random.Generator) -> Iterable[str]:
        days = self.days()[split]
        drawn = [days[int(index)] for index in np.resize(generator.permutation(len(days)), self.rows[split])]
        return (f"{spelled_date(day, generator)}\t{day.isoformat()}" for day in drawn)

    def make(self, raw: Path, processed: Path, source: dict[str, Any]) -> None:
        texts = {}
        for split in SPLITS:
            cells = [line.split("\t") for line in read_lines(raw / f"{split}.txt")]
            texts[split] = [(form, iso) for form, iso in cells]
        title = f"Dates of {self.years[0]} to {self.years[1]}, English to ISO 8601"
        write_translation(processed, texts, title=title, source=source, tokens=Tokens("character"))

    def raw_split(self, raw: Path) -> RawSplit:
        return RawSplit("translation", [tuple(line.split("\t")) for line in read_lines(raw / "test.txt")])


def spelled_date(day: date, generator: np.random.Generator) -> str:
    """The day in one of the `FORMS`, drawn uniformly."""
    form = FORMS[int(generator.integers(len(FORMS)))]
    weekday, cut = WEEKDAYS[day.weekday()], generator.random()
    begin = "" if cut < 0.5 else f"{weekday}, " if cut < 0.75 else f"{weekday[:3]}, "
    month = MONTHS[day.month - 1]
    return begin + form.format(
        day=day.day,
        nth=f"{day.day}{suffix(day.day)}",
        ordinal=ordinal(day.day),
        month=month,
        mon=month[:3],
        number=day.month,
        year=day.year,
        short=f"{day.year % 100:02}",
        spelled=spelled_year(day.year),
    )


def suffix(number: int) -> str:
    """The ordinal suffix of ``number`` in digits."""
    return "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def cardinal(number: int) -> str:
    """0 to 99 in words."""
    if number < len(NUMBERS):
        return NUMBERS[number]
    tens, ones = divmod(number, 10)
    return TENS[tens] + (f"-{NUMBERS[ones]}" if ones else "")


def ordinal(number: int) -> str:
    """1st to 99th in words."""
    tens, hyphen, last = cardinal(number).rpartition("-")
    return tens + hyphen + ORDINALS.get(last, f"{last}th")


def spelled_year(year: int) -> str:
    """1900 to 2099 in words: nineteen hundred, nineteen oh five, two thousand and five, twenty twelve."""
    century, rest = divmod(year, 100)
    if rest >= 10:
        return f"{cardinal(century)} {cardinal(rest)}"
    if century == 20:
        return f"two thousand and {cardinal(rest)}" if rest else "two thousand"
    return f"{cardinal(century)} oh {cardinal(rest)}" if rest else f"{cardinal(century)} hundred"
