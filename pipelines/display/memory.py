"""What a microscope has seen of several runs, side by side in one picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.display.plotting import drawing, label, plt, save


def draw_memory(seen: Mapping[str, Mapping[str, Any]], file: Path) -> None:
    """Gradients through time, saturated gates and singular values of the runs ``seen``, by their names, in ``file``."""
    with drawing(file):
        figure, (left, middle, right) = plt.subplots(1, 3, figsize=(18, 5), width_ratios=(1.4, 1, 1))
        share = next(iter(seen.values()))["share"]
        for number, (name, found) in enumerate(seen.items()):
            largest = max(found["gradient_norms"]) or 1.0
            left.plot([norm / largest for norm in found["gradient_norms"]], label=label(name), color=f"C{number}")
            values = found["singular_values"]
            right.plot(range(1, len(values) + 1), values, marker="o", label=label(name), color=f"C{number}")
        left.axhline(share, color="grey", linestyle=":", label=f"{share:.0%} of the largest")
        left.set(title="Gradient of the loss at step T", xlabel="steps back from T", ylabel="norm, largest = 1", yscale="log")
        right.axhline(1, color="grey", linestyle=":")
        right.set(title="Singular values, state to state", xlabel="rank", ylabel="mean over steps", ylim=(0, None))
        draw_gates(middle, [(name, found["gates"]) for name, found in seen.items() if found["gates"]])
        left.yaxis.set_major_formatter(lambda value, _: f"{value:g}")  # without mathematics, which the look leaves out
        left.legend()
        save(figure, file)


def draw_gates(axes: Any, gates: Sequence[tuple[str, Mapping[str, Mapping[str, float]]]]) -> None:
    """A bar for each gate of each run: the share of its activations below 0.1, and above 0.9 on top of it."""
    bars = [(f"{label(name)}\n{gate}", of) for name, each in gates for gate, of in each.items()]
    names = [name for name, _ in bars]
    closed, opened = [of["below"] for _, of in bars], [of["above"] for _, of in bars]
    axes.barh(names, closed, color="C7", label="below 0.1")
    axes.barh(names, opened, left=closed, color="C1", label="above 0.9")
    axes.set(title="Saturated gates" if bars else "No gates", xlabel="share of activations", xlim=(0, 1))
    if bars:
        axes.legend()
