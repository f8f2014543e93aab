"""What settings are refused for is said in one form: the key, what it must be, what came; names are listed in order."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import calls
import pytest
from pydantic import Field

from pipelines.settings.base import Settings, validate
from pipelines.settings.keywords import bad_value, named, unknown
from rnn_lightning.checks import check_counts, check_number

HUGE = 10**30


class Every(Settings):
    """A setting of each type."""

    count: Annotated[int, Field(ge=1, lt=9)] = 1
    number: Annotated[float, Field(gt=0, le=3)] = 1.0
    finite: float = 0.0
    flag: bool = False
    text: str = ""
    choice: Literal["a", "b", "c"] = "a"
    several: Annotated[list[int], Field(min_length=1)] = [1]  # noqa: RUF012 - pydantic copies it
    table: dict[str, Any] = {}  # noqa: RUF012
    maybe: int | None = None
    inner: "Inner | None" = None
    names: list[str] = []  # noqa: RUF012
    rows: list["Inner"] = []  # noqa: RUF012
    by_name: dict[str, "Inner"] = {}  # noqa: RUF012
    either: list[int | str] | None = None


class Inner(Settings):
    """Settings within others."""

    size: int = 1
    title: str = ""


THERE = "there is no such setting (the nearest is size); in {} there are size, title"
CASES: list[tuple[dict[str, Any], str]] = [
    ({"count": "x"}, "count must be a whole number, not 'x'"),
    ({"count": True}, "count must be a whole number, not True"),
    ({"count": 0}, "count must be at least 1, not 0"),
    ({"count": 9}, "count must be below 9, not 9"),
    ({"number": "x"}, "number must be a number, not 'x'"),
    ({"number": 0}, "number must be above 0, not 0"),
    ({"number": 4.5}, "number must be at most 3, not 4.5"),
    ({"finite": float("inf")}, "finite must be a finite number, not inf"),
    ({"flag": 1}, "flag must be true or false, not 1"),
    ({"text": 1}, "text must be text, not 1: quote it, as in \"text='1'\""),
    ({"text": None}, "text must be text, not None"),
    ({"choice": "d"}, "choice must be 'a', 'b' or 'c', not 'd'"),
    ({"several": 3}, "several must be [a, b, ...], not 3"),
    ({"several": []}, "several must have 1 or more entries, not 0"),
    ({"several": [1, "x"]}, "several.1 must be a whole number, not 'x'"),
    ({"table": 3}, "table must be {key: value, ...}, not 3"),
    ({"maybe": 2.5}, "maybe must be a whole number, not 2.5"),
    ({"inner": 3}, "inner must be {key: value, ...}, not 3"),
    ({"inner": {"size": "x"}}, "inner.size must be a whole number, not 'x'"),
    ({"names": ["a", 1]}, "names.1 must be text, not 1: quote it, as in \"names=['1']\""),
    ({"rows": [{"title": 1}]}, "rows.0.title must be text, not 1: quote it, as in \"rows=[{title: '1'}]\""),
    ({"rows": [{"sise": 1}]}, f"rows.0.sise: {THERE.format('rows.0')}"),
    ({"by_name": {"a.b": {"sise": 1}}}, f"by_name.a.b.sise: {THERE.format('by_name.a.b')}"),
    ({"by_name": {"a.b": 3}}, "by_name.a.b must be {key: value, ...}, not 3"),
    ({"either": [1, 2.5]}, "either.1 must be a whole number or text, not 2.5"),
]


@pytest.mark.parametrize(("values", "said"), CASES, ids=str)
def test_a_setting_is_refused_in_the_words_of_the_project(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as refused:
        validate(Every, values)
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("value", "hint", "said"),
    [
        (2.5, int | str, "key must be a whole number or text, not 2.5"),
        ([1, "x"], list[int], "an entry of key must be a whole number, not 'x'"),
        (["a", 1], list[str], "an entry of key must be text, not 1: quote it, as in \"key=['1']\""),
        ({"a": 1}, dict[str, str], "key.a must be text, not 1: quote it, as in \"key.a='1'\""),
        ({"train": "1_x", "test": 2}, Mapping[str, int] | None, "key.train must be a whole number, not '1_x'"),
        ("no", bool | None, "key must be true or false, not 'no'"),
    ],
)
def test_a_keyword_is_refused_likewise(value: Any, hint: Any, said: str) -> None:
    assert list(bad_value("key", value, hint)) == [said]


def test_names_are_listed_in_order_and_the_nearest_is_told() -> None:
    names = ["dropout", "cell", "locked", "bidirectional"]
    listed = "bidirectional, cell, dropout, locked"
    no_such = "there is no such setting"
    assert unknown("rnn.droput", names) == f"rnn.droput: {no_such} (the nearest is dropout); in rnn there are {listed}"
    assert unknown("x", names) == f"x: there is no such setting; there are {listed}"
    assert named("cell", "lokced", names) == f"cell must be one of {listed}, not 'lokced': the nearest is locked"
    many = [f"name{number:02}" for number in range(30)]
    assert "... (25 more, which --help lists), not 'name07': the nearest is name07" in named("x", "name07", many)


@pytest.mark.parametrize(
    ("bounds", "value", "said"),
    [
        ({"above": 0}, 1e300, r"x must be a number in (0, 1e+38], not 1e+300"),
        ({}, -1e300, r"x must be a number in [-1e+38, 1e+38], not -1e+300"),
        ({"least": 0}, HUGE, f"x must be a number in [0, {2**63 - 1}], not {HUGE}"),
        ({"above": 0}, float("inf"), "x must be a finite number above 0, not inf"),
    ],
)
def test_a_number_too_large_is_told_the_largest(bounds: dict[str, Any], value: float, said: str) -> None:
    with pytest.raises(ValueError) as refused:
        check_number("x", value, **bounds)
    assert str(refused.value) == said


def test_a_count_too_large_is_told_the_largest() -> None:
    for most in (2**31 - 1, 2**63 - 1):
        with pytest.raises(ValueError, match=f"^seed must be a whole number of 0 to {most}, not {most + 1}$"):
            check_counts(least=0, most=most, seed=most + 1)


WRONG = (-1, 1e300, "x", True, [], [1], {"a": 1}, HUGE, float("nan"), {"name": "x"}, {"cell": "lstm", "hidden_size": -1})


@pytest.mark.parametrize("name", [*calls.SYSTEMS, "build_network", "PairModule", "StreamModule", "WindowModule"])
def test_an_argument_that_is_refused_is_named(name: str) -> None:
    call = calls.calls()[name]
    for argument in call.arguments:
        for value in WRONG:
            try:
                call(**{argument: value})  # type: ignore[misc]
            except (ValueError, TypeError, OSError) as error:
                assert argument in str(error), (argument, value, str(error))
