"""Which cases of a law are tried each time, and which by `make test-all` alone."""

from collections.abc import Sequence
from typing import Any

import pytest


def some(cases: Sequence[Any], count: int) -> list[Any]:
    """The first ``count`` cases as they are, the others as slow tests; a case that is a tuple is one of several arguments."""
    later = [pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow) for case in cases[count:]]
    return [*cases[:count], *later]
