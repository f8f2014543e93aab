"""What holds for all tests."""

import gc
import os
import random
import zlib
from collections.abc import Generator, Iterator
from typing import Any

import numpy
import pytest
import torch
from house import ROOT
from stores import copy_empty

from pipelines.settings import collector
from pipelines.tracking import store

collector.collect_seldom()
collector.USUAL = collector.SELDOM  # also where a test begins to train: much is imported, little is garbage
os.environ.setdefault("TRITON_INTERPRET", "1")  # kernels compute on CPU tensors; Triton asks once, when it is imported


@pytest.fixture(scope="session", autouse=True)
def _copied_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    own, there = ROOT / "mlflow.db", (ROOT / "mlflow.db").exists()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_make_tables", copy_empty)
        patch.setattr(os, "fsync", os.fstat)  # of a test's files nothing must outlive a power cut; a bad descriptor is an error
        # A thread that delivers when its test, and what that set in the environment, are over finds this dashboard.
        patch.setattr(store, "PROJECT", tmp_path_factory.mktemp("project"))
        yield
    assert own.exists() == there, f"a test has written to {own}, the dashboard of the project itself"


@pytest.fixture(autouse=True)
def _tracking_uri() -> Iterator[None]:
    """The dashboard that a test has by default, the project's own, is not that of the tests after it."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    yield
    if before is None:
        os.environ.pop("MLFLOW_TRACKING_URI", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--seed", type=int, default=0, help="of the random numbers of every test: what a test states holds for each"
    )


@pytest.fixture(autouse=True)
def _seeded(request: pytest.FixtureRequest) -> None:
    """A test draws the same random numbers in each run, in whichever process and after whichever test it runs."""
    draw_from(request.config, request.node.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Generator[None, Any, Any]:
    """What tests share is drawn alike, whichever of them is the first to ask for it."""
    if fixturedef.scope != "function":
        draw_from(request.config, f"{fixturedef.baseid} {fixturedef.argname} {request.param_index}")
    return (yield)


def draw_from(config: pytest.Config, name: str) -> None:
    """Seed PyTorch, Python and NumPy by a name and the ``--seed`` of the command."""
    seed = zlib.crc32(f"{config.getoption('--seed')} {name}".encode())
    torch.manual_seed(seed)
    random.seed(seed)
    numpy.random.seed(seed)  # code of other libraries draws from it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse names of tests that differ from process to process, which cannot share them out then."""
    if addresses := [item.nodeid for item in items if " object at 0x" in item.nodeid]:
        raise pytest.UsageError(f"give the cases of {addresses[0]} ids: an address in memory is none")


def pytest_collection_finish() -> None:
    """Leave the thousands of tests out of Python's garbage collection: each full one went through all of them."""
    gc.collect()
    gc.freeze()
