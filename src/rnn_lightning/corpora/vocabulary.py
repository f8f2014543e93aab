"""Tokenizers of words, characters or byte pairs, learned from training lines, and the streams they make of text.

The file that a `Tokenizer` saves is the whole truth on how text becomes tokens: it also appends the end mark of a line.
"""

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from rnn_lightning.corpora.corpus import Stream

if TYPE_CHECKING:
    from tokenizers import Tokenizer

UNKNOWN = "<unk>"
END = "<eos>"
LEVELS = ("word", "character", "bpe")


def learn_tokenizer(lines: Sequence[str], level: str, vocabulary_size: int | None, end_of_line: bool) -> "Tokenizer":
    """A tokenizer whose entries are ordered from frequent to rare, equals by their text.

    ``word`` splits at white space; words beyond the ``vocabulary_size`` most frequent entries become `UNKNOWN`.
    ``character`` and ``bpe`` lose nothing: ``decode(encode(line).ids) == line``. With ``end_of_line`` each line is
    followed by `END`.

    Raises:
        ValueError: on an unknown level, or a vocabulary size where there is none to choose or none where one is needed.
    """
    check_level(level, vocabulary_size)
    if level == "bpe":
        tokenizer = _byte_pairs(lines, vocabulary_size or 0, [END] if end_of_line else [])
    else:
        marks = [UNKNOWN] if level == "word" else []
        tokenizer = _whole_entries(lines, level, vocabulary_size, [*marks, END] if end_of_line else marks)
    if end_of_line:
        from tokenizers.processors import TemplateProcessing

        tokenizer.post_processor = TemplateProcessing(single=f"$A {END}", special_tokens=[(END, tokenizer.token_to_id(END))])
    return tokenizer


def check_level(level: str, vocabulary_size: int | None) -> None:
    """Refuse what `learn_tokenizer` cannot do.

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


def encode_lines(tokenizer: "Tokenizer", lines: Sequence[str]) -> Stream:
    """The ``lines`` one after the other, as one document of which every token is scored."""
    encodings = tokenizer.encode_batch_fast(list(lines))
    tokens = np.fromiter(chain.from_iterable(encoding.ids for encoding in encodings), dtype=np.int32)
    return Stream(tokens, np.array([0, len(tokens)], dtype=np.int64), np.ones(len(tokens), dtype=np.bool_))


def _whole_entries(lines: Sequence[str], level: str, size: int | None, marks: list[str]) -> "Tokenizer":
    """A vocabulary of whole words or characters: those of ``lines`` by frequency, and the ``marks`` wherever they rank."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    if level == "word":
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
        tokenizer.decoder = decoders.Fuse()
    everything = trainers.WordLevelTrainer(vocab_size=2**31, special_tokens=[], show_progress=False)
    tokenizer.train_from_iterator(lines, everything)
    entries = tokenizer.get_vocab()
    ranked = [*marks, *(entry for entry in sorted(entries, key=entries.__getitem__) if entry not in marks)]
    tokenizer.model = models.WordLevel({entry: rank for rank, entry in enumerate(ranked[:size])}, unk_token=UNKNOWN)
    return tokenizer


def _byte_pairs(lines: Sequence[str], size: int, marks: list[str]) -> "Tokenizer":
    """Byte pair encoding over bytes (Sennrich et al. 2016; Radford et al. 2019), so that no text is unknown."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=marks, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer
