"""Tagged corpora (sequence labelling): their preprocessing, and those on the Hub.

Universal Dependencies (Nivre et al., "Universal Dependencies v2", 2020, arXiv:2004.10643) has parts of speech, WNUT-17
(Derczynski et al., "Results of the WNUT2017 Shared Task on Novel and Emerging Entity Recognition", 2017) named entities.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..symbols import UNKNOWN_WORD
from ..vectors import Vectors, read_vectors
from .card import CardFields, write_processed
from .conll import DOCUMENT, PLACE
from .corpus import SPLITS, Corpus, CorpusError, Pairs, RawSplit
from .lexicon import LEXICON, LONGEST_WORD, Lexicon
from .parquet import read_table
from .reads import Column, given
from .sentences import (
    NO_TAG,
    Sentence,
    check_words,
    column_text,
    count_left_out,
    find_irregular,
    repaired,
    tags_in,
    unknown_tags,
    without_tags,
)
from .source import FromSource

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


@dataclass(kw_only=True, eq=False)
class TaggedCorpus(Corpus):
    """A pairs corpus of sentences with a tag a word; the fields are those of `Reading`."""

    lowercase: bool = False
    min_frequency: int = 1
    longest_word: int = LONGEST_WORD
    leave_out: Sequence[str] = ()
    vectors: str | Path | None = None
    repair: bool = False

    def __post_init__(self) -> None:
        self.reading = Reading(self.lowercase, self.min_frequency, self.longest_word, self.leave_out, self.vectors, self.repair)


@dataclass(kw_only=True, eq=False)
class Tagging(TaggedCorpus, FromSource):
    """A tagged corpus: the columns ``words`` and ``tags`` of a data set, a list each in every row.

    Tags are text, or class labels with names. ``row`` is the column that names a row in errors; without it rows are counted
    from 0. The other fields are those of `Reading` and `FromSource`.
    """

    words: str
    tags: str
    row: str | None = None

    def __post_init__(self) -> None:
        TaggedCorpus.__post_init__(self)
        FromSource.__post_init__(self)
        if self.words == self.tags:
            raise ValueError(f"words and tags must be two columns, not both {self.words!r}")

    def columns(self) -> list[Column]:
        columns = [Column("words", self.words, "words"), Column("tags", self.tags, "words")]
        return [*columns, *given("row", self.row), Column(None, DOCUMENT, "unit")]

    def preprocess(self, raw: Path, processed: Path) -> None:
        source = self.verified(raw)
        sentences = {split: self.read(raw / f"{split}.parquet") for split in SPLITS}
        title = f"{self.origin.title}, {self.tags}"
        write_tagging(processed, sentences, title=title, source=source, reading=self.reading)

    def raw_split(self, path: Path) -> RawSplit:
        return RawSplit("tagged", self.read(path), self.reading)

    def read(self, path: Path) -> list[Sentence]:
        """The rows of a Parquet file.

        Raises:
            CorpusError: where it has no such columns, or a row has not as many tags as words; names the row.
        """
        table = read_table(path, [self.words, self.tags, *([self.row] if self.row else [])])
        names = tag_names(table, self.tags, path)
        sentences, columns = [], (table[name].to_pylist() for name in (self.words, self.tags))
        for place, words, tags in zip(self.places(table, path), *columns, strict=True):
            if words is None or tags is None or None in words or (None in tags and NO_TAG not in self.leave_out):
                raise CorpusError(f"{place} has gaps in column {self.words!r} or {self.tags!r}")
            if len(words) != len(tags):
                raise CorpusError(f"{place} has {len(words)} words and {len(tags)} tags; each word needs one")
            if names is not None and (outside := [tag for tag in tags if tag is not None and not 0 <= tag < len(names)]):
                raise CorpusError(f"{place} has the tag {outside[0]}; column {self.tags!r} has names for 0..{len(names) - 1}")
            named = [NO_TAG if tag is None else tag if names is None else names[tag] for tag in tags]
            sentences.append(Sentence(words, named, [place] * len(words)))
        return sentences

    def places(self, table: Any, path: Path) -> list[str]:
        """What errors call the rows: the file and line that each was read from, where they have it."""
        if PLACE in table.column_names:
            return table[PLACE].to_pylist()
        rows = table[self.row].to_pylist() if self.row else range(len(table))
        return [f"row {row} of {path}" for row in rows]


def tag_names(table: Any, column: str, path: Path) -> list[str] | None:
    """The names of class labels, in the order of their numbers; ``None`` where the tags of a ``pyarrow.Table`` are text.

    Raises:
        CorpusError: where they are neither.
    """
    import pyarrow

    kind = table.schema.field(column).type
    inside = getattr(kind, "value_type", None)
    if inside is not None and (pyarrow.types.is_string(inside) or pyarrow.types.is_large_string(inside)):
        return None
    if inside is not None and pyarrow.types.is_integer(inside):
        from datasets import Features

        names = getattr(getattr(Features.from_arrow_schema(table.schema)[column], "feature", None), "names", None)
        if names is not None:
            return list(names)
    raise CorpusError(f"{path} has no tags in column {column!r}, but {kind}; tags are lists of text or of named class labels")


def write_tagging(
    processed: Path,
    sentences: Mapping[str, Sequence[Sentence]],
    *,
    title: str,
    source: Mapping[str, Any],
    reading: Reading,
    references: Mapping[str, float] | None = None,
) -> None:
    """Learn the lexicon from the training ``sentences`` and write every split, its text, the lexicon and the card.

    Sentences without words are left out and counted. Tags that the training split lacks cannot be learned; they come last, so
    that they count as errors, and the card says how many there are.

    Raises:
        ValueError: where a split has no word, a word no tag, or a line of ``reading.vectors`` no vector; names its place.
    """
    kept = {split: [without_tags(sentence, reading.leave_out) for sentence in some] for split, some in sentences.items()}
    filled = {split: [sentence for sentence in some if sentence.words] for split, some in kept.items()}
    for split, some in filled.items():
        if not some:
            raise CorpusError(f"{title}: the {split} split has no words")
        check_words(some)
    filled, irregular = regularized(filled, title, repair=reading.repair)
    lexicon = learn(filled["train"], reading)
    unknown = unknown_tags(filled, lexicon.tags)
    lexicon = replace(lexicon, tags=[*lexicon.tags, *sorted(set().union(*unknown.values()))])
    vectors = None if reading.vectors is None else read_vectors(reading.vectors, ["", *lexicon.words])
    more = {
        "left_out": {split: count_left_out(sentences[split], kept[split], filled[split]) for split in sentences},
        "tag_counts": {split: dict(Counter(tags_in(some)).most_common()) for split, some in filled.items()},
        "unknown_tags": unknown,
        "irregular_tags": irregular,
        **lexicon_card(lexicon, reading, vectors),
    }
    fields = CardFields(title, source, lexicon.sizes[0], references or {}, unknown=UNKNOWN_WORD, more=more)
    splits = {split: encode_sentences(some, lexicon) for split, some in filled.items()}
    files = {LEXICON: lexicon.text()} | {f"{split}.txt": column_text(some) for split, some in filled.items()}
    arrays = {} if vectors is None else {VECTORS: {"matrix": vectors.matrix, "found": vectors.found}}
    write_processed(processed, splits, fields, files, arrays)


def regularized(
    splits: dict[str, list[Sentence]], title: str, *, repair: bool
) -> tuple[dict[str, list[Sentence]], dict[str, Any] | None]:
    """The ``splits``, with ``repair`` without irregular tags, and the entry of the card on these: none without a scheme.

    Raises:
        CorpusError: for ``repair`` of tags that mark no spans.
    """
    irregular = find_irregular(splits)
    if irregular is None:
        if repair:
            raise CorpusError(f"{title}: repair is for tags of BIO or BIOES, and these are of neither")
        return splits, None
    irregular.tell(repaired=repair)
    return repaired(splits, irregular.scheme) if repair else splits, {**irregular._asdict(), "repaired": repair}


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


def learn(sentences: Sequence[Sentence], reading: Reading) -> Lexicon:
    """The lexicon of the training ``sentences``."""
    words = [word for sentence in sentences for word in sentence.words]
    return Lexicon.learn(
        words,
        tags_in(sentences),
        lowercase=reading.lowercase,
        min_frequency=reading.min_frequency,
        longest_word=reading.longest_word,
    )


def encode_sentences(sentences: Sequence[Sentence], lexicon: Lexicon) -> Pairs:
    """The arrays of the sentences."""
    encoded = lexicon.encode([sentence.words for sentence in sentences])
    return encoded._replace(targets=lexicon.encode_tags(tags_in(sentences)), target_offsets=encoded.input_offsets)
