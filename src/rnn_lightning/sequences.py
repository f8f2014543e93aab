"""The words every room shares: states, batches, and what is real in a padded batch.

Shapes: B rows of a batch, T steps, F features of a step. Everything is batch-first.
"""

import math
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from .checks import shown
from .symbols import PADDING  # noqa: F401 - rooms that read batches import it from here

State: TypeAlias = Tensor | tuple[Any, ...]
"""A tensor (B, ...), or a tuple of states (a recursion that a type checker does not follow)."""

Step: TypeAlias = Callable[[Tensor, State], tuple[Tensor, State]]
"""A step of an autoregressive model: the last tokens (N,) and a state to the log-probabilities (N, V) of the next ones and the
state after them."""

IGNORED = -100
"""A class target that no loss and no metric counts (PyTorch's own convention)."""


class Batch(NamedTuple):
    """What data modules yield and systems read; a loader of one's own may yield whatever `Batch.of` takes.

    ``inputs`` is (B, T) of tokens, (B, T, 1 + C) of words with their spelling (the word, then its characters, filled up with
    `PADDING`) or (B, T, F) of features. ``lengths`` (B,) counts the real steps of each row; ``None``: all T. ``fresh`` (B,) is
    false where a row goes on where the same row of the batch before ended; (B, T) says so of each step; ``None``: every row
    begins anew. The others:

    ==================== ============================ ==========================================================
    system               ``inputs``                   ``targets``; ``target_lengths``
    ==================== ============================ ==========================================================
    `LanguageModel`      (B, T) int64                 (B, T) int64, the token after each; reads ``fresh``
    `Tagger`             (B, T) or (B, T, 1 + C)      (B, T) int64, a tag a word
    `FrameClassifier`    (B, T, F) floats             (B, T) int64, a class a frame
    `SequenceClassifier` (B, T, F) floats, or (B, T)  (B,) int64, a class a row, or (B,) floats, a value a row
    `SequenceRegressor`  (B, T, F) floats, or (B, T)  (B, K) floats, or (B, T, K) with ``every_step``
    `Forecaster`         (B, T, F) or (B, T + H, F)   (B, H, K) floats, the values after the T steps
    `CTCRecognizer`      (B, T, F) floats             (B, U) int64, labels, as of a `Transducer`; how many are real
    `Seq2Seq`            (B, S, F) floats, or (B, S)  (B, U) int64, with the ``end`` last; how many are real (``None``: all U)
    ==================== ============================ ==========================================================

    A class target that is `IGNORED` counts nowhere. Predictions look at no targets, which then may be ``None``.
    """

    inputs: Tensor
    lengths: Tensor | None
    targets: Tensor
    target_lengths: Tensor | None = None
    fresh: Tensor | None = None

    @staticmethod
    def of(given: Any) -> "Batch":
        """The batch that a loader gives as ``(inputs, targets)``, ``(inputs, lengths, targets)``, a dict, or a `Batch`.

        Without targets, for predictions: ``inputs`` alone, ``(inputs,)``, or a dict.

        Raises:
            ValueError: for anything else, and for parts that do not fit each other.
        """
        if isinstance(given, Batch):
            parts = given._asdict()
        elif isinstance(given, Mapping):
            parts = dict(given)
        else:
            several = [given] if isinstance(given, Tensor) else list(given) if isinstance(given, tuple | list) else []
            names = {1: ("inputs",), 2: ("inputs", "targets"), 3: ("inputs", "lengths", "targets")}.get(len(several))
            if names is None:
                raise ValueError(f"{_FORMS}, not {type(given).__name__} of {len(several)} parts")
            parts = dict(zip(names, several, strict=True))
        unknown = set(parts) - set(Batch._fields)
        if unknown or "inputs" not in parts:
            raise ValueError(f"{_FORMS}, not a dict of {sorted(map(str, parts))}")
        batch = Batch(**{"lengths": None, "targets": None, **parts})
        batch._check()
        return batch

    def to(self, device: torch.device) -> "Batch":
        """The batch on ``device``, but for what Python asks about, which stays: lengths and fresh starts."""
        inputs, targets = (part if part is None else part.to(device, non_blocking=True) for part in (self.inputs, self.targets))
        return self._replace(inputs=inputs, targets=targets)

    def _check(self) -> None:
        for name, part in self._asdict().items():
            if not isinstance(part, Tensor) and (part is not None or name == "inputs"):
                raise ValueError(f"a batch's {name} must be a tensor, not {type(part).__name__}; {_FORMS}")
        if self.inputs.dim() < 2:
            raise ValueError(f"a batch's inputs must have shape (B, T) or (B, T, ...), not {tuple(self.inputs.shape)}")
        rows = len(self.inputs)
        if self.lengths is not None:
            check_lengths(self.lengths, self.inputs)
        if self.targets is not None and self.targets.shape[:1] != (rows,):
            raise ValueError(f"a batch's targets must have {rows} rows, as its inputs, not shape {tuple(self.targets.shape)}")
        if self.target_lengths is not None:
            if self.targets is None or self.targets.dim() < 2:
                raise ValueError("a batch's target_lengths are for targets of shape (B, U), which it does not have")
            check_lengths(self.target_lengths, self.targets, "target_lengths", "targets")
        shapes = (rows,), tuple(self.inputs.shape[:2])
        if self.fresh is not None and (self.fresh.dtype != torch.bool or self.fresh.shape not in shapes):
            allowed = "bool of shape {} or {}, true where rows begin anew".format(*shapes)
            raise ValueError(f"a batch's fresh must be {allowed}, not {self.fresh.dtype} of shape {tuple(self.fresh.shape)}")


_FORMS = (
    "a batch must be (inputs, targets), (inputs, lengths, targets), a Batch, or a dict of some of "
    f"{', '.join(Batch._fields)} with inputs among them"
)


def at_least_single(numbers: Tensor) -> Tensor:
    """``numbers`` in single precision at least: what is added up over steps or paths, or over a vocabulary."""
    return numbers.float() if numbers.dtype in (torch.bfloat16, torch.float16) else numbers


def map_state(function: Callable[..., Tensor], state: State, *others: State) -> State:
    """The same structure with ``function`` applied to each tensor, and to the tensors at its place in the ``others``."""
    if isinstance(state, Tensor):
        return function(state, *others)
    return tuple(map_state(function, *parts) for parts in zip(state, *others, strict=True))


def leaves(state: State) -> list[Tensor]:
    """The tensors of ``state``, in order."""
    return [state] if isinstance(state, Tensor) else [leaf for part in state for leaf in leaves(part)]


def select_state(mask: Tensor, chosen: State, other: State) -> State:
    """Rows of ``chosen`` where ``mask`` (B,) is true, rows of ``other`` elsewhere."""
    return map_state(lambda one, two: torch.where(mask.view(-1, *[1] * (one.dim() - 1)), one, two), chosen, other)


def replace_rows(state: State, rows: Tensor, new: State) -> State:
    """``state`` with its ``rows`` (N,) replaced by those of ``new``, a state of N rows."""
    if isinstance(state, Tensor) and isinstance(new, Tensor):
        return state.index_copy(0, rows, new)
    return tuple(replace_rows(part, rows, other) for part, other in zip(state, new, strict=True))


def length_mask(lengths: Tensor, steps: int) -> Tensor:
    """A mask (B, ``steps``), true on the first ``lengths[b]`` steps of row b."""
    return torch.arange(steps, device=lengths.device) < lengths.unsqueeze(1)


def fill_padding(inputs: Tensor, lengths: Tensor | None, value: float = 0) -> Tensor:
    """``inputs`` (B, T, ...) with ``value`` behind each row's length; without lengths nothing is padding."""
    if lengths is None:
        return inputs
    padding = ~length_mask(lengths.to(inputs.device), inputs.shape[1])  # (B, T)
    return inputs.masked_fill(padding.view(*padding.shape, *[1] * (inputs.dim() - 2)), value)


def check_tensors(**tensors: Any) -> None:
    """Refuse what is no tensor.

    Raises:
        ValueError: naming the first of ``tensors`` that is none.
    """
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise ValueError(f"{name} must be a tensor, not {shown(tensor)}")


def check_state(state: Any) -> None:
    """Refuse what is neither a tensor nor a tuple of states."""
    if isinstance(state, tuple):
        for part in state:
            check_state(part)
    elif not isinstance(state, Tensor):
        raise ValueError(f"state must be a tensor, or a tuple of states, not {shown(state)}")


def check_lengths(lengths: Tensor, inputs: Tensor, name: str = "lengths", unit: str = "steps") -> None:
    """Refuse lengths that do not describe ``inputs`` (B, T, ...); ``name`` and ``unit`` are what the two are called.

    Raises:
        ValueError: where the lengths are no integers, are not one a row, or lie outside 0..T.
    """
    check_tensors(**{name: lengths})
    rows, steps = inputs.shape[:2]
    if lengths.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"{name} must be int64 or int32, not {lengths.dtype}")
    if lengths.shape != (rows,):
        raise ValueError(f"{name} must have shape ({rows},), one a row, not {tuple(lengths.shape)}")
    wrong = ((lengths < 0) | (lengths > steps)).nonzero()
    if len(wrong):
        row = int(wrong[0])
        raise ValueError(f"{name}[{row}] is {int(lengths[row])}; it must lie in 0..{steps}, the {unit} of the batch")


def reverse(inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Each row of ``inputs`` (B, T, ...) backwards over its own real steps; padding stays where it is."""
    if lengths is None:
        return inputs.flip(1)
    return permute_steps(inputs, reversal(lengths.to(inputs.device), inputs.shape[1]))


def reversal(lengths: Tensor, steps: int) -> Tensor:
    """The steps (B, T) that `permute_steps` takes to turn each row round over its own real steps."""
    there = torch.arange(steps, device=lengths.device).unsqueeze(0)  # (1, T)
    lengths = lengths.unsqueeze(1)  # (B, 1)
    return torch.where(there < lengths, lengths - 1 - there, there)


def permute_steps(inputs: Tensor, steps: Tensor) -> Tensor:
    """``inputs`` (B, T, ...) with the steps of each row in the order that ``steps`` (B, T) says."""
    first = torch.arange(steps.shape[0], device=steps.device).unsqueeze(1) * steps.shape[1]  # (B, 1)
    return inputs.flatten(0, 1).index_select(0, (first + steps).flatten()).view_as(inputs)


def last_outputs(outputs: Tensor, lengths: Tensor | None, *, bidirectional: bool) -> Tensor:
    """What a network has read at the end of each row: its last real output of ``outputs`` (B, T, H), as (B, H).

    Of a network that reads both ways, whose outputs stand side by side, the backward half is its output at the first step.
    An empty row gives zeros.
    """
    if not outputs.shape[1]:
        return outputs.new_zeros(outputs.shape[0], outputs.shape[2])
    if lengths is None:
        last = outputs[:, -1]
    else:
        index = (lengths.to(outputs.device) - 1).clamp(min=0).view(-1, 1, 1).expand(-1, 1, outputs.shape[2])
        last = outputs.gather(1, index).squeeze(1)
    if not bidirectional:
        return last
    half = outputs.shape[2] // 2
    return torch.cat([last[:, :half], outputs[:, 0, half:]], 1)


def check_memory(**sizes: int) -> None:
    """Refuse numbers, as many as the product of ``sizes``, that take more than this machine's memory in single precision.

    On PyTorch's meta device they take none.

    Raises:
        ValueError: naming the sizes, and both amounts.
    """
    if torch.get_default_device().type == "meta":
        return
    needed, there = 4 * math.prod(sizes.values()), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > there:
        product = " x ".join(f"{name} {size}" for name, size in sizes.items())
        raise ValueError(
            f"{product} numbers must fit in {there / 1e9:.0f} GB, the memory of this machine, not {needed / 1e9:.0f} GB"
        )
