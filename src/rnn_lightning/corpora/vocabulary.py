"""Tokenizers of words, characters or byte pairs, learned from training lines, and the arrays of text that they encode.

The file that a `Tokenizer` saves has all that turns text into tokens, the end mark of a line included.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..symbols import UNKNOWN_TOKEN
from .corpus import Stream

if TYPE_CHECKING:
    from tokenizers import Tokenizer

END = "<eos>"
LEVELS = ("word", "character", "bpe")


def learn_tokenizer(
    lines: Iterable[str], level: str, vocabulary_size: int | None, end_of_line: bool, *, unknown: bool = False
) -> "Tokenizer":
    """A tokenizer whose entries are ordered from frequent to rare, equals by their text.

    ``word`` splits at white space; words beyond the ``vocabulary_size`` most frequent entries become `UNKNOWN_TOKEN`.
    ``character`` and ``bpe`` lose nothing: ``decode(encode(line).ids) == line``. With ``unknown`` a ``character`` that is
    not in ``lines`` becomes `UNKNOWN_TOKEN`, which there is else not. With ``end_of_line`` each line is
    followed by `END`, which is no part of the line; a line that spells `END` itself holds one more of them.

    Raises:
        ValueError: on an unknown level, or a vocabulary size where there is none to choose or none where one is needed.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    check_level(level, vocabulary_size)
    if level == "bpe":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        _learn_byte_pairs(tokenizer, lines, vocabulary_size or 0, [END] if end_of_line else [])
    else:
        tokenizer = _splitting(level, pre_tokenizers.WhitespaceSplit())
        marks = [UNKNOWN_TOKEN] if level == "word" or unknown else []
        _learn_entries(tokenizer, lines, vocabulary_size, [*marks, END] if end_of_line else marks)
    if end_of_line:
        _append_end(tokenizer)
    return tokenizer


def learn_sentence_tokenizer(
    lines: Iterable[str], level: str, vocabulary_size: int | None, *, min_frequency: int = 1, lowercase: bool = False
) -> "Tokenizer":
    """A tokenizer of single sentences, each followed by `END`, which no text can spell.

    Blanks around a sentence are lost, and with ``lowercase`` its case. ``word`` splits letters and digits from punctuation,
    ``\\w+|[^\\w\\s]+`` (``Whitespace`` of Hugging Face's tokenizers); words that occur less than ``min_frequency`` times or
    beyond the ``vocabulary_size`` most frequent entries become `UNKNOWN_TOKEN`, and decoded words stand between blanks. A
    ``character`` that is not in ``lines`` becomes `UNKNOWN_TOKEN`. ``bpe`` loses nothing else: a sentence's first word is read
    like one after a blank, and that blank is not decoded.

    Raises:
        ValueError: as `learn_tokenizer`, or where ``min_frequency`` does not go with the level.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    check_level(level, vocabulary_size)
    check_frequency(level, min_frequency)
    strip = normalizers.Strip()
    normalizer = normalizers.Sequence([strip, normalizers.Lowercase()]) if lowercase else strip
    if level == "bpe":
        learner = Tokenizer(models.BPE())
        learner.normalizer = normalizer
        learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        _learn_byte_pairs(learner, lines, vocabulary_size or 0, [END])
        tokenizer = Tokenizer(learner.model)  # without the learner's habit to look for the mark in the text
        tokenizer.normalizer, tokenizer.pre_tokenizer = learner.normalizer, learner.pre_tokenizer
        tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    else:
        tokenizer = _splitting(level, pre_tokenizers.Whitespace())
        tokenizer.normalizer = normalizer
        _learn_entries(tokenizer, lines, vocabulary_size, [UNKNOWN_TOKEN, END], min_frequency)
    _append_end(tokenizer)
    return tokenizer


def check_level(level: str, vocabulary_size: int | None) -> None:
    """Check the arguments of `learn_tokenizer`.

    Raises:
        ValueError: naming the value and what is allowed.
    """
    if level not in LEVELS:
        raise ValueError(f"level must be one of {list(LEVELS)}, not {level!r}")
    if level == "character" and vocabulary_size is not None:
        raise ValueError(f"vocabulary_size must be None for characters, which are all kept, not {vocabulary_size}")
    if level == "bpe" and (vocabulary_size is None or vocabulary_size < 257):
        raise ValueError(f"vocabulary_size must be at least 257 (the bytes and {END}) for bpe, not {vocabulary_size}")
    if vocabulary_size is not None and vocabulary_size < 3:
        raise ValueError(f"vocabulary_size must be at least 3, not {vocabulary_size}")


def check_frequency(level: str, min_frequency: int) -> None:
    """Check that ``min_frequency`` is 1, or more for words.

    Raises:
        ValueError: naming the value and what is allowed.
    """
    if min_frequency < 1 or (level != "word" and min_frequency != 1):
        allowed = "at least 1" if level == "word" else f"1 for level {level!r}, which has no rare words"
        raise ValueError(f"min_frequency must be {allowed}, not {min_frequency}")


def encode_lines(tokenizer: "Tokenizer", lines: Sequence[str]) -> Stream:
    """The ``lines`` concatenated to one document of which every token is scored."""
    tokens, _ = encode_rows(tokenizer, lines)
    return Stream(tokens, np.array([0, len(tokens)], dtype=np.int64), np.ones(len(tokens), dtype=np.bool_))


def encode_rows(tokenizer: "Tokenizer", lines: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The concatenated tokens (N,) of the ``lines``, and their offsets (R + 1,)."""
    encodings = [encoding.ids for encoding in tokenizer.encode_batch_fast(list(lines))]
    offsets = np.zeros(len(encodings) + 1, dtype=np.int64)
    offsets[1:] = np.cumsum([len(ids) for ids in encodings])
    return np.fromiter(chain.from_iterable(encodings), dtype=np.int32, count=int(offsets[-1])), offsets


def _splitting(level: str, words: Any) -> "Tokenizer":
    """An untrained tokenizer that splits text into words, by the pre-tokenizer ``words``, or into characters."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN_TOKEN))
    if level == "word":
        tokenizer.pre_tokenizer = words
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
        tokenizer.decoder = decoders.Fuse()
    return tokenizer


def _learn_entries(tokenizer: "Tokenizer", lines: Iterable[str], size: int | None, marks: list[str], least: int = 1) -> None:
    """Learn the vocabulary: the ``marks``, and the words or characters that ``lines`` have at least ``least`` times."""
    from tokenizers import models, trainers

    everything = trainers.WordLevelTrainer(vocab_size=2**31, min_frequency=least, special_tokens=[], show_progress=False)
    tokenizer.train_from_iterator(lines, everything)
    entries = tokenizer.get_vocab()
    ranked = [*marks, *(entry for entry in sorted(entries, key=entries.__getitem__) if entry not in marks)]
    tokenizer.model = models.WordLevel({entry: rank for rank, entry in enumerate(ranked[:size])}, unk_token=UNKNOWN_TOKEN)


def _learn_byte_pairs(tokenizer: "Tokenizer", lines: Iterable[str], size: int, marks: list[str]) -> None:
    """Learn a byte pair encoding over bytes (Sennrich et al. 2016; Radford et al. 2019), so that no text is unknown."""
    from tokenizers import pre_tokenizers, trainers

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=marks, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(lines, trainer)


def _append_end(tokenizer: "Tokenizer") -> None:
    """Have the tokenizer append `END` to each line."""
    from tokenizers.processors import TemplateProcessing

    tokenizer.post_processor = TemplateProcessing(single=f"$A {END}", special_tokens=[(END, tokenizer.token_to_id(END))])
