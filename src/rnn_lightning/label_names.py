"""Labels by their names, and what a label is."""

from collections.abc import Sequence

UNITS = {"character": "cer", "phoneme": "per", "word": "wer"}
"""What a label is, and the name of the rate of errors in it."""


def text_of_labels(names: Sequence[str], unit: str, labels: Sequence[int]) -> str:
    """The ``labels`` of one row by their ``names``: characters side by side, else with a blank space between."""
    return ("" if unit == "character" else " ").join(names[label] for label in labels)


def labels_of_text(names: Sequence[str], unit: str, text: str) -> list[int]:
    """The labels that a ``text`` names: the inverse of `text_of_labels`.

    Raises:
        ValueError: for a name that is none of ``names``.
    """
    parts = list(text) if unit == "character" else text.split()
    if unknown := [part for part in parts if part not in names]:
        raise ValueError(f"there is no {unit} {unknown[0]!r}: there are {', '.join(map(repr, names))}")
    return [list(names).index(part) for part in parts]
