"""Matplotlib without a screen: the look that all figures share, how one is kept, and what it may cost."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from rnn_lightning.files import written_beside

__all__ = ["LOOK", "drawing", "label", "plt", "save"]

LOOK: Any = {
    "font.size": 13,
    "axes.titlesize": 14,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "figure.figsize": (8, 5),
    "figure.dpi": 120,
    "figure.constrained_layout.use": True,
    "text.parse_math": False,  # words of a corpus are shown as they are, also those with a $
}
LONGEST_LABEL = 24
"""Characters of a name that a figure has room for."""


@contextmanager
def drawing(file: Path, *, look: Any = LOOK) -> Iterator[None]:
    """Where a picture is drawn into ``file``: in the common ``look``, and no other work fails with it.

    What goes wrong costs a line on standard error, and there is no file.
    """
    with suppress(OSError):  # of a file that cannot be removed, the work of the picture says why it cannot be written
        file.unlink(missing_ok=True)
    try:
        with plt.rc_context(look), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from")  # one for each sign that the font lacks
            yield
    except Exception as error:  # whatever it is, the run is worth more than its picture
        reason = " ".join(str(error).split())[:200]
        print(f"warning: there is no {file.name}, it cannot be drawn: {type(error).__name__}: {reason}", file=sys.stderr)
        plt.close("all")


def label(name: str) -> str:
    """A name as a figure has room for it: in one line, the end cut off where it is long."""
    line = " ".join(name.split()) or name
    return line if len(line) <= LONGEST_LABEL else f"{line[: LONGEST_LABEL - 1]}\N{HORIZONTAL ELLIPSIS}"


def save(figure: Figure, file: Path, metadata: dict[str, Any] | None = None) -> Path:
    """The figure in ``file``, with what it says of itself, and no longer in memory."""
    with written_beside(file) as partial:
        figure.savefig(partial, format=file.suffix[1:], facecolor="white", metadata=metadata)
    plt.close(figure)
    return file
