"""Cells that run step by step, and the loop that makes a network of one.

Shapes: B rows, T steps, F features in, H hidden units, G gates, P features of a projected input.
"""

from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..kernels import AUTO
from ..sequences import State, leaves, length_mask, map_state, select_state
from .architecture import LOOP, Architecture, Layout
from .by_kernel import sequence_by_kernel
from .contract import Recurrent
from .exported import scanned
from .given import check_cell, check_extra, errors_of_own, is_own
from .initial_state import LearnedStart
from .initialisation import RECURRENT_WEIGHT, ForgetBias, Init, draw_, initialise
from .padded import at_the_end
from .wrappers import Bidirectional


class Cell(nn.Module, Architecture):
    """One step of a recurrent network, in three methods: the state at the start, the input's projection, the step itself.

    A cell declares its ``gates`` and is given W (G * H, F), U (G * H, H) and b (G * H,), a block for each gate, as
    ``input_weight``, ``recurrent_weight`` (unless it says that it has none) and ``bias``. A ``diagonal`` U has shape (G * H,);
    W has ``window`` * F columns. ``renamed`` maps the names that its parameters had in older checkpoints to those of today.
    Its ``options`` may be ``heads``: units stand in several of D each, between which U has no weights, and U is (G * H, D);
    ``expansion``: its gates have so many times H units, of which an output is made; ``zoneout``, of a state h or (h, c) whose h
    is the output, and ``zoneout_cell``, of its c; and ``recurrent_dropout``, which its step applies by `dropped`.
    """

    backend = LOOP
    has_recurrent_weight: ClassVar[bool] = True
    diagonal: ClassVar[bool] = False
    window: ClassVar[int] = 1
    scans: ClassVar[bool] = False
    """Whether all its steps at once are for every device and precision, not only for single precision and more on the CPU."""
    renamed: ClassVar[Mapping[str, str]] = {}
    constants: ClassVar[Mapping[int, float]] = {}
    """The tensors of the state, by place, that are these numbers where a learned start has parameters for the others."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        init: Init = "orthogonal",
        forget_bias: ForgetBias = 1.0,
        heads: int = 1,
        expansion: int = 1,
        zoneout: float = 0.0,
        zoneout_cell: float = 0.0,
        recurrent_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.zoneout, self.recurrent_dropout = (zoneout, zoneout_cell), recurrent_dropout
        self.input_size, self.hidden_size, self.heads, self.expansion = input_size, hidden_size, heads, expansion
        rows, columns = sum(self.block_sizes()), hidden_size // heads
        self.input_weight = nn.Parameter(torch.empty(rows, self.window * input_size))
        if self.has_recurrent_weight:
            self.recurrent_weight = nn.Parameter(torch.empty(rows) if self.diagonal else torch.empty(rows, columns))
        self.bias = nn.Parameter(torch.empty(rows))
        initialise(self, self.gates, init, forget_bias, sizes=self.block_sizes(), heads=heads)
        for name, value in self.extra_parameters().items():
            check_extra(type(self).__name__, name, value, dir(self))
            self.register_parameter(name, nn.Parameter(value))
            if name.startswith(RECURRENT_WEIGHT) and init != "orthogonal":
                draw_(name, self.get_parameter(name), self.block_sizes(), init, heads)
        self.register_load_state_dict_pre_hook(partial(rename, self.renamed))

    def block_sizes(self) -> list[int]:
        """The rows of the block that each gate has in W, U and b."""
        return [self.expansion * self.hidden_size] * len(self.gates)

    def extra_parameters(self) -> dict[str, Tensor]:
        """The parameters besides W, U and b: initial values by name. One whose name begins with ``recurrent_weight`` has these
        where ``init`` is ``orthogonal``, and else is drawn as U is."""
        return {}

    def zeros(self, inputs: Tensor) -> Tensor:
        """A vector of zeros for each row of ``inputs`` (B, ...): (B, H)."""
        return self.input_weight.new_zeros(inputs.shape[0], self.hidden_size)

    @abstractmethod
    def start(self, inputs: Tensor) -> State:
        """The state before the first step, for the rows of ``inputs`` (B, ...)."""

    @abstractmethod
    def project(self, inputs: Tensor) -> Tensor:
        """The part that depends on the input alone, for all steps in one product: (B, T, F) to (B, T, P)."""

    @abstractmethod
    def step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: (B, P) and a state to the output (B, H) and the next state."""

    def dropped(self, candidate: Tensor) -> Tensor:
        """What is left of a ``candidate`` by recurrent dropout."""
        return F.dropout(candidate, self.recurrent_dropout) if self.recurrent_dropout and self.training else candidate

    def zoned_step(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        """As `step`; by zoneout units keep what they had, or at evaluation the share of it that they keep on average."""
        output, after = self.step(projected, state)
        if not any(self.zoneout):
            return output, after
        rates = iter(self.zoneout)
        after = map_state(lambda new, old: self._zoned(next(rates), new, old), after, state)
        return leaves(after)[0].to(output.dtype), after

    def _zoned(self, rate: float, new: Tensor, old: Tensor) -> Tensor:
        if not self.training:
            return new + rate * (old - new)
        return torch.where(torch.rand(new.shape, device=new.device) < rate, old, new)

    @property
    def draws_masks(self) -> bool:
        """Whether it draws masks at each step, in training at least."""
        return any(self.zoneout) or self.recurrent_dropout > 0

    @property
    def has_masks(self) -> bool:
        """Whether its steps are others than its equations say, so that they are computed one by one."""
        return any(self.zoneout) or (self.training and self.recurrent_dropout > 0)

    def sequence(self, projected: Tensor, state: State) -> tuple[Tensor, State] | None:
        """All steps at once, with a backward pass of its own: projected inputs (T, B, P) and a state to the outputs (T, B, H)
        and the states after each step, (T, B, H) for each of their tensors. ``None``: this cell has none."""
        return None

    def shared(self) -> tuple[Tensor, ...]:
        """The parameters, besides the recurrent weight, that all steps share."""
        return ()

    def by_kernel(self, projected: Tensor, state: State) -> tuple[Tensor, State]:
        """As `sequence`, by the cell's kernel."""
        assert self.triton is not None
        parts = (state,) if isinstance(state, Tensor) else state
        tensors = (projected, self.recurrent_weight, *parts, *(part.contiguous() for part in self.shared()))
        outputs, states = sequence_by_kernel(self.triton, self.chosen_backend, tensors)
        return outputs, states[0] if isinstance(state, Tensor) else states

    def whole(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State] | None:
        """All steps of ``inputs`` (B, T, F) at once: outputs, anything in the padding, and the state after each row's last real
        step; by `sequence`, or by a kernel if one is asked for, unless a cell has another way. ``None``: this cell has none."""
        by_time = inputs.transpose(0, 1)
        if self.chosen_backend == AUTO:
            # A product of the inputs would be wasted on a cell without such a sequence.
            found = None if type(self).sequence is Cell.sequence else self.sequence(self.project(by_time), state)
        else:
            found = self.by_kernel(self.project(by_time), state)
        if found is None:
            return None
        outputs, states = map_state(lambda part: part.transpose(0, 1), found)
        if lengths is None:
            return outputs, map_state(lambda parts: parts[:, -1], states)
        return outputs, map_state(lambda parts, start: at_the_end(parts, lengths, start), states, state)

    def exported(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        """All steps of ``inputs`` (B, T, F) as `torch.export` writes them down: outputs, anything in the padding, and the state
        after each row's last real step."""
        return scanned(self.zoned_step, self.project(inputs), lengths, state)

    @classmethod
    def layer(cls, input_size: int, layout: Layout) -> Recurrent:
        options = {name: getattr(layout, name) for name in cls.options}
        given = {"init": layout.init, "forget_bias": layout.forget_bias, **options}
        with errors_of_own(cls):
            cells = [cls(input_size, layout.hidden_size, **given) for _ in range(2 if layout.bidirectional else 1)]
            forwards, *backwards = (Unrolled(cell, learned=layout.initial_state == "learned") for cell in cells)
        if is_own(cls):
            check_cell(cells[0])
        return Bidirectional(forwards, *backwards) if backwards else forwards


def rename(names: Mapping[str, str], _: nn.Module, state_dict: dict[str, Any], prefix: str, *__: Any) -> None:
    """Give the parameters ``prefix`` + name of ``state_dict`` the names that ``names`` has for theirs."""
    for former, name in names.items():
        if prefix + former in state_dict:
            state_dict[prefix + name] = state_dict.pop(prefix + former)


class Unrolled(Recurrent):
    """The loop over time: a cell run over the steps of a sequence, one after the other.

    On the CPU, and everywhere if it `scans` or a kernel is asked for, a cell that can do all steps at once (`Cell.whole`) does
    so, unless ``at_once`` is false. The state at the start is ``learned``, or the cell's own.
    """

    bidirectional = False
    at_once = True

    def __init__(self, cell: Cell, *, learned: bool = False) -> None:
        super().__init__()
        self.cell = cell
        self.input_size, self.output_size = cell.input_size, cell.hidden_size
        self.learned = LearnedStart(cell.start(cell.bias.new_empty(1, 1)), cell.constants) if learned else None

    def start(self, inputs: Tensor) -> State:
        start = self.cell.start(inputs)
        return start if self.learned is None else self.learned(start)

    def read(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State]:
        if torch.compiler.is_exporting():
            return self.cell.exported(inputs, lengths, state)
        whole = self._read_at_once(inputs, lengths, state)
        if whole is not None:
            return whole
        steps = self.cell.project(inputs).unbind(1)
        real = None if lengths is None else length_mask(lengths.to(inputs.device), len(steps)).unbind(1)
        outputs = []
        for time, projected in enumerate(steps):
            output, after = self.cell.zoned_step(projected, state)
            state = after if real is None else select_state(real[time], after, state)
            outputs.append(output)
        return torch.stack(outputs, 1), state

    def _read_at_once(self, inputs: Tensor, lengths: Tensor | None, state: State) -> tuple[Tensor, State] | None:
        steps = inputs.shape[1] if lengths is None else max(1, int(lengths.max()))
        by_loop = inputs.device.type != "cpu" or torch.is_autocast_enabled("cpu")
        if not self.at_once or self.cell.has_masks:
            return None
        if self.cell.chosen_backend == AUTO and (steps == 1 or (by_loop and not self.cell.scans)):
            return None
        found = self.cell.whole(inputs[:, :steps], lengths, state)
        if found is None or steps == inputs.shape[1]:
            return found
        outputs, last = found
        return F.pad(outputs, (0, 0, 0, inputs.shape[1] - steps)), last
