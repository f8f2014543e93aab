"""What holds for all tests."""

import os
from collections.abc import Iterator

import pytest
from stores import copy_empty

from pipelines.tracking import store

os.environ.setdefault("TRITON_INTERPRET", "1")  # kernels compute on CPU tensors; Triton asks once, when it is imported


@pytest.fixture(scope="session", autouse=True)
def _copied_stores() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_make_tables", copy_empty)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse names of tests that differ from process to process, which cannot share them out then."""
    if addresses := [item.nodeid for item in items if " object at 0x" in item.nodeid]:
        raise pytest.UsageError(f"give the cases of {addresses[0]} ids: an address in memory is none")
