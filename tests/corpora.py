"""Tiny corpora for tests of data modules, systems and stages: processed, fetched, or served by a Hub."""

import json
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from datasets import Dataset

from rnn_lightning.corpora import SPLITS, Corpus
from rnn_lightning.corpora.source import FromSource

VOCABULARY = 20


def write_stream(folder: Path, *, tokens: int = 700, document: int = 15) -> Path:
    """Random tokens of 0..19 in documents of random length, every one of them scored."""
    draws = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in {"train": tokens, "validation": 150, "test": 157}.items():
        cuts = np.sort(draws.choice(np.arange(1, count), count // document, replace=False))
        np.savez(
            folder / f"{split}.npz",
            tokens=draws.integers(0, VOCABULARY, count).astype(np.int32),
            documents=np.array([0, *cuts, count], dtype=np.int64),
            scored=np.ones(count, dtype=bool),
        )
    return folder


def write_pairs(folder: Path, *, rows: int = 60) -> Path:
    """Rows of 1 to 9 steps of two features; the target is the sum of the first feature."""
    draws = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        lengths = draws.integers(1, 10, rows)
        inputs = draws.random((int(lengths.sum()), 2), dtype=np.float32)
        offsets = np.concatenate([[0], lengths.cumsum()]).astype(np.int64)
        targets = np.add.reduceat(inputs[:, 0], offsets[:-1])
        np.savez(folder / f"{split}.npz", inputs=inputs, input_offsets=offsets, targets=targets)
    return folder


def write_values(folder: Path, *, rows: int = 60) -> Path:
    """Rows of 1 to 9 steps of three features, and two numbers for every step."""
    draws = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        offsets = np.concatenate([[0], draws.integers(1, 10, rows).cumsum()]).astype(np.int64)
        inputs, targets = (draws.random((int(offsets[-1]), size), dtype=np.float32) for size in (3, 2))
        arrays = {"inputs": inputs, "targets": targets, "input_offsets": offsets, "target_offsets": offsets}
        np.savez(folder / f"{split}.npz", allow_pickle=False, **arrays)
    return folder


def write_sequence_pairs(folder: Path, *, rows: int = 60, longest: int = 9) -> Path:
    """Rows of 1 to ``longest`` tokens of 0..19, and targets of 1 to ``longest`` tokens of 0..18 with token 19 last."""
    draws = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        arrays = {}
        for name, side in (("input", "inputs"), ("target", "targets")):
            lengths = draws.integers(1, longest + 1, rows)
            arrays[f"{name}_offsets"] = np.concatenate([[0], lengths.cumsum()]).astype(np.int64)
            arrays[side] = draws.integers(0, VOCABULARY - 1, int(lengths.sum())).astype(np.int32)
        arrays["targets"][arrays["target_offsets"][1:] - 1] = VOCABULARY - 1
        np.savez(folder / f"{split}.npz", **arrays)
    return folder


def write_signals(folder: Path, *, rows: int = 60) -> list[str]:
    """Rows of 1 to 3 words, three steps of two features each, and these words as targets; returns the labels."""
    draws = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        counts = draws.integers(1, 4, rows)
        targets = draws.integers(1, 3, int(counts.sum())).astype(np.int32)
        said = np.eye(3, 2, -1, dtype=np.float32)[targets]  # (words, 2)
        inputs = np.stack([said, said, 0 * said], 1).reshape(-1, 2) + draws.normal(0, 0.1, (3 * len(said), 2))
        offsets = np.concatenate([[0], counts.cumsum()]).astype(np.int64)
        arrays = {"inputs": inputs.astype(np.float32), "input_offsets": 3 * offsets}
        np.savez(folder / f"{split}.npz", **arrays, targets=targets, target_offsets=offsets)
    return ["<blank>", "up", "down"]


CHARACTERS, TAGS = 12, 5


def write_tagged(folder: Path, *, rows: int = 60, longest: int = 9) -> Path:
    """Rows of 0 to ``longest`` words of 0..19, spelled with 0 to 6 characters of 1..11, a tag of 0..4 for each word."""
    draws = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation", "test"):
        offsets = np.concatenate([[0], draws.integers(0, longest + 1, rows).cumsum()]).astype(np.int64)
        words = int(offsets[-1])
        character_offsets = np.concatenate([[0], draws.integers(0, 7, words).cumsum()]).astype(np.int64)
        np.savez(
            folder / f"{split}.npz",
            inputs=draws.integers(0, VOCABULARY, words).astype(np.int32),
            input_offsets=offsets,
            targets=draws.integers(0, TAGS, words).astype(np.int32),
            target_offsets=offsets,
            characters=draws.integers(1, CHARACTERS, int(character_offsets[-1])).astype(np.int32),
            character_offsets=character_offsets,
        )
    return folder


LINES = {"repository": "tiny/lines", "config": "default", "revision": "main"}


def write_fetched(raw: Path, columns: dict[str, dict[str, Any]], asked: dict[str, Any] = LINES) -> Path:
    """What a fetch from the Hub of what was ``asked`` for would have left: for each split its columns."""
    from pyarrow import parquet

    from rnn_lightning.files import sha256, write_json

    raw.mkdir(parents=True)
    for split, table in columns.items():
        parquet.write_table(table if isinstance(table, pyarrow.Table) else pyarrow.table(table), raw / f"{split}.parquet")
    write_json(raw / "source.json", {**asked, "licence": "cc0-1.0", "files": {p.name: sha256(p) for p in raw.iterdir()}})
    return raw


def two_columns(pairs: dict[str, list[Any]]) -> dict[str, dict[str, Any]]:
    """The columns ``de`` and ``en`` of each split."""

    def column(values: list[Any]) -> Any:
        return pyarrow.array(values) if values else pyarrow.array([], pyarrow.string())

    return {
        split: {name: column([row[side] for row in rows]) for side, name in enumerate(("de", "en"))}
        for split, rows in pairs.items()
    }


def rows_of(folder: Path, split: str, side: str) -> list[list[int]]:
    """The ``input`` or ``target`` sequences of a processed split."""
    arrays = np.load(folder / f"{split}.npz")
    return [arrays[f"{side}s"][start:stop].tolist() for start, stop in pairwise(arrays[f"{side}_offsets"])]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


SERVE = """
import json, sys, fake_hub
files = json.loads(sys.argv[1])
fake_hub.repository_files = lambda rows: {name: text.encode() for name, text in files.items()}
sys.exit(fake_hub.main({}, sys.argv[2:]))
"""
FETCH = """
import json, sys
from pathlib import Path
import rnn_lightning.corpora
corpus = getattr(rnn_lightning.corpora, sys.argv[1])(**json.loads(sys.argv[2]))
corpus.fetch(Path("raw"))
corpus.preprocess(Path("raw"), Path("processed"))
"""


def fetched_from_hub(place: Path, files_of_rows: dict[str, list[dict[str, Any]]], corpus: str, **settings: Any) -> Path:
    """The processed folder that the class ``corpus`` makes of a Hub data set; ``files_of_rows`` are its files by name."""
    files = {"README.md": "---\nlicense: cc0-1.0\n---\n"}
    files |= {f"{name}.jsonl": "".join(json.dumps(row) + "\n" for row in some) for name, some in files_of_rows.items()}
    hub = {"repository": "tiny/lines", "config": "default", "revision": "main", "record": "record.json"}
    fetch = [sys.executable, "-c", FETCH, corpus, json.dumps({**hub, **settings})]
    paths = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]), "HF_HOME": str(place / "cache")}
    environment = {**os.environ, **paths, "HF_HUB_DISABLE_TELEMETRY": "1"}
    subprocess.run([sys.executable, "-c", SERVE, json.dumps(files), *fetch], cwd=place, env=environment, check=True)
    return place / "processed"


def made(corpus: Corpus, folder: Path) -> Path:
    """The ``folder`` in which the corpus is fetched to ``raw`` and processed to ``processed``."""
    corpus.fetch(folder / "raw")
    corpus.preprocess(folder / "raw", folder / "processed")
    return folder


TINY: dict[str, Any] = {"repository": "tiny/rows", "config": "default", "revision": "main", "record": "record.json"}
"""The Hub's part of a corpus whose rows a test writes itself."""


def divided(corpus: FromSource, columns: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The columns of each split that a fetch of these ``columns`` leaves: some rows are held out where the corpus says so."""
    if corpus.drawn is None:
        return columns
    parts = {split: Dataset(pyarrow.table(some)) for split, some in columns.items()}
    return {split: part.flatten_indices().data.table for split, part in corpus.divided(parts).items()}


def processed(
    corpus: Corpus, place: Path, columns: dict[str, dict[str, Any]]
) -> tuple[dict[str, Any], dict[str, dict[str, np.ndarray]]]:
    """The card, and the arrays of each split, that a corpus makes of these ``columns`` of each split."""
    if isinstance(corpus, FromSource) and corpus.drawn is not None:
        shutil.rmtree(place / "raw", ignore_errors=True)
        columns = divided(corpus, columns)
    if not (place / "raw").exists():
        write_fetched(place / "raw", columns, {**TINY, **(corpus.spec() if isinstance(corpus, FromSource) else {})})
    corpus.preprocess(place / "raw", place / "processed")
    card = json.loads((place / "processed/card.json").read_text())
    return card, {split: dict(np.load(place / f"processed/{split}.npz")) for split in SPLITS}


def cut_rows(arrays: dict[str, np.ndarray], side: str = "input") -> list[np.ndarray]:
    """The ``input`` or ``target`` sequences of a split."""
    return [arrays[f"{side}s"][start:stop] for start, stop in pairwise(arrays[f"{side}_offsets"])]


def write_series(folder: Path, *, noise: float = 0.5, context: int = 8, horizon: int = 3) -> Path:
    """Two series with a season of 4 steps, and where in the season the step is; windows of ``context`` and ``horizon``."""
    draws = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for split, steps in {"train": 120, "validation": 40, "test": 41}.items():
        place = np.arange(steps) % 4
        season = np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 2.0], [0.0, 0.0]])[place]
        inputs = np.column_stack([season + noise * draws.normal(size=(steps, 2)), place]).astype(np.float32)
        before = 0 if split == "train" else context
        np.savez(folder / f"{split}.npz", inputs=inputs, window=np.array([context, horizon, before, 2, 1]))
    return folder
