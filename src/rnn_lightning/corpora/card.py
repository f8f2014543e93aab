"""The data card ``card.json``: the provenance of a processed corpus, and measurements of the arrays that a model reads.

Everything is computed from the arrays, so that the same functions describe text, numbers and generated data.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..archives import write_arrays
from ..files import sha256, whole_folder, write_json
from ..pieces import write_pieces
from ..sliced import Values, blocks, rows_of_block
from .corpus import CorpusError, Split
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
    texts: Mapping[str, Iterable[str]] | None = None,
    arrays: Mapping[str, Mapping[str, NDArray[Any]]] | None = None,
) -> None:
    """Write the arrays of each split with hashes by piece, ``texts`` (whole, or by parts) and other ``arrays`` under their
    names, and ``card.json``: all or nothing.

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
            with (folder / name).open("w", encoding="utf-8", newline="\n") as file:
                file.writelines([text] if isinstance(text, str) else text)
        files = sorted(folder.iterdir())
        data = [path for path in files if path.suffix in (".npz", ".txt")]
        hashes = {"all": sha256(*data), "files": {path.name: sha256(path) for path in files}}
        write_json(folder / "card.json", make_card(splits, fields) | {"sha256": hashes})
        for name in splits:
            write_pieces(folder / f"{name}.npz")


def make_card(splits: Mapping[str, Split], fields: CardFields) -> dict[str, Any]:
    """The data card without the hashes of the files."""
    train = splits["train"]
    train_items, train_pairs = item_hashes(train, fields), pair_hashes(train)
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
                "unknown_rate": unknown_rate(split.inputs, fields.unknown),
                "lengths": _lengths(split, fields),
                "share_seen_in_train": None if name == "train" else share_in(item_hashes(split, fields), train_items),
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


def unknown_rate(values: Values, unknown: int | None) -> float | None:
    """The share of ``values`` that are ``unknown``; ``None`` where there is no such token."""
    return None if unknown is None else sum(int((block == unknown).sum()) for block in blocks(values)) / len(values)


def _target_measures(split: Split, fields: CardFields, train_pairs: NDArray[np.uint64] | None) -> dict[str, Any]:
    """The measurements of targets that are sequences, and of pairs of input and target."""
    if split.target_sequences is None:
        return {}
    targets, offsets = split.target_sequences
    return {
        "target_unknown_rate": unknown_rate(targets, fields.target_unknown),
        "target_lengths": {"of": "row", **percentiles(np.diff(offsets))},
        "share_pairs_seen_in_train": None if train_pairs is None else share_in(pair_hashes(split), train_pairs),
    }


def share_in(hashes: NDArray[np.uint64], others: NDArray[np.uint64]) -> float | None:
    """The share of ``hashes`` (D,) that are among ``others``; ``None`` where there are none."""
    return int(np.isin(hashes, others).sum()) / len(hashes) if len(hashes) else None


def pair_hashes(split: Split) -> NDArray[np.uint64]:
    """A hash (R,) of input and target of each row, where both are sequences."""
    if split.target_sequences is None:
        return np.zeros(0, np.uint64)
    _, rows = split.units(None)
    odd = np.uint64(0x9E3779B97F4A7C15)  # of 64 bits, so that no two sums of two hashes are equal but by chance
    return row_hashes(split.inputs, rows) * odd + row_hashes(*split.target_sequences)


def item_hashes(split: Split, fields: CardFields) -> NDArray[np.uint64]:
    """A hash (D,) of the inputs of each document, row or line that is long enough to compare splits by."""
    unit, offsets = split.units(fields.line_end)
    least = fields.shortest_line if unit == "line" else 1
    return row_hashes(split.inputs, offsets)[np.diff(offsets) >= least]


def row_hashes(values: Values, offsets: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The hash (R,) of each row of ``values``, of 8 bytes: equal for two others among a billion once in 37 times."""
    hashes, first, most = np.empty(len(offsets) - 1, np.uint64), 0, rows_of_block(values)
    while first < len(hashes):  # as many whole rows as a block has, or the one row that is longer
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + most, side="right")) - 1)
        if last == first + 1:
            hashes[first] = _hash(blocks(values, offsets[first], offsets[last]))
        else:
            read = values[offsets[first] : offsets[last]]
            bounds = pairwise((offsets[first : last + 1] - offsets[first]).tolist())
            hashes[first:last] = [_hash([read[start:stop]]) for start, stop in bounds]
        first = last
    return hashes


def _hash(parts: Iterable[NDArray[Any]]) -> int:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part.tobytes())
    return int.from_bytes(digest.digest())
