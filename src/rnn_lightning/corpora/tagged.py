"""Sentences with a tag a word, written as arrays with their lexicon and card, some at a time.

They are gone through two or three times: to count words and tags; where tags mark spans, to look for those that the scheme
forbids, which takes a look at all tags first; and to encode them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..sliced import SpooledArray, SpooledLines, SpooledRows
from ..symbols import UNKNOWN_WORD
from ..vectors import Vectors, read_vectors
from ..workers import ALONE, Workers
from .card import CardFields, write_processed
from .corpus import CorpusError, Pairs
from .lexicon import LEXICON, LONGEST_WORD, Lexicon
from .sentences import Kept, Sentence, column_texts, count, regularized, tags_in, unknown_tags

VECTORS = "vectors.npz"
"""The file of pretrained vectors in a processed folder."""


@dataclass(frozen=True)
class Reading:
    """The settings by which sentences are read and encoded.

    ``lowercase``, ``min_frequency`` and ``longest_word`` are those of `Lexicon`. Words with a tag of ``leave_out`` are left
    out: Universal Dependencies give a multi-word token the tag ``_``, or none, and let the words that it is made of follow.
    ``vectors`` is a file of pretrained vectors as `read_vectors` reads it. Tags that BIO or BIOES forbid where they stand are
    named and counted; with ``repair`` they are written as conlleval reads them: ``O I-PER`` becomes ``O B-PER``.
    """

    lowercase: bool = False
    min_frequency: int = 1
    longest_word: int = LONGEST_WORD
    leave_out: Sequence[str] = ()
    vectors: str | Path | None = None
    repair: bool = False

    def __post_init__(self) -> None:
        for name, value in (("min_frequency", self.min_frequency), ("longest_word", self.longest_word)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if isinstance(self.leave_out, str):
            raise ValueError(f"leave_out must be a list of tags, not {self.leave_out!r}")


def write_tagging(
    processed: Path,
    sentences: Mapping[str, Iterable[Sentence]],
    *,
    title: str,
    source: Mapping[str, Any],
    reading: Reading,
    references: Mapping[str, float] | None = None,
    workers: Workers = ALONE,
) -> None:
    """Learn the lexicon from the training ``sentences`` and write every split, its text, the lexicon and the card.

    Sentences without words are left out and counted. Tags that the training split lacks cannot be learned; they come last, so
    that they count as errors, and the card says how many there are.

    Raises:
        ValueError: where a split has no word, a word no tag, or a line of ``reading.vectors`` no vector; names its place.
    """
    counts = {split: count(some, Kept(reading.leave_out), workers) for split, some in sentences.items()}
    for split, some in counts.items():
        if not some.words:
            raise CorpusError(f"{title}: the {split} split has no words")
    tags = {split: some.tags for split, some in counts.items()}
    kept, tags, irregular = regularized(sentences, tags, Kept(reading.leave_out), title, repair=reading.repair, workers=workers)
    lexicon = learn(counts["train"].words, tags["train"], reading)
    unknown = unknown_tags(tags, lexicon.tags)
    lexicon = replace(lexicon, tags=[*lexicon.tags, *sorted(set().union(*unknown.values()))])
    vectors = None if reading.vectors is None else read_vectors(reading.vectors, ["", *lexicon.words])
    more = {
        "left_out": {split: some.left_out for split, some in counts.items()},
        "tag_counts": {split: dict(some.most_common()) for split, some in tags.items()},
        "unknown_tags": unknown,
        "irregular_tags": irregular,
        **lexicon_card(lexicon, reading, vectors),
    }
    fields = CardFields(title, source, lexicon.sizes[0], references or {}, unknown=UNKNOWN_WORD, more=more)
    encoded = {split: spool(some, TagEncoder(kept, lexicon), processed.parent, workers) for split, some in sentences.items()}
    files = {LEXICON: [lexicon.text()]} | {f"{split}.txt": text for split, (_, text) in encoded.items()}
    arrays = {} if vectors is None else {VECTORS: {"matrix": vectors.matrix, "found": vectors.found}}
    write_processed(processed, {split: pairs for split, (pairs, _) in encoded.items()}, fields, files, arrays)


def lexicon_card(lexicon: Lexicon, reading: Reading, vectors: Vectors | None) -> dict[str, Any]:
    """The entries of the card on the lexicon and the pretrained vectors."""
    _, num_characters, num_tags = lexicon.sizes
    return {
        "tags": lexicon.tags,
        "num_tags": num_tags,
        "num_characters": num_characters,
        "lowercase": reading.lowercase,
        "min_frequency": reading.min_frequency,
        "longest_word": reading.longest_word,
        "vectors": None
        if vectors is None
        else {"file": Path(reading.vectors or "").name, "size": vectors.matrix.shape[1], "coverage": vectors.coverage},
    }


def learn(words: Mapping[str, int], tags: Iterable[str], reading: Reading) -> Lexicon:
    """The lexicon of the training split, by how often each of its ``words`` occurs."""
    options = {"lowercase": reading.lowercase, "min_frequency": reading.min_frequency, "longest_word": reading.longest_word}
    return Lexicon.learn(words, tags, **options)


@dataclass(frozen=True)
class TagEncoder:
    """The arrays of what is ``kept`` of sentences, by the ``lexicon``, and their text."""

    kept: Kept
    lexicon: Lexicon

    def __call__(self, sentences: Sequence[Sentence]) -> tuple[Pairs, list[str]]:
        some = self.kept(sentences)
        encoded = self.lexicon.encode([sentence.words for sentence in some])
        tags = self.lexicon.encode_tags(tags_in(some))
        return encoded._replace(targets=tags, target_offsets=encoded.input_offsets), column_texts(some)


def spool(sentences: Iterable[Sentence], encoder: TagEncoder, folder: Path, workers: Workers) -> tuple[Pairs, SpooledLines]:
    """The arrays of the sentences and their text, a blank line after each, in files of ``folder``."""
    words, text = SpooledRows(np.int32, folder), SpooledLines(folder)
    tags, characters = (SpooledArray(np.int32, folder) for _ in range(2))
    ends = SpooledArray.of([0], np.int64, folder)
    for _, (pairs, lines) in workers.map(encoder, sentences):
        words.append(pairs.inputs[:], np.diff(pairs.input_offsets))
        tags.append(pairs.targets[:])
        if pairs.characters is not None and pairs.character_offsets is not None:
            ends.append(pairs.character_offsets[1:] + len(characters))
            characters.append(pairs.characters[:])
        text.append(lines)
    offsets = words.offsets
    return Pairs(words.values, offsets, tags, offsets, characters, ends), text
