"""``card.json``: what a processed corpus is, measured on the very arrays that a model reads.

Everything is computed from the arrays, so that the same functions describe text, numbers and generated data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import sha256, whole_folder, write_arrays, write_json
from .corpus import CorpusError, Pairs, Stream
from .files import write_split

PERCENTILES = (0, 25, 50, 75, 95, 100)


@dataclass(frozen=True)
class CardFields:
    """What the arrays cannot tell.

    ``source`` is what ``fetch`` noted, with the ``licence``. ``references`` are numbers to hold a result against, with the
    unit in their names. ``characters`` counts code points a split, for bits per character. ``unknown`` is the token that
    stands for all words outside the vocabulary. Where a split is one document, ``line_end`` is the token that ends its
    lines, and only lines of at least ``shortest_line`` tokens are looked for in the training split, because short ones
    recur by nature. ``target_unknown`` is the unknown token of targets that are sequences. ``more`` is what else the card
    says, by its names there.
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
    splits: Mapping[str, Stream | Pairs],
    facts: CardFields,
    texts: Mapping[str, str] | None = None,
    arrays: Mapping[str, Mapping[str, NDArray[Any]]] | None = None,
) -> None:
    """Write the arrays of each split, ``texts`` and other ``arrays`` under their names, and ``card.json``: all or nothing.

    The hash of all, which stands for the data of a run, is that of the arrays and of texts in ``.txt``, which results are
    held against; a tokenizer shows in the arrays.

    Raises:
        CorpusError: where a split has nothing in it.
    """
    for name, split in splits.items():
        if not len(split[0]):
            raise CorpusError(f"{processed / name}.npz would be empty: the {name} split of {facts.title} has no tokens")
    with whole_folder(processed) as folder:
        for name, split in splits.items():
            write_split(folder / f"{name}.npz", split)
        for name, members in (arrays or {}).items():
            write_arrays(folder / name, members)
        for name, text in (texts or {}).items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        files = sorted(folder.iterdir())
        data = [path for path in files if path.suffix in (".npz", ".txt")]
        hashes = {"all": sha256(*data), "files": {path.name: sha256(path) for path in files}}
        write_json(folder / "card.json", describe(splits, facts) | {"sha256": hashes})


def describe(splits: Mapping[str, Stream | Pairs], facts: CardFields) -> dict[str, Any]:
    """The card but for the hashes of the files."""
    train_items = {item.tobytes() for item in _items(splits["train"], facts)}
    train_pairs = set(_pairs(splits["train"]))
    return {
        "title": facts.title,
        "source": dict(facts.source),
        "licence": facts.source.get("licence"),
        "vocabulary_size": facts.vocabulary_size,
        "references": dict(facts.references),
        **facts.more,
        "splits": {
            name: {
                **_sizes(split),
                "characters": None if facts.characters is None else facts.characters[name],
                "unknown_rate": unknown_rate(split, facts.unknown),
                "lengths": {"of": _unit(split, facts), **percentiles(_lengths(split, facts))},
                "share_seen_in_train": None if name == "train" else _share_seen(split, facts, train_items),
                **_sides(split, facts, None if name == "train" else train_pairs),
            }
            for name, split in splits.items()
        },
    }


def percentiles(lengths: NDArray[np.int64]) -> dict[str, int]:
    """For each of `PERCENTILES`, the smallest of ``lengths`` (D,) that so many percent of them do not exceed."""
    return {str(q): int(np.percentile(lengths, q, method="inverted_cdf")) for q in PERCENTILES}


def unknown_rate(split: Stream | Pairs, unknown: int | None) -> float | None:
    """The share of the split's tokens that are ``unknown``; ``None`` where no token stands for unknown ones."""
    return None if unknown is None else float((split[0] == unknown).mean())


def _sizes(split: Stream | Pairs) -> dict[str, int]:
    if isinstance(split, Stream):
        scored = int(split.scored.sum())
        return {"documents": len(split.documents) - 1, "tokens": len(split.tokens), "scored_tokens": scored}
    return {"rows": len(split.input_offsets) - 1, "steps": len(split.inputs), "targets": len(split.targets)}


def _sides(split: Stream | Pairs, facts: CardFields, train_pairs: set[tuple[bytes, bytes]] | None) -> dict[str, Any]:
    """What the card says of targets that are sequences, and of them together with their inputs."""
    if isinstance(split, Stream) or split.target_offsets is None:
        return {}
    pairs = _pairs(split)
    unknown = None if facts.target_unknown is None else float((split.targets == facts.target_unknown).mean())
    return {
        "target_unknown_rate": unknown,
        "target_lengths": {"of": "row", **percentiles(np.diff(split.target_offsets))},
        "share_pairs_seen_in_train": None if train_pairs is None else sum(pair in train_pairs for pair in pairs) / len(pairs),
    }


def _pairs(split: Stream | Pairs) -> list[tuple[bytes, bytes]]:
    """The rows of inputs and targets that are both sequences."""
    if isinstance(split, Stream) or split.target_offsets is None:
        return []
    sides = ((split.inputs, split.input_offsets), (split.targets, split.target_offsets))
    inputs, targets = ([side[start:end].tobytes() for start, end in pairwise(offsets)] for side, offsets in sides)
    return list(zip(inputs, targets, strict=True))


def _unit(split: Stream | Pairs, facts: CardFields) -> str:
    """What the card measures the lengths of, and looks for in the training split."""
    if isinstance(split, Pairs):
        return "row"
    return "line" if len(split.documents) == 2 and facts.line_end is not None else "document"


def _offsets(split: Stream | Pairs, facts: CardFields) -> NDArray[np.int64]:
    """Where the documents, rows or lines begin, and where the last of them ends: (D + 1,)."""
    if isinstance(split, Pairs):
        return split.input_offsets
    if _unit(split, facts) == "document":
        return split.documents
    ends = np.flatnonzero(split.tokens == facts.line_end) + 1
    return np.unique(np.concatenate([[0], ends, [len(split.tokens)]]))  # a last line without an end is one too


def _lengths(split: Stream | Pairs, facts: CardFields) -> NDArray[np.int64]:
    """Steps of each document, row or line, the end mark included: (D,)."""
    return np.diff(_offsets(split, facts))


def _items(split: Stream | Pairs, facts: CardFields) -> list[NDArray[Any]]:
    """The documents, rows or lines that are long enough to be told apart, as views (T,) or (T, F)."""
    least = facts.shortest_line if _unit(split, facts) == "line" else 1
    offsets = _offsets(split, facts)
    return [split[0][start:end] for start, end in pairwise(offsets) if end - start >= least]


def _share_seen(split: Stream | Pairs, facts: CardFields, train_items: set[bytes]) -> float | None:
    """The share of documents, rows or long lines whose inputs occur verbatim in the training split."""
    items = _items(split, facts)
    return sum(item.tobytes() in train_items for item in items) / len(items) if items else None
