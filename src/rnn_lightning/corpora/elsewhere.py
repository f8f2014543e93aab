"""The test split of one corpus in the vocabulary and the classes of a model that was trained on another.

A class or label that the model does not have gets a number behind its own, so that it counts as an error.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..files import read_text, sha256, whole_folder, write_json
from ..workers import ALONE
from .card import unknown_rate
from .corpus import CorpusError, Pairs, RawSplit, Split
from .examples import UNKNOWN_LABEL
from .files import write_split
from .lexicon import LEXICON, Lexicon, offsets_of
from .sentences import Kept, count, regularized, unknown_tags
from .tagged import TagEncoder, spool
from .text import split_lines
from .translation import encode_pairs
from .vocabulary import UNKNOWN_TOKEN, encode_lines

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENIZER, TARGET_TOKENIZER = "tokenizer.json", "target_tokenizer.json"
SHOWN = 5
"""Names that an error lists."""


class Known(NamedTuple):
    """What a trained model knows: the tokenizers or the lexicon in its run's ``folder``, and the ``names`` of its classes or
    labels."""

    folder: Path
    names: Sequence[str] = ()


class Encoded(NamedTuple):
    """A test split in what a model knows.

    ``files`` are texts of the processed folder by name, ``card`` entries of its card. ``unknown`` counts what the model does
    not know, ``added`` are the classes or labels that stand behind its own for that.
    """

    split: Split
    files: dict[str, str]
    card: dict[str, Any]
    unknown: dict[str, int]
    added: list[str]


def encode_text(raw: RawSplit, known: Known) -> Encoded:
    """Rows of running text; characters that the model has no token for are left out and counted."""
    tokenizer = _tokenizer(known.folder / TOKENIZER)
    lines, unknown = split_lines(raw.rows, end_of_line=bool(tokenizer.encode("").ids)), tokenizer.token_to_id(UNKNOWN_TOKEN)
    left_out: Counter[str] = Counter()
    if unknown is None and type(tokenizer.model).__name__ == "WordLevel":
        entries = tokenizer.get_vocab()
        left_out.update(sign for line in lines for sign in line if sign not in entries)
        lines = ["".join(sign for sign in line if sign in entries) for line in lines]
    split = encode_lines(tokenizer, lines)
    return Encoded(split, {}, {"unknown_rate": unknown_rate(split.inputs, unknown)}, dict(sorted(left_out.items())), [])


def encode_translation(raw: RawSplit, known: Known) -> Encoded:
    """Rows of source and target text."""
    files = {name: read_text(known.folder / name) for name in (TOKENIZER, TARGET_TOKENIZER)}
    source, target = (_tokenizer(known.folder / name) for name in files)
    split = encode_pairs(raw.rows, (source, target))
    files |= {f"test.{side}.txt": _lines(row[at] for row in raw.rows) for at, side in enumerate(("source", "target"))}
    return Encoded(split, files, {"unknown_rate": unknown_rate(split.inputs, source.token_to_id(UNKNOWN_TOKEN))}, {}, [])


def encode_tagged(raw: RawSplit, known: Known) -> Encoded:
    """Sentences with a tag a word; what is left out and repaired is as in the corpus that they are of."""
    kept, lexicon = Kept(raw.reading.leave_out), Lexicon.read(known.folder / LEXICON)
    counted = {"test": count(raw.rows, kept, ALONE).tags}
    options = {"repair": raw.reading.repair, "workers": ALONE}
    kept, tags, _ = regularized({"test": raw.rows}, counted, kept, "the test split", **options)
    check_some_known("tag", tags["test"], lexicon.tags)
    unknown = unknown_tags(tags, lexicon.tags)["test"]
    wider = replace(lexicon, tags=[*lexicon.tags, *unknown])
    split, text = spool(raw.rows, TagEncoder(kept, wider), Path(gettempdir()), ALONE)
    files = {LEXICON: wider.text(), "test.txt": "".join(text)}
    return Encoded(split, files, {"unknown_rate": unknown_rate(split.inputs, 0), "tags": wider.tags}, unknown, list(unknown))


def encode_classes(raw: RawSplit, known: Known) -> Encoded:
    """Rows with a class; ``rows`` is a function that reads the examples, texts by the tokenizer that it is given."""
    file = known.folder / TOKENIZER
    inputs, answers, _ = raw.rows(_tokenizer(file) if file.exists() else None)
    answers = list(answers)
    unknown, classes = _names("class", answers, known)
    card = {"classes": classes, "num_classes": len(classes)}
    return Encoded(Pairs(inputs.values, inputs.offsets, _numbers(answers, classes)), {}, card, unknown, list(unknown))


def encode_transcripts(raw: RawSplit, known: Known) -> Encoded:
    """Rows with a text or a sequence of labels; those that the model does not have are one label, `UNKNOWN_LABEL`."""
    inputs, answers, _ = raw.rows
    labels = list(chain.from_iterable(answers))
    unknown, _ = _names("label", labels, known)
    added = [UNKNOWN_LABEL] if unknown and UNKNOWN_LABEL not in known.names else []
    names = [*known.names, *added]
    targets = _numbers((UNKNOWN_LABEL if label in unknown else label for label in labels), names)
    return Encoded(Pairs(inputs.values, inputs.offsets, targets, offsets_of(answers)), {}, {"labels": names}, unknown, added)


def encode_frames(raw: RawSplit, known: Known) -> Encoded:
    """Rows with a class a step."""
    inputs, answers, groups = raw.rows
    labels = list(chain.from_iterable(answers))
    unknown, classes = _names("class", labels, known)
    files = {} if groups is None else {"test.groups.txt": _lines(groups)}
    split = Pairs(inputs.values, inputs.offsets, _numbers(labels, classes), inputs.offsets)
    return Encoded(split, files, {"classes": classes}, unknown, list(unknown))


def encode_drawn(raw: RawSplit, known: Known) -> Encoded:
    """Arrays that are drawn: tokens, or features with a value a row."""
    return Encoded(raw.rows, {}, {}, {}, [])


def encode_series(raw: RawSplit, known: Known) -> Encoded:
    """A series in time, with what its own training part says of it."""
    return Encoded(raw.rows, {}, raw.reading, {}, [])


class Encoding(NamedTuple):
    """``what`` rows are, in words; the ``predictor`` that answers them, by its name; and the function that encodes them."""

    what: str
    predictor: str
    encode: Callable[[RawSplit, Known], Encoded]


ENCODINGS = {
    "text": Encoding("running text", "language", encode_text),
    "tokens": Encoding("tokens", "language", encode_drawn),
    "translation": Encoding("pairs of texts", "translation", encode_translation),
    "tagged": Encoding("sentences with a tag a word", "tagging", encode_tagged),
    "classes": Encoding("rows with a class", "classification", encode_classes),
    "values": Encoding("rows with a value", "regression", encode_drawn),
    "transcripts": Encoding("signals with their labels in order", "recognition", encode_transcripts),
    "series": Encoding("series in time", "forecasts", encode_series),
    "frames": Encoding("signals with a class a step", "frames", encode_frames),
}
"""By the kind of a `RawSplit`, how its rows are encoded."""


def check_some_known(what: str, names: Iterable[str], known: Sequence[str]) -> None:
    """Refuse a test split of which the model knows no class: all would be errors.

    Raises:
        CorpusError: naming those of both.
    """
    found = sorted(set(names))
    if not set(found) & set(known):
        raise CorpusError(f"the test split has no {what} that the model knows: it has {_some(found)}, the model {_some(known)}")


def write_test(processed: Path, encoded: Encoded, card: dict[str, Any], train: Split | None = None) -> dict[str, Any]:
    """Write an encoded test split to the folder ``processed``, atomically, with ``train`` beside it; returns the whole card.

    Raises:
        CorpusError: where the split is empty.
    """
    if not len(encoded.split.inputs):
        raise CorpusError(f"{processed / 'test'} would be empty: the test split has nothing that the model can read")
    with whole_folder(processed, sums=True) as folder:
        write_split(folder / "test.npz", encoded.split)
        for name, text in encoded.files.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        files = sorted(folder.iterdir())
        hashes = {"all": sha256(*(path for path in files if path.suffix in (".npz", ".txt")))}
        sizes = {"splits": {"test": encoded.split.sizes()}, "sha256": hashes | {"files": {p.name: sha256(p) for p in files}}}
        whole = {**card, **encoded.card, "unknown": encoded.unknown, **sizes}
        write_json(folder / "card.json", whole)
        if train is not None:
            write_split(folder / "train.npz", train)
    return whole


def _tokenizer(file: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(file))


def _names(what: str, answers: Sequence[str], known: Known) -> tuple[dict[str, int], list[str]]:
    """How often each of the ``answers`` occurs that the model does not know, and all names, its own first."""
    check_some_known(what, answers, known.names)
    counts = Counter(answers)
    unknown = {name: counts[name] for name in sorted(counts.keys() - set(known.names))}
    return unknown, [*known.names, *unknown]


def _numbers(answers: Iterable[str], names: Sequence[str]) -> NDArray[np.int32]:
    numbers = {name: number for number, name in enumerate(names)}
    return np.array([numbers[answer] for answer in answers], np.int32)


def _lines(texts: Iterable[str]) -> str:
    return "".join(f"{text}\n" for text in texts)


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:SHOWN])) + (", ..." if len(names) > SHOWN else "")
