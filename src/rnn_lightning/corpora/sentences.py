"""Sentences with a tag for each word: words left out, tags that a scheme forbids or that the training split lacks."""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import chain, islice
from typing import Any, NamedTuple

from ..tag_schemes import irregular_steps, regular, scheme_of
from ..workers import Workers
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


@dataclass(frozen=True)
class Kept:
    """What is kept of sentences: the words without a tag of ``leave_out``, in sentences that have any.

    With a ``scheme``, tags are written as it allows, for the spans that conlleval reads.
    """

    leave_out: Sequence[str]
    scheme: str | None = None

    def __call__(self, sentences: Iterable[Sentence]) -> list[Sentence]:
        kept = [without_tags(sentence, self.leave_out) for sentence in sentences]
        if self.scheme is not None:
            kept = [sentence._replace(tags=regular(sentence.tags, self.scheme)) for sentence in kept]
        return [sentence for sentence in kept if sentence.words]


class Counts(NamedTuple):
    """How often each word and each tag occurs, in the order of their first places, and how many words and sentences are left
    out."""

    words: Counter[str]
    tags: Counter[str]
    left_out: Counter[str]


@dataclass(frozen=True)
class Counting:
    """Counts what is ``kept`` of sentences, and checks it."""

    kept: Kept

    def __call__(self, sentences: Sequence[Sentence]) -> Counts:
        some = self.kept(sentences)
        check_words(some)
        words, before = Counter(chain.from_iterable(each.words for each in some)), sum(len(each.words) for each in sentences)
        left_out = {"words": before - words.total(), "sentences": len(sentences) - len(some)}
        return Counts(words, Counter(tags_in(some)), Counter(left_out))


def count(sentences: Iterable[Sentence], kept: Kept, workers: Workers) -> Counts:
    """The counts of what is ``kept`` of the ``sentences``.

    Raises:
        CorpusError: where a word has no tag, or a tab or a line break is in one; names the place.
    """
    total = Counts(Counter(), Counter(), Counter(words=0, sentences=0))
    for _, some in workers.map(Counting(kept), sentences):
        for counts, more in zip(total, some, strict=True):
            counts.update(more)
    return total


def tags_in(sentences: Iterable[Sentence]) -> list[str]:
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


@dataclass(frozen=True)
class Looking:
    """Looks in what is ``kept`` of sentences for tags that the ``scheme`` forbids: how many, the first, and the tags, which
    are repaired where ``repair`` says so."""

    kept: Kept
    scheme: str
    repair: bool

    def __call__(self, sentences: Sequence[Sentence]) -> tuple[int, list[str], Counter[str]]:
        some = self.kept(sentences)
        found = [(each, step) for each in some for step in irregular_steps(each.tags, self.scheme)]
        named = ((each.places[step], each.words[step], each.tags[step]) for each, step in found[:SHOWN])
        first = [f"{place}: {word!r} has the tag {tag!r}, which {self.scheme} forbids there" for place, word, tag in named]
        repaired = replace(self.kept, scheme=self.scheme)(sentences) if self.repair else some
        return len(found), first, Counter(tags_in(repaired))


def regularized(
    splits: Mapping[str, Iterable[Sentence]],
    tags: dict[str, Counter[str]],
    kept: Kept,
    title: str,
    *,
    repair: bool,
    workers: Workers,
) -> tuple[Kept, dict[str, Counter[str]], dict[str, Any] | None]:
    """What is kept of the ``splits``, with ``repair`` without irregular tags, how often its tags occur, and the entry of the
    card on irregular ones: none where the ``tags``, which are counted, are of no scheme.

    Raises:
        CorpusError: for ``repair`` of tags that mark no spans.
    """
    scheme = scheme_of(sum(tags.values(), Counter()))
    if scheme is None:
        if repair:
            raise CorpusError(f"{title}: repair is for tags of BIO or BIOES, and these are of neither")
        return kept, tags, None
    irregular, found = Irregular(scheme, {}, {}), {}
    for split, sentences in splits.items():
        looked = [result for _, result in workers.map(Looking(kept, scheme, repair), sentences)]
        irregular.counts[split] = sum(number for number, _, _ in looked)
        irregular.first[split] = list(islice(chain.from_iterable(first for _, first, _ in looked), SHOWN))
        found[split] = reduce(_added, (some for _, _, some in looked), Counter[str]())
    irregular.tell(repaired=repair)
    return replace(kept, scheme=scheme if repair else None), found, {**irregular._asdict(), "repaired": repair}


def _added(total: Counter[str], more: Counter[str]) -> Counter[str]:
    """The sum of counts, in the order of their first places."""
    total.update(more)
    return total


def unknown_tags(tags: Mapping[str, Counter[str]], known: Sequence[str]) -> dict[str, dict[str, int]]:
    """How often tags that are not ``known`` occur in the splits besides ``train``, of which the ``tags`` are counted."""
    others = {split: some for split, some in tags.items() if split != "train"}
    return {split: {tag: n for tag, n in sorted(some.items()) if tag not in known} for split, some in others.items()}


def column_texts(sentences: Iterable[Sentence]) -> list[str]:
    """The sentences as text in two columns: a word and its tag a line."""
    return ["".join(f"{word}\t{tag}\n" for word, tag in zip(some.words, some.tags, strict=True)) for some in sentences]
