"""Architecture, an entry of the table of cells: how its layers are made, and a stack of them.

Shapes: F features in, H hidden units.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..checks import check_choice, check_counts
from ..kernels import AUTO
from ..sequences import check_memory
from .blocks import Convolution, WithMLP
from .contract import Recurrent
from .initialisation import ForgetBias, Init
from .wrappers import Deep, Highway, PreNorm, Residual

MASKS = ("zoneout", "zoneout_cell", "recurrent_dropout")
"""The keywords of ``build_network`` that are probabilities of masks, drawn at each step in training."""

OF_SOME_CELLS = ("heads", "expansion", "solver", *MASKS)
"""The keywords of ``build_network`` that only some cells take; the others have the default of a `Layout`."""

NONE: Mapping[str, Any] = {}

LOOP = "python loop"

SOLVERS = ("steps", "newton")
"""The values of ``solver``."""

BLOCKS = ("plain", "residual", "highway")
"""The values of ``block``."""


@dataclass(frozen=True)
class Layout:
    """The layers of a network; the fields are those keywords of ``build_network``."""

    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    residual: bool = False
    dropout: float = 0.0
    locked: bool = False
    init: Init = "orthogonal"
    forget_bias: ForgetBias = 1.0
    heads: int = 1
    expansion: int = 1
    solver: str = "steps"
    block: str = "plain"
    convolution: int = 0
    mlp: int = 0
    initial_state: str = "zeros"
    zoneout: float = 0.0
    zoneout_cell: float = 0.0
    recurrent_dropout: float = 0.0

    @property
    def has_masks(self) -> bool:
        """Whether masks are drawn at each step."""
        return any(getattr(self, name) for name in MASKS)

    @property
    def output_size(self) -> int:
        """The features that a layer makes: H, or 2 H in both directions."""
        return self.hidden_size * (2 if self.bidirectional else 1)


def have_masks(keywords: Mapping[str, Any]) -> bool:
    """Whether ``keywords`` of ``build_network`` have masks drawn at each step, by a loop in Python."""
    return any(keywords.get(name) for name in MASKS)


def check_block(layout: Layout) -> None:
    """Refuse a block that there is not, and what it has already or cannot have.

    Raises:
        ValueError: naming the keyword of ``build_network``.
    """
    check_choice("block", layout.block, BLOCKS)
    check_counts(least=0, convolution=layout.convolution, mlp=layout.mlp)
    if layout.residual and layout.block != "plain":
        raise ValueError(f"residual must be false with block={layout.block!r}, which adds each layer's input already")
    for name in ("convolution", "mlp"):
        if getattr(layout, name) and layout.block != "residual":
            raise ValueError(f"{name} must be 0 with block={layout.block!r}: it is a part of block='residual'")
    size = layout.output_size
    check_memory(convolution=layout.convolution, outputs=size, layers=layout.num_layers)
    check_memory(mlp=layout.mlp, outputs=size, inputs=size, layers=layout.num_layers)


class Architecture(ABC):
    """A kind of recurrent layer, an entry of ``CELLS``.

    ``label`` is its name in reports, ``backend`` what computes it on every device (`backend_on` says more), ``gates`` the names
    of the blocks of its weights, in their order; the bias of a gate named "forget" starts at ``forget_bias``. ``triton`` is the
    name of what computes it in `rnn_lightning.kernels`, where ``chosen_backend``, a value of ``BACKENDS`` there, asks for that.
    """

    label: ClassVar[str]
    backend: ClassVar[str]
    gates: ClassVar[tuple[str, ...]]
    triton: ClassVar[str | None] = None
    chosen_backend: str = AUTO
    options: ClassVar[tuple[str, ...]] = ()
    """The fields of a `Layout`, of `OF_SOME_CELLS`, that it takes."""

    @classmethod
    def backend_on(cls, device: str, keywords: Mapping[str, Any] = NONE) -> str:
        """What computes it in single precision on a type of ``device``, with these ``keywords`` of ``build_network``, unless a
        kernel is asked for."""
        return cls.backend

    @classmethod
    @abstractmethod
    def layer(cls, input_size: int, layout: Layout) -> Recurrent:
        """One layer, in both directions where the layout says so."""

    @classmethod
    def stack(cls, input_size: int, layout: Layout) -> Recurrent:
        """All layers, with what lies between them."""
        # The first layer is drawn last: another order would give every seed other weights.
        upper = [cls.layer(layout.output_size, layout) for _ in range(layout.num_layers - 1)]
        first = cls.layer(input_size, layout)
        if layout.block == "residual":
            upper = map(PreNorm, upper)
        if layout.residual or layout.block == "residual":
            upper = map(Residual, upper)
        if layout.block == "highway":
            upper = map(Highway, upper)
        layers = [first, *upper]
        if layout.convolution:
            layers = [Deep([Residual(PreNorm(Convolution(each.input_size, layout.convolution))), each]) for each in layers]
        if layout.mlp:
            layers = [WithMLP(layer, layout.mlp) for layer in layers]
        return Deep(layers, dropout=layout.dropout, locked=layout.locked)
