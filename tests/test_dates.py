"""Dates in words and their ISO form, against a reader of dates that knows nothing of the writer."""

import json
import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from corpora import made, rows_of
from tokenizers import Tokenizer

from rnn_lightning.corpora import SPLITS, Dates
from rnn_lightning.corpora.dates import FORMS, ordinal, spelled_year, suffix

ROWS = {"train": 400, "validation": 60, "test": 80}
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
NTH = [
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"),
    *("thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth"),
    *("twenty-first", "twenty-second", "twenty-third", "twenty-fourth", "twenty-fifth", "twenty-sixth", "twenty-seventh"),
    *("twenty-eighth", "twenty-ninth", "thirtieth", "thirty-first"),
]
WORTH = {"oh": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
WORTH |= {"eleven": 11, "twelve": 12, "thirteen": 13, "fifteen": 15, "eighteen": 18, "thousand": 0, "hundred": 0, "and": 0}
WORTH |= {f"{word}teen": WORTH[word] + 10 for word in ("four", "six", "seven", "nine")}
WORTH |= {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}


def read_year(text: str) -> int:
    """A year in four digits, in two after an apostrophe or alone, of 1950 to 2049, or in words."""
    if re.fullmatch(r"\d{4}", text):
        return int(text)
    if re.fullmatch(r"'?\d\d", text):
        return 1950 + (int(text[-2:]) - 50) % 100
    assert re.fullmatch(r"two thousand( and [a-z]+)?|(nineteen|twenty) [a-z]+(-[a-z]+)?|nineteen oh [a-z]+", text)
    first, *others = text.replace("-", " ").split()
    return {"nineteen": 1900, "twenty": 2000, "two": 2000}[first] + sum(WORTH[word] for word in others)


def read_date(text: str) -> date:
    """What a person would read; day before month where all is in digits."""
    weekday, _, rest = text.rpartition("day, ") if "day, " in text else ("", "", text)
    if short := re.match(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), ", text):
        weekday, rest = short[1], text[short.end() :]
    rest = rest.lower().removeprefix("the ").replace(" the ", " ").replace(" of ", " ").replace(",", "")
    if digits := re.fullmatch(r"(\d+)([/.])(\d+)\2(\d+)", rest):
        found = date(read_year(digits[4]), int(digits[3]), int(digits[1]))
    elif dashes := re.fullmatch(r"(\d+)-([a-z]{3})-(\d\d)", rest):
        found = date(read_year(dashes[3]), MONTHS.index(dashes[2]) + 1, int(dashes[1]))
    else:
        found = read_words(rest)
    assert not weekday or found.weekday() == DAYS.index(weekday.lower()[:3])
    return found


def read_words(text: str) -> date:
    before, month, after = re.split(r"\b((?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)\b ", text, maxsplit=1)
    month_of_year = MONTHS.index(month[:3]) + 1
    assert month in (month[:3], date(2000, month_of_year, 1).strftime("%B").lower())
    if re.fullmatch(r"\d{4} ", before):
        before, after = after, before.strip()
    elif not before:
        before, _, after = after.partition(" ")
    before = before.strip()
    day = NTH.index(before) + 1 if before in NTH else int(re.match(r"\d+", before)[0])
    if re.search(r"\d[a-z]", before):
        assert before == f"{day}{'th' if day in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"
    return date(read_year(after), month_of_year, day)


@pytest.fixture(scope="module")
def dates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(Dates(rows=ROWS, seed=3), tmp_path_factory.mktemp("dates"))


@pytest.mark.parametrize("split", SPLITS)
def test_every_date_reads_as_its_iso_form(dates: Path, split: str) -> None:
    written = (dates / f"processed/{split}.source.txt").read_text().splitlines()
    iso = (dates / f"processed/{split}.target.txt").read_text().splitlines()
    assert len(written) == len(iso) == ROWS[split]
    assert [read_date(text).isoformat() for text in written] == iso
    tokenizer = Tokenizer.from_file(str(dates / "processed/target_tokenizer.json"))
    assert [tokenizer.decode(row[:-1]) for row in rows_of(dates / "processed", split, "target")] == iso


def test_the_reader_of_the_test_is_not_easily_pleased() -> None:
    assert read_date("Saturday, the twenty-first of March, 1987") == date(1987, 3, 21)
    assert read_date("21/3/87") == read_date("twenty-first March, nineteen eighty-seven") == date(1987, 3, 21)
    assert read_date("first May, two thousand and five") == date(2005, 5, 1)
    for wrong in ("Friday, 21/3/87", "21th March 1987", "third Mai, 1987", "31 June 1987"):
        with pytest.raises((AssertionError, ValueError)):
            read_date(wrong)


def test_years_and_days_are_said_as_people_say_them() -> None:
    assert [read_year(spelled_year(year)) for year in range(1900, 2100)] == list(range(1900, 2100))
    said = {1900: "nineteen hundred", 1905: "nineteen oh five", 1913: "nineteen thirteen", 2000: "two thousand"}
    said |= {2009: "two thousand and nine", 2010: "twenty ten", 2042: "twenty forty-two"}
    assert {year: spelled_year(year) for year in said} == said
    assert [ordinal(day) for day in range(1, 32)] == NTH
    endings = {1: "st", 21: "st", 31: "st", 2: "nd", 22: "nd", 3: "rd", 23: "rd"}
    assert all(suffix(day) == endings.get(day, "th") for day in range(1, 32))


def test_no_date_is_in_two_splits_and_all_forms_are_used(dates: Path) -> None:
    iso = {split: (dates / f"processed/{split}.target.txt").read_text().split() for split in SPLITS}
    assert all(len(set(days)) == ROWS[split] for split, days in iso.items())
    assert not set(iso["train"]) & set(iso["test"]) and not (set(iso["train"]) | set(iso["test"])) & set(iso["validation"])
    card = json.loads((dates / "processed/card.json").read_text())
    for split in ("validation", "test"):
        assert card["splits"][split]["share_seen_in_train"] == card["splits"][split]["share_pairs_seen_in_train"] == 0
        assert card["splits"][split]["unknown_rate"] == card["splits"][split]["target_unknown_rate"] == 0
    assert card["target_vocabulary_size"] == 13 and card["level"] == "character" and not card["lowercase"]
    shapes = {
        re.sub(r"\d+", "9", re.sub(r"[a-z]+", "a", re.sub(r"^\w+day, |^\w{3}, ", "", text)))
        for text in (dates / "processed/train.source.txt").read_text().splitlines()
    }
    assert len(shapes) >= len(FORMS)


def test_days_are_dealt_to_the_splits_once_each() -> None:
    days = Dates(rows=ROWS, seed=1, years=(1999, 2001)).days()
    assert sorted(day for some in days.values() for day in some) == [
        date.fromordinal(number) for number in range(date(1999, 1, 1).toordinal(), date(2002, 1, 1).toordinal())
    ]
    assert len(days["train"]) == 8 * 1096 // 10 and len(days["validation"]) == 109


def test_more_rows_than_days_say_some_again_in_their_own_split(tmp_path: Path) -> None:
    made(Dates(rows={"train": 400, "validation": 36, "test": 50}, seed=1, years=(2000, 2000)), tmp_path)
    days = {split: Counter((tmp_path / f"processed/{split}.target.txt").read_text().split()) for split in SPLITS}
    assert [len(some) for some in days.values()] == [292, 36, 38]
    assert not days["train"].keys() & days["test"].keys() and set(days["train"].values()) == {1, 2}


@pytest.mark.parametrize("years", [(1899, 1950), (1950, 2050), (2049, 1950), (2000, 2100), (2000,)])
def test_years_that_two_digits_do_not_tell_are_refused(years: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="years must be the first and the last of at most 100 between 1900 and 2099, not"):
        Dates(rows=ROWS, seed=1, years=years)
