"""Labels and target tokens: their names, how many there are, and the one that ends a target.

Shapes: B rows, U target steps.
"""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checks import check_choice, check_counts, check_names, shown
from ..label_names import UNITS
from ..sequences import IGNORED


def check_tokens_of_targets(
    target_vocab_size: int | None, end: int | None, labels: Sequence[str] | None, unit: str | None
) -> tuple[int, int]:
    """How many target tokens there are, and which of them ends a target.

    Raises:
        ValueError: for names without their unit or beside a number, and an end that is no token.
    """
    if labels is None:
        if unit is not None:
            raise ValueError(f"unit says what a label is, and there are no labels: leave out {shown(unit)}")
        check_counts(target_vocab_size=target_vocab_size)
        size = cast(int, target_vocab_size)
    else:
        check_names("labels", labels, least=2)
        check_choice("unit", unit, sorted(UNITS))
        if target_vocab_size is not None:
            raise ValueError(f"labels say how many target tokens there are: leave out target_vocab_size, {target_vocab_size}")
        size, end = len(labels), 0 if end is None else end
    check_counts(least=0, most=size - 1, end=end)
    return size, cast(int, end)


def put_end(targets: Tensor, end: int) -> Tensor:
    """``targets`` (B, U), `IGNORED` behind the last real one of each row, with ``end`` behind that: (B, U + 1).

    Raises:
        ValueError: on the CPU, for a target that has the end already.
    """
    if targets.device.type == "cpu" and len(wrong := (targets == end).nonzero()):
        row, step = wrong[0].tolist()
        raise ValueError(f"target {end} in row {row}, step {step} is the end, which is put behind each target: leave it out")
    longer = F.pad(targets, (0, 1), value=IGNORED)
    places = torch.arange(1, longer.shape[1] + 1, device=targets.device)
    behind = torch.where(longer != IGNORED, places, 0).amax(1, keepdim=True)  # (B, 1)
    return longer.scatter(1, behind, end)


def check_ends(targets: Tensor, end: int) -> None:
    """Refuse ``targets`` (B, U) of which a row does not have ``end`` as its last real token, and there alone.

    Raises:
        ValueError: naming the row.
    """
    real = targets != IGNORED
    last = real & (real.flip(1).cumsum(1).flip(1) == 1)
    wrong = ((targets == end) != last).any(1).nonzero()
    if len(wrong):
        row = int(wrong[0])
        raise ValueError(
            f"each target must end with the token {end} (end), and have it nowhere else; the one in row {row} is "
            f"{targets[row][real[row]].tolist()}: append the token to the targets, and count it in target_lengths"
        )
