"""Encoding of text by tokenizers some rows at a time, in order, in this process or in several."""

import os
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .corpus import CorpusError
from .vocabulary import encode_rows

if TYPE_CHECKING:
    from tokenizers import Tokenizer

ROWS = 4096
"""The rows that are encoded at once."""
_of_worker: "list[Tokenizer]" = []
"""The tokenizers of a worker process."""

Row: TypeAlias = tuple[str, ...]
"""The sides of a row of text, each for a tokenizer of its own."""
Encoded: TypeAlias = list[tuple[NDArray[np.int32], NDArray[np.int64]]]
"""Of each side the tokens (N,) of some rows, one after the other, and the offsets (R + 1,)."""


def encode(rows: Iterable[Row], tokenizers: "Sequence[Tokenizer]", workers: int) -> Iterator[tuple[list[Row], Encoded]]:
    """The ``rows``, at most `ROWS` at a time, and what the ``tokenizers`` make of them; the same for any number of ``workers``.

    Raises:
        CorpusError: where a worker process ends before its work does.
    """
    iterator = iter(rows)
    parts = iter(lambda: list(islice(iterator, ROWS)), [])
    if workers == 1:
        yield from ((part, _encode(part, tokenizers)) for part in parts)
        return
    waiting, most = deque(), 2 * workers
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(workers, get_context("spawn"), _begin, (_saved(tokenizers, Path(folder)),)) as pool,
    ):
        try:
            for part in parts:
                waiting.append((part, pool.submit(_work, part)))
                if len(waiting) > most:
                    done, future = waiting.popleft()
                    yield done, future.result()
            yield from ((part, future.result()) for part, future in waiting)
        except BrokenProcessPool:
            raise CorpusError(
                f"one of {workers} workers was ended, for want of memory or by a signal: preprocess again"
            ) from None


def _encode(rows: Sequence[Row], tokenizers: "Sequence[Tokenizer]") -> Encoded:
    return [encode_rows(tokenizer, side) for tokenizer, side in zip(tokenizers, zip(*rows, strict=True), strict=True)]


def _saved(tokenizers: "Sequence[Tokenizer]", folder: Path) -> list[str]:
    """The files that workers read the tokenizers from.

    What a worker is handed as it begins goes through a pipe: more than that holds is waited for without an end if it is killed.
    """
    files = [f"{folder / str(number)}.json" for number in range(len(tokenizers))]
    for file, tokenizer in zip(files, tokenizers, strict=True):
        tokenizer.save(file)
    return files


def _begin(files: Sequence[str]) -> None:
    """In a worker: read the tokenizers, use one thread, leave Ctrl-C to the process that began it, and end with it."""
    from tokenizers import Tokenizer

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _of_worker[:] = map(Tokenizer.from_file, files)


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def _work(rows: Sequence[Row]) -> Encoded:
    return _encode(rows, _of_worker)
