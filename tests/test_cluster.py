"""Preprocessing on a cluster of Ray: the same bytes, also where a worker is killed."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from corpora import TINY, contents, write_fetched
from test_large_kinds import labelled, tagging

from pipelines.runs.cluster import ClusterWorkers
from rnn_lightning.corpora import SPLITS, CorpusError, Tagging


@dataclass(frozen=True)
class KilledOnce:
    """Work whose first process is killed; ``marker`` is the file that says it was."""

    work: Callable[[Any], Any]
    marker: Path

    def __call__(self, rows: list[Any]) -> Any:
        if not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.work(rows)


class Losing(ClusterWorkers):
    """Workers one of which is lost."""

    marker: Path

    @contextmanager
    def begun(self, work: Callable[[Any], Any]) -> Iterator[Any]:
        with super().begun(KilledOnce(work, self.marker)) as submit:
            yield submit


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_makes_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray: Any = pytest.importorskip("ray", reason="`make test-all` installs the cluster's packages")
    monkeypatch.setattr("rnn_lightning.workers.ROWS", 32)
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    workers = Losing(2)
    try:
        for make in (tagging, labelled):
            place = tmp_path / make.__name__
            place.mkdir()
            made = make(place)
            made.preprocess(place / "raw", place / "here")
            workers.marker, made.workers = place / "lost", workers
            made.preprocess(place / "raw", place / "there")
            assert workers.marker.exists() and contents(place / "there") == contents(place / "here")
        wrong = [{"words": ["a"], "tags": ["" if number == 120 else "X"]} for number in range(150)]
        write_fetched(tmp_path / "raw", dict.fromkeys(SPLITS, pyarrow.Table.from_pylist(wrong)), TINY)
        corpus = Tagging(**TINY, words="words", tags="tags")
        corpus.workers = workers
        with pytest.raises(CorpusError, match=r"^row 120 of .*train.parquet: the word 'a' has no tag$"):
            corpus.preprocess(tmp_path / "raw", tmp_path / "processed")
    finally:
        ray.shutdown()
