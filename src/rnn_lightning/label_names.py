"""Labels by their names, and what a label is."""

from collections.abc import Sequence

UNITS = {"character": "cer", "phoneme": "per", "word": "wer"}
"""What a label is, and the name of the rate of errors in it."""


def text_of_labels(names: Sequence[str], unit: str, labels: Sequence[int]) -> str:
    """The ``labels`` of one row by their ``names``: characters side by side, else with a blank space between."""
    return ("" if unit == "character" else " ").join(names[label] for label in labels)
