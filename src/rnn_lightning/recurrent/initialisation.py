"""Initial weights, drawn by the parameters' names.

Shapes: F features in, H hidden units, G gates. W (G * H, F), U (G * H, H) and b (G * H,) hold a block for each gate.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

from ..checks import LARGEST_NUMBER, check_number, shown

Init: TypeAlias = str | Mapping[str, float]
"""``"orthogonal"``, ``"uniform"``, or ``{"uniform": r}``: see ``initialise``."""
ForgetBias: TypeAlias = float | Mapping[str, int] | None
"""A number, ``{"chrono": T}``, or ``None``: see ``initialise``."""

INPUT_WEIGHT = ("weight_ih", "input_weight")
RECURRENT_WEIGHT = ("weight_hh", "recurrent_weight")
BIAS = ("bias",)
"""How the names of W, U and b begin: in the layers of torch.nn, and in the cells here."""


def initialise(
    module: nn.Module,
    gates: Sequence[str],
    init: Init,
    forget_bias: ForgetBias,
    *,
    sizes: Sequence[int] | None = None,
    heads: int = 1,
    drawn: bool = False,
) -> None:
    """Draw W, U and b of ``module``, the parameters whose names begin as above; all others stay as they are.

    Args:
        gates: the names of the G blocks, in their order.
        init: ``orthogonal``: each block of U orthogonal (Saxe et al. 2014, arXiv:1312.6120), a diagonal U from U(0, 1), each
            block of W as Glorot and Bengio (2010) draw a layer, b zero. ``uniform``: all of them from U(-1/sqrt(H), 1/sqrt(H)),
            as torch.nn does.
            ``{"uniform": r}``: from U(-r, r).
        forget_bias: where the bias of a gate named "forget" starts, whatever ``init`` is; ``None`` leaves it to ``init``.
            ``{"chrono": T}``: at log(u) with u from U(1, T - 1), so that units remember for 2 to T steps, and that of a gate
            named "input" at -log(u) (Tallec and Ollivier 2018, arXiv:1804.11188, equation 16).
        sizes: the rows of each block; ``None``: all blocks have as many.
        heads: the blocks of U that each gate has, one above the other.
        drawn: the module comes from torch.nn, which has drawn all of them ``uniform`` already.

    Raises:
        ValueError: for another ``init`` or ``forget_bias``.
    """
    check_init(init)
    check_forget_bias(forget_bias, gates)
    left = drawn and init == "uniform"
    for name, parameter in module.named_parameters():
        rows = [len(parameter) // len(gates)] * len(gates) if sizes is None else sizes
        if name.startswith((*INPUT_WEIGHT, *RECURRENT_WEIGHT, *BIAS)) and not left:
            draw_(name, parameter, rows, init, heads)
        if name.startswith(BIAS) and "forget" in gates and forget_bias is not None:
            blocks = dict(zip(gates, parameter.detach().split(list(rows)), strict=True))
            # torch.nn adds two biases, one beside W x and one beside U h: the second one's blocks are zero.
            start_forgetting(blocks, forget_bias, share=0 if name.startswith("bias_hh") else 1)


def start_forgetting(blocks: Mapping[str, Tensor], bias: float | Mapping[str, int], share: int) -> None:
    """Set the forget gate of a bias, whose ``blocks`` go by the names of gates, to ``share`` times where it starts."""
    forget = blocks["forget"]
    if not isinstance(bias, Mapping):
        forget.fill_(share * bias)
        return
    forget.uniform_(1, bias["chrono"] - 1).log_().mul_(share)
    if "input" in blocks:
        torch.neg(forget, out=blocks["input"])


def draw_(name: str, parameter: Tensor, rows: Sequence[int], init: Init, heads: int) -> None:
    """Draw one of W, U and b, by its name; its blocks have so many ``rows``, and each of those of U so many ``heads``."""
    if init != "orthogonal":
        bound = max(rows) ** -0.5 if init == "uniform" else uniform_range(init)
        nn.init.uniform_(parameter, -bound, bound)
    elif name.startswith(BIAS):
        nn.init.zeros_(parameter)
    elif parameter.dim() == 1:
        nn.init.uniform_(parameter)
    else:
        recurrent = name.startswith(RECURRENT_WEIGHT)
        for block in parameter.split([size // heads for size in rows for _ in range(heads)] if recurrent else list(rows)):
            (nn.init.orthogonal_ if recurrent else nn.init.xavier_uniform_)(block)


def check_init(init: Init) -> None:
    """Refuse what is neither the name of an initialisation nor a range.

    Raises:
        ValueError: naming what is allowed.
    """
    if not (isinstance(init, str) and init in ("orthogonal", "uniform")) and not 0 < uniform_range(init) < math.inf:
        raise ValueError(f"init must be 'orthogonal', 'uniform' or {{'uniform': r}} with a number r above 0, not {shown(init)}")


def check_forget_bias(bias: ForgetBias, gates: Sequence[str]) -> None:
    """Refuse what is no start of a forget gate, and ``chrono`` where there is none.

    Raises:
        ValueError: naming what is allowed.
    """
    if not isinstance(bias, Mapping):
        if bias is not None:
            check_number("forget_bias", bias)
        return
    steps = bias.get("chrono")
    if set(bias) != {"chrono"} or type(steps) is not int or not 3 <= steps <= LARGEST_NUMBER:
        most = "a whole number T of at least 3, the most steps to remember"
        raise ValueError(f"forget_bias must be a number, None or {{'chrono': T}} with {most}, not {shown(bias)}")
    if "forget" not in gates:
        raise ValueError(f"forget_bias={shown(bias)} is for cells with a forget gate, and this one has {', '.join(gates)}")


def uniform_range(init: Init) -> float:
    """The r of ``{"uniform": r}``, NaN for anything else."""
    if not isinstance(init, Mapping) or set(init) != {"uniform"}:
        return math.nan
    r = init["uniform"]
    return r if type(r) in (int, float) and r <= LARGEST_NUMBER else math.nan
