"""Damaged and odd files are read right, or refused in one line that says what is wrong with them."""

import re
from pathlib import Path

import pytest
from bad_files import CASES, Says


def test_there_are_many_cases() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("name", CASES)
def test_a_file_is_read_right_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    file = tmp_path / "file"
    file.write_bytes(case.content)
    if not isinstance(case.right, Says):
        assert case.read(file) == case.right
        return
    with pytest.raises(ValueError) as caught:
        case.read(file)
    assert re.search(case.right.pattern, str(caught.value)) and "\n" not in str(caught.value)
