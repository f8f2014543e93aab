"""Tagged corpora (sequence labelling): their preprocessing, and those on the Hub.

Universal Dependencies (Nivre et al., "Universal Dependencies v2", 2020, arXiv:2004.10643) has parts of speech, WNUT-17
(Derczynski et al., "Results of the WNUT2017 Shared Task on Novel and Emerging Entity Recognition", 2017) named entities.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .conll import DOCUMENT
from .corpus import SPLITS, Corpus, CorpusError, RawSplit
from .lexicon import LONGEST_WORD
from .parquet import Tables
from .reads import PLACE, Column, given
from .sentences import NO_TAG, Sentence
from .source import FromSource
from .tagged import Reading, write_tagging


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
        write_tagging(processed, sentences, title=title, source=source, reading=self.reading, workers=self.workers)

    def raw_split(self, path: Path) -> RawSplit:
        return RawSplit("tagged", self.read(path), self.reading)

    def read(self, path: Path) -> "TaggedRows":
        """The rows of a Parquet file, read some at a time, as often as they are gone through.

        Raises:
            CorpusError: where it has no such columns.
        """
        return TaggedRows(self, path)

    def sentence(self, place: str, words: Any, tags: Any, names: list[str] | None) -> Sentence:
        """The sentence of a row whose tags are numbers of ``names``, or without these text.

        Raises:
            CorpusError: where it has not as many tags as words; names the row.
        """
        if words is None or tags is None or None in words or (None in tags and NO_TAG not in self.leave_out):
            raise CorpusError(f"{place} has gaps in column {self.words!r} or {self.tags!r}")
        if len(words) != len(tags):
            raise CorpusError(f"{place} has {len(words)} words and {len(tags)} tags; each word needs one")
        if names is not None and (outside := [tag for tag in tags if tag is not None and not 0 <= tag < len(names)]):
            raise CorpusError(f"{place} has the tag {outside[0]}; column {self.tags!r} has names for 0..{len(names) - 1}")
        named = [NO_TAG if tag is None else tag if names is None else names[tag] for tag in tags]
        return Sentence(words, named, [place] * len(words))


class TaggedRows:
    """The sentences of a Parquet file; errors call a row by the file and line that it was read from, where it has them."""

    def __init__(self, corpus: Tagging, path: Path) -> None:
        needed = [corpus.words, corpus.tags, *([corpus.row] if corpus.row else [])]
        self.corpus, self.tables = corpus, Tables(path, needed)
        self.names = tag_names(self.tables.schema, corpus.tags, path)

    def __iter__(self) -> Iterator[Sentence]:
        row = None if PLACE in self.tables.schema.names else self.corpus.row
        for place, (words, tags, *name) in self.tables.placed(self.corpus.words, self.corpus.tags, *([row] if row else [])):
            yield self.corpus.sentence(f"row {name[0]} of {self.tables.path}" if name else place, words, tags, self.names)


def tag_names(schema: Any, column: str, path: Path) -> list[str] | None:
    """The names of class labels, in the order of their numbers; ``None`` where the tags of a ``pyarrow.Schema`` are text.

    Raises:
        CorpusError: where they are neither.
    """
    import pyarrow

    kind = schema.field(column).type
    inside = getattr(kind, "value_type", None)
    if inside is not None and (pyarrow.types.is_string(inside) or pyarrow.types.is_large_string(inside)):
        return None
    if inside is not None and pyarrow.types.is_integer(inside):
        from datasets import Features

        names = getattr(getattr(Features.from_arrow_schema(schema)[column], "feature", None), "names", None)
        if names is not None:
            return list(names)
    raise CorpusError(f"{path} has no tags in column {column!r}, but {kind}; tags are lists of text or of named class labels")
