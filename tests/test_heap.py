"""Free memory goes back to the system, now and then."""

import platform
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from pipelines.training import heap
from pipelines.training.heap import ReturnMemory, trimmer


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc_trim is a function of glibc")
def test_what_is_free_goes_back_to_the_system() -> None:
    small = [np.ones(1000) for _ in range(40_000)]
    last = np.ones(1000)
    del small[:]
    before = psutil.Process().memory_info().rss
    trimmer()(0)
    assert before - psutil.Process().memory_info().rss > 100_000_000 and last.all()


def test_it_does_so_no_more_often_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    now, calls = [0.0], []
    monkeypatch.setattr(heap, "time", SimpleNamespace(monotonic=lambda: now[0]))
    callback = ReturnMemory()
    callback.trim = calls.append
    for second in range(1, 65):
        now[0] = float(second)
        if second % 10 == 0:
            callback.on_validation_end(None, None)
        else:
            callback.on_train_batch_end(None, None, None, None, 0)
    assert calls == [0, 0, 0]


def test_without_such_a_function_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda name: SimpleNamespace())
    assert trimmer()(0) == 0
