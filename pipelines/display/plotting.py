"""Matplotlib without a screen: the look that all figures share, and how one is kept."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

__all__ = ["LOOK", "plt", "save"]

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
}


def save(figure: Figure, file: Path) -> Path:
    """The figure in ``file``, and no longer in memory."""
    figure.savefig(file, facecolor="white")
    plt.close(figure)
    return file
