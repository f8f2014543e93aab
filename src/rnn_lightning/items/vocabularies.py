"""What the numbers of a corpus or a run stand for: those of tokens, words, characters and answers, and input features."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .folders import read_tokenizer

GIVEN = ("classes", "labels", "tags", "targets")
"""Vocabularies that are arguments of a system; the others are in files of a processed corpus and of a run."""
ANSWERS = (*GIVEN, "outputs")
"""Vocabularies of answers; `numbers_told` has the outputs."""
EACH_TARGET = "each target"
"""What a network reads and tells that has the same weights for every target."""
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

    found: dict[str, list[str]] = {name: list(arguments[name]) for name in GIVEN if arguments.get(name)}
    found |= numbers_told(description, arguments)
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


def numbers_told(description: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, list[str]]:
    """The ``values`` and the ``outputs`` of a network that tells numbers, by name in the order of its output layer's rows:
    step by step, of a step target by target, of a target quantile by quantile. Of one that tells a number alone, that which
    the description names. Nothing where nothing is named."""
    if not arguments.get("targets"):
        return {"outputs": [description["value"]]} if "value" in description else {}
    targets, quantiles = targets_of(arguments), arguments.get("quantiles")
    values = targets if quantiles is None else [f"{target} at {quantile}" for target in targets for quantile in quantiles]
    if arguments.get("horizon") is None:
        return {"values": values, "outputs": values}
    more = [f" of {description['width']}"] if "width" in description else []
    more += [f" by level {level}"] if (level := arguments.get("level", "none")) != "none" else []
    steps = range(1, 2 if arguments.get("recursive") else arguments["horizon"] + 1)
    return {"values": values, "outputs": [f"{value}, step {step}{''.join(more)}" for step in steps for value in values]}


def targets_of(arguments: Mapping[str, Any]) -> list[str]:
    """The targets that a network tells apart: all, or one that stands for each where it reads them ``apart``."""
    return [EACH_TARGET] if arguments.get("apart") else list(arguments["targets"])


def features(description: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What the features of a step are, in plain values: names of columns, or how they are computed. Two networks whose features
    are equal may read with the same weights. Nothing where tokens are read; arguments are as those of `vocabularies`."""
    inputs = dict(description.get("inputs", {}))
    name = inputs.get("name")
    if name in (None, "text", "tokens"):
        return {}
    if name == "series":
        measured = [*targets_of(arguments), *inputs.get("past", ())]
        known = [*inputs.get("known", ()), *inputs.get("calendar", ())]
        inputs = {"name": name, "columns": [*measured, *known], "known": known, "width": description.get("width")}
        inputs |= {"level": arguments.get("level", "none"), "known_of": "next" if arguments.get("recursive") else "own"}
    elif name == "strokes":
        inputs = {"upright": False, **inputs}  # as `corpora.signals.trajectory_of` takes it
    return json.loads(json.dumps(inputs))
