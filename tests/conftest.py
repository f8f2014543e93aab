"""What holds for all tests."""

from collections.abc import Iterator

import pytest
from stores import copy_empty

from pipelines.tracking import store


@pytest.fixture(scope="session", autouse=True)
def _copied_stores() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_make_tables", copy_empty)
        yield
