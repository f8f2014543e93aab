"""Names that come from data are shown by MLflow, each by a name of its own from which the real one can be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name

from pipelines.tracking.names import LONGEST, real_name, shown_name

NAMES = ["test/accuracy/US (F)", "a//b", "/a", "a/", ".", "a/../b", "x%", "नमस्ते", "_U0028_", "a\nb", "", "$$", "\U0001f600"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_from_data_is_taken(name: str) -> None:
    _validate_metric_name(shown_name(name))


def test_an_ordinary_name_stays() -> None:
    for name in ("test/loss", "val/best", "test/accuracy_in_scope", "a b.c-d", "rnn.hidden_size", "test/größe"):
        assert shown_name(name) == name


def test_what_is_refused_is_told_by_its_number() -> None:
    assert shown_name("US (F)") == "US _U0028_F_U0029_"


@given(st.text(max_size=40), st.text(max_size=40))
def test_every_name_is_taken_and_read_back(one: str, other: str) -> None:
    _validate_metric_name(shown_name(one))
    if "" not in one.split("/"):
        assert real_name(shown_name(one)) == one
    assert one == other or shown_name(one) != shown_name(other)


def test_a_long_name_is_cut_and_stays_its_own() -> None:
    one, other = shown_name("x" * 300), shown_name("x" * 301)
    assert len(one) == len(other) == LONGEST and one != other
