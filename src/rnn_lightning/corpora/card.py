"""The data card ``card.json``: the provenance of a processed corpus, and measurements of the arrays that a model reads.

Everything is computed from the arrays, so that the same functions describe text, numbers and generated data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..archives import write_arrays
from ..files import sha256, whole_folder, write_json
from ..pieces import write_pieces
from .corpus import CorpusError, Split, cut
from .files import write_split

PERCENTILES = (0, 25, 50, 75, 95, 100)


@dataclass(frozen=True)
class CardFields:
    """The fields of a data card that are not measured on the arrays.

    ``source`` is the content of ``source.json``, with the ``licence``. ``references`` are baselines and bounds of results, with
    the unit in their names. ``characters`` counts code points a split, for bits per character. ``unknown`` is the token that
    stands for all words outside the vocabulary. Where a split is one document, ``line_end`` is the token that ends its
    lines, and only lines of at least ``shortest_line`` tokens are looked for in the training split, because short ones
    recur by nature. ``target_unknown`` is the unknown token of targets that are sequences. ``more`` are further entries of the
    card.
    """

    title: str
    source: Mapping[str, Any]
    vocabulary_size: int | None = None
    references: Mapping[str, float] = field(default_factory=dict)
    characters: Mapping[str, int] | None = None
    unknown: int | None = None
    line_end: int | None = None
    shortest_line: int = 1
    target_unknown: int | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


def write_processed(
    processed: Path,
    splits: Mapping[str, Split],
    fields: CardFields,
    texts: Mapping[str, str] | None = None,
    arrays: Mapping[str, Mapping[str, NDArray[Any]]] | None = None,
) -> None:
    """Write the arrays of each split with hashes by piece, ``texts`` and other ``arrays`` under their names, and ``card.json``:
    all or nothing.

    The hash "all", which identifies the data of a run, is that of the arrays and of texts in ``.txt``, which results are
    compared with; a change of a tokenizer changes the arrays.

    Raises:
        CorpusError: where a split is empty.
    """
    for name, split in splits.items():
        if not len(split.inputs):
            raise CorpusError(f"{processed / name}.npz would be empty: the {name} split of {fields.title} has no tokens")
    with whole_folder(processed, sums=True) as folder:
        for name, split in splits.items():
            write_split(folder / f"{name}.npz", split)
        for name, members in (arrays or {}).items():
            write_arrays(folder / name, members)
        for name, text in (texts or {}).items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        files = sorted(folder.iterdir())
        data = [path for path in files if path.suffix in (".npz", ".txt")]
        hashes = {"all": sha256(*data), "files": {path.name: sha256(path) for path in files}}
        write_json(folder / "card.json", make_card(splits, fields) | {"sha256": hashes})
        for name in splits:
            write_pieces(folder / f"{name}.npz")


def make_card(splits: Mapping[str, Split], fields: CardFields) -> dict[str, Any]:
    """The data card without the hashes of the files."""
    train_items = {item.tobytes() for item in _items(splits["train"], fields)}
    train_pairs = set(_pairs(splits["train"]))
    return {
        "title": fields.title,
        "source": dict(fields.source),
        "licence": fields.source.get("licence"),
        "vocabulary_size": fields.vocabulary_size,
        "references": dict(fields.references),
        **fields.more,
        "splits": {
            name: {
                **split.sizes(),
                "characters": None if fields.characters is None else fields.characters[name],
                "unknown_rate": unknown_rate(split, fields.unknown),
                "lengths": _lengths(split, fields),
                "share_seen_in_train": None if name == "train" else _share_seen(split, fields, train_items),
                **_target_measures(split, fields, None if name == "train" else train_pairs),
            }
            for name, split in splits.items()
        },
    }


def _lengths(split: Split, fields: CardFields) -> dict[str, str | int]:
    """The percentiles of the steps of documents, rows or lines, the end mark included."""
    unit, offsets = split.units(fields.line_end)
    return {"of": unit, **percentiles(np.diff(offsets))}


def percentiles(lengths: NDArray[np.int64]) -> dict[str, int]:
    """The `PERCENTILES` of ``lengths`` (D,): the smallest of them that so many percent do not exceed."""
    return {str(q): int(np.percentile(lengths, q, method="inverted_cdf")) for q in PERCENTILES}


def unknown_rate(split: Split, unknown: int | None) -> float | None:
    """The share of the split's tokens that are ``unknown``; ``None`` where there is no such token."""
    return None if unknown is None else float((split.inputs == unknown).mean())


def _target_measures(split: Split, fields: CardFields, train_pairs: set[tuple[bytes, bytes]] | None) -> dict[str, Any]:
    """The measurements of targets that are sequences, and of pairs of input and target."""
    targets = split.target_sequences()
    if targets is None:
        return {}
    pairs = _pairs(split)
    unknown = None if fields.target_unknown is None else float((np.concatenate(targets) == fields.target_unknown).mean())
    return {
        "target_unknown_rate": unknown,
        "target_lengths": {"of": "row", **percentiles(np.array([len(target) for target in targets]))},
        "share_pairs_seen_in_train": None if train_pairs is None else sum(pair in train_pairs for pair in pairs) / len(pairs),
    }


def _pairs(split: Split) -> list[tuple[bytes, bytes]]:
    """The bytes of input and target of each row, where both are sequences."""
    targets = split.target_sequences()
    if targets is None:
        return []
    inputs = cut(split.inputs, split.units(None)[1])
    return [(one.tobytes(), other.tobytes()) for one, other in zip(inputs, targets, strict=True)]


def _items(split: Split, fields: CardFields) -> list[NDArray[Any]]:
    """The documents, rows or lines that are long enough to compare splits by, as views (T,) or (T, F)."""
    unit, offsets = split.units(fields.line_end)
    least = fields.shortest_line if unit == "line" else 1
    return [item for item in cut(split.inputs, offsets) if len(item) >= least]


def _share_seen(split: Split, fields: CardFields, train_items: set[bytes]) -> float | None:
    """The share of documents, rows or long lines whose inputs occur verbatim in the training split."""
    items = _items(split, fields)
    return sum(item.tobytes() in train_items for item in items) / len(items) if items else None
