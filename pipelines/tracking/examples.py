"""An example of what a served model takes: the first item of the test split, as a request gives it."""

import json
from pathlib import Path
from typing import Any

from rnn_lightning.predictors import read_description

DIGITS, LONGEST = 4, 20_000
"""Decimals of the numbers of an example, and its characters at most."""
TEXTS = ("test.source.txt", "test.txt")
"""Files of a processed corpus that have what is read as text: a text a line, or a word and its tag."""


def example_of(folder: Path, processed: Path) -> str | None:
    """For the predictor in ``folder``, from the ``processed`` corpus; ``None`` where no item can be made of its arrays."""
    for name in TEXTS:
        if (processed / name).exists():
            return _text(processed / name)
    description = read_description(folder)
    inputs = description.get("inputs", {})
    made = {"text": _decoded, "tokens": _numbers, "arrays": _array}.get(inputs.get("name"))
    example = made(_first_row(processed), folder, inputs) if made and (processed / "test.npz").exists() else None
    return example if example and len(example) <= LONGEST else None


def _text(file: Path) -> str:
    """A line; of words with their tags a line each, the words of the first sentence."""
    lines = []
    with file.open(encoding="utf-8") as all_lines:
        for line in all_lines:
            if "\t" not in line:
                return " ".join(lines) or line.rstrip("\n")
            lines.append(line.partition("\t")[0])
    return " ".join(lines)


def _first_row(processed: Path) -> Any:
    import numpy as np

    with np.load(processed / "test.npz") as arrays:
        if "tokens" in arrays:
            return arrays["tokens"][: int(arrays["documents"][1])]
        return arrays["inputs"][: int(arrays["input_offsets"][1])]


def _decoded(row: Any, folder: Path, inputs: dict[str, Any]) -> str:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / inputs["tokenizer"])).decode(row.tolist())


def _numbers(row: Any, folder: Path, inputs: dict[str, Any]) -> str:
    return " ".join(map(str, row.tolist()))


def _array(row: Any, folder: Path, inputs: dict[str, Any]) -> str:
    return json.dumps(row.round(DIGITS).astype(float).round(DIGITS).tolist())
