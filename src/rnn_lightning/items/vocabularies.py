"""The vocabularies of a corpus or a run: what the numbers of its tokens, words, characters and answers stand for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .folders import read_tokenizer

ANSWERS = ("classes", "labels", "tags", "targets")
"""Vocabularies of answers, which are arguments of a system; the others are in files of a processed corpus and of a run."""
RESERVED = ("\0padding", "\0unknown")
"""Entries of a lexicon that stand for no text."""


def vocabularies(folder: Path, description: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, list[str]]:
    """By name, the entries of each vocabulary in the order of their numbers.

    Args:
        folder: the files: of a processed corpus, of a run, or of an export.
        description: what reads them, as `folders.read_description` gives it.
        arguments: those of the system.

    Raises:
        FileNotFoundError, ValueError: where a file is missing, or damaged.
    """
    from ..corpora.lexicon import Lexicon

    found: dict[str, list[str]] = {name: list(arguments[name]) for name in ANSWERS if arguments.get(name)}
    tokenizers = {"tokens": {**description.get("inputs", {}), **description}.get("tokenizer")}
    tokenizers["target tokens"] = description.get("target_tokenizer")
    for name, file in tokenizers.items():
        if file is not None:
            entries = read_tokenizer(folder / file).get_vocab()
            found[name] = sorted(entries, key=entries.__getitem__)
    if "lexicon" in description:
        lexicon = Lexicon.read(folder / description["lexicon"])
        found |= {"words": [RESERVED[1], *lexicon.words], "characters": [*RESERVED, *lexicon.characters], "tags": lexicon.tags}
    return found
