"""Raw items of a run's test split, as people give them: lines of text, files of sound, strokes, arrays, series in CSV."""

import base64
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from pipelines.settings.schema import Experiment
from rnn_lightning.corpora.parquet import Tables
from rnn_lightning.corpora.reads import named
from rnn_lightning.items.folders import read_description

Row = TypeVar("Row")


class Item(NamedTuple):
    """An item as Python takes it (``given``), as a ``line`` of a command, and as a string of a ``request`` to a server."""

    given: str | bytes
    line: str
    request: str


def items_of(folder: Path, experiment: Experiment, count: int, place: Path) -> list[Item]:
    """At most ``count`` items of the test split that the run in ``folder`` was tested on, at equal distances in it.

    What is read from files is written to ``place``.

    Raises:
        ValueError: where the corpus has arrays alone, of which no item can be made.
    """
    description = read_description(folder)
    name = description["predictor"] if description["predictor"] in READERS else description["inputs"]["name"]
    if name not in READERS or (name in ("strokes", "picture") and not (experiment.raw() / "test.parquet").exists()):
        raise ValueError(f"{folder}: the test split has no {name} as they were given, only their features")
    content = some(READERS[name](experiment), count)
    return [of_file(each, place / str(number)) if isinstance(each, bytes) else Item(each, each, each)
            for number, each in enumerate(content)]  # fmt: skip


def some(rows: Iterable[Row], count: int) -> list[Row]:
    """At most ``count`` of the ``rows``, at equal distances."""
    listed = list(rows)
    return [listed[at] for at in np.linspace(0, len(listed) - 1, min(count, len(listed))).round().astype(int).tolist()]


def of_file(content: bytes, file: Path) -> Item:
    """The item of a file with this ``content``, which is written."""
    file.write_bytes(content)
    return Item(content, str(file), base64.b64encode(content).decode())


def sources(experiment: Experiment) -> list[str]:
    return (experiment.processed() / "test.source.txt").read_text(encoding="utf-8").split("\n")[:-1]


def sentences(experiment: Experiment) -> list[str]:
    blocks = (experiment.processed() / "test.txt").read_text(encoding="utf-8").strip("\n").split("\n\n")
    return [" ".join(line.partition("\t")[0] for line in block.split("\n")) for block in blocks]


def texts(experiment: Experiment) -> list[str]:
    file = experiment.raw() / "test.txt"
    rows = [file.read_text(encoding="utf-8")] if file.exists() else column(experiment, "text")
    return [line for row in rows for line in row.split("\n") if line.strip()]


def media(experiment: Experiment) -> Iterator[bytes]:
    return column(experiment, "media", field=".bytes")


def strokes(experiment: Experiment) -> Iterator[str]:
    return map(json.dumps, column(experiment, "anything"))


def column(experiment: Experiment, holds: str, field: str = "") -> Iterator[Any]:
    """The first column of the test split that ``holds`` this, or a ``field`` of it."""
    name = named(experiment.task.corpus.build().columns(), holds)[0] + field
    return (value for (value,) in Tables(experiment.raw() / "test.parquet", [name]).lists(name))


def numbers(experiment: Experiment) -> Iterator[str]:
    """The first half of each document of tokens that stand for no text."""
    with np.load(experiment.processed() / "test.npz") as arrays:
        tokens, ends = arrays["tokens"], arrays["documents"].tolist()
    return (" ".join(map(str, tokens[start : (start + end) // 2].tolist())) for start, end in pairwise(ends))


def arrays(experiment: Experiment) -> Iterator[str]:
    with np.load(experiment.processed() / "test.npz") as stored:
        rows = np.split(stored["inputs"], stored["input_offsets"][1:-1])
    return (json.dumps(row.astype(float).tolist()) for row in rows)


def series(experiment: Experiment) -> Iterator[bytes]:
    """The windows of the test split: the context, and rows of the horizon in which only dates and what is known stand."""
    corpus: Any = experiment.task.corpus.build()
    names, borders = corpus.step.names(), corpus.borders
    file = experiment.raw() / ("test.parquet" if borders is None else "train.parquet")
    rows = list(Tables(file, names).lists(*names))
    first, end = (corpus.context, len(rows)) if borders is None else borders["test"]
    measured = len(corpus.targets) + len(corpus.past)
    for origin in range(first, end - corpus.horizon + 1):
        after = ((("",) * measured + row[measured:]) for row in rows[origin : origin + corpus.horizon])
        yield as_csv(names, chain(rows[origin - corpus.context : origin], after))


def as_csv(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A CSV file with a header."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(chain([names], rows))
    return text.getvalue().encode()


READERS: dict[str, Callable[[Experiment], Iterable[Any]]] = {
    "translation": sources,
    "tagging": sentences,
    "forecasts": series,
    "text": texts,
    "tokens": numbers,
    "arrays": arrays,
    "sound": media,
    "picture": media,
    "strokes": strokes,
}
"""What reads the items, by the name of the predictor, or else of its inputs."""
