"""Sentences with a tag for each word: words left out, tags that a scheme forbids or that the training split lacks."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain, islice
from typing import NamedTuple

from ..tag_schemes import irregular_steps, regular, scheme_of
from .corpus import CorpusError

NO_TAG = "_"
"""The tag of words that have none, in CoNLL-U."""
SHOWN = 3
"""Irregular tags of a split that are named; all are counted."""


class Sentence(NamedTuple):
    """The words of a sentence, and for each its tag and the place (file and line, or row) that errors name."""

    words: Sequence[str]
    tags: Sequence[str]
    places: Sequence[str]


class Irregular(NamedTuple):
    """Tags that the ``scheme`` of a corpus forbids where they stand: how many a split, and where the first are."""

    scheme: str
    counts: dict[str, int]
    first: dict[str, list[str]]

    def tell(self, *, repaired: bool) -> None:
        """Name the first of each split and their number on standard error."""
        written = f"written as conlleval reads them, and what is no tag of {self.scheme} as O"
        done = written if repaired else "kept as they are; task.corpus.repair=true writes them as conlleval reads them"
        for split, count in self.counts.items():
            for line in self.first[split]:
                print(f"preprocess: {line}", file=sys.stderr)
            if count:
                print(f"preprocess: the {split} split has {count} tags that {self.scheme} forbids; {done}", file=sys.stderr)


def sentence_of(words: Sequence[tuple[str, str, str]]) -> Sentence:
    """The sentence of words, each with its tag and place."""
    return Sentence(*([word[part] for word in words] for part in range(3)))


def without_tags(sentence: Sentence, leave_out: Sequence[str]) -> Sentence:
    """The sentence without the words that have a tag of ``leave_out``."""
    if not leave_out:
        return sentence
    return sentence_of([word for word in zip(*sentence, strict=True) if word[1] not in leave_out])


def tags_in(sentences: Sequence[Sentence]) -> list[str]:
    """The tags of all words."""
    return list(chain.from_iterable(sentence.tags for sentence in sentences))


def check_words(sentences: Sequence[Sentence]) -> None:
    """Check that every word has a tag, and none of both a tab or a line break in it.

    Raises:
        CorpusError: naming the place and the word.
    """
    for word, tag, place in chain.from_iterable(zip(*sentence, strict=True) for sentence in sentences):
        if not tag:
            raise CorpusError(f"{place}: the word {word!r} has no tag")
        for name, text in (("word", word), ("tag", tag)):
            if set(text) & set("\t\n\r"):
                raise CorpusError(f"{place}: the {name} {text!r} has a tab or a line break in it")


def find_irregular(splits: Mapping[str, Sequence[Sentence]]) -> Irregular | None:
    """The tags that the scheme of the ``splits`` forbids; ``None`` where their tags are of no scheme."""
    scheme = scheme_of(Counter(chain.from_iterable(map(tags_in, splits.values()))))
    if scheme is None:
        return None
    counts, first = {}, {}
    for split, sentences in splits.items():
        found = [(some, step) for some in sentences for step in irregular_steps(some.tags, scheme)]
        named = ((some.places[step], some.words[step], some.tags[step]) for some, step in islice(found, SHOWN))
        counts[split] = len(found)
        first[split] = [f"{place}: {word!r} has the tag {tag!r}, which {scheme} forbids there" for place, word, tag in named]
    return Irregular(scheme, counts, first)


def repaired(splits: Mapping[str, Sequence[Sentence]], scheme: str) -> dict[str, list[Sentence]]:
    """The ``splits`` with tags that the ``scheme`` allows, for the spans that conlleval reads."""
    return {split: [some._replace(tags=regular(some.tags, scheme)) for some in splits[split]] for split in splits}


def unknown_tags(splits: Mapping[str, Sequence[Sentence]], known: Sequence[str]) -> dict[str, dict[str, int]]:
    """How often tags that are not ``known`` occur in the splits besides ``train``."""
    counts = {split: Counter(tags_in(some)) for split, some in splits.items() if split != "train"}
    return {split: {tag: n for tag, n in sorted(some.items()) if tag not in known} for split, some in counts.items()}


def count_left_out(before: Sequence[Sentence], kept: Sequence[Sentence], filled: Sequence[Sentence]) -> dict[str, int]:
    """The numbers of words and sentences of a split that are not in its arrays."""
    words, left = (sum(len(sentence.words) for sentence in some) for some in (before, kept))
    return {"words": words - left, "sentences": len(before) - len(filled)}


def column_text(sentences: Sequence[Sentence]) -> str:
    """The sentences as text in two columns: a word and its tag a line, a blank line after each sentence."""
    lines = ("".join(f"{word}\t{tag}\n" for word, tag in zip(some.words, some.tags, strict=True)) for some in sentences)
    return "".join(f"{sentence}\n" for sentence in lines)
