"""The linear recurrence h_t = a_t * h_{t-1} + b_t as one kernel, real or complex.

A program has some columns of all rows' units, and reads chunks of steps, each of which is scanned in log2 rounds as
`rnn_lightning.recurrent.parallel.by_doubling` does for all steps; the last state of a chunk goes into the next one. Offsets are
64 bits wide. Shapes: T steps, B rows, H hidden units, C = B * H columns.
"""

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from .tiles import launch

STEPS, COLUMNS = 32, 32
"""The tile, the same for all sizes: how a state is rounded depends on nothing that comes after it, nor on other rows."""


class Recurrence(NamedTuple):
    """a (T, B, H) of any strides, b and the states (T, C), and the state at the start (C,); complex numbers are pairs."""

    keep: Any
    new: Any
    start: Any
    states: Any


class Strides(NamedTuple):
    """The numbers from one step, row and unit of a to the next."""

    step: Any
    row: Any
    unit: Any


class Chunk(NamedTuple):
    """A tile (steps, columns): its places in a and in b, and what of it is there."""

    keep: Any
    new: Any
    keep_real: Any
    new_real: Any


class Shape(NamedTuple):
    """What the kernel is compiled for: H, the tile, whether numbers are complex, and whether it goes from the last step to the
    first, by the a of the step after."""

    size: Any
    steps: Any
    columns: Any
    complex: Any
    back: Any


@triton.jit
def join(keep, new, later_keep, later_new):
    """Two steps in a row as one: the factor a_2 * a_1 and the term a_2 * b_1 + b_2."""
    return later_keep * keep, later_keep * new + later_new


@triton.jit
def join_complex(keep, keep_i, new, new_i, later, later_i, later_new, later_new_i):  # noqa: PLR0917 - as a scan calls it
    """As `join`, of complex numbers; the names in _i are imaginary parts."""
    factor, factor_i = later * keep - later_i * keep_i, later * keep_i + later_i * keep
    return factor, factor_i, later * new - later_i * new_i + later_new, later * new_i + later_i * new + later_new_i


@triton.jit
def last_of(values, shape):
    """The last row of a tile (steps, columns), (1, columns)."""
    last = tl.arange(0, shape.steps) == shape.steps - 1
    return tl.sum(tl.where(last[:, None], values, 0.0), 0)[None, :]


@triton.jit
def scan_chunk(data, chunk, state, shape):
    """Scan a chunk from the ``state`` (1, columns) and store the states (steps, columns); give the last one."""
    keep = tl.load(data.keep + chunk.keep, mask=chunk.keep_real, other=0.0)
    new = tl.load(data.new + chunk.new, mask=chunk.new_real, other=0.0)
    factor, term = tl.associative_scan((keep, new), 0, join)
    states = factor * state + term
    tl.store(data.states + chunk.new, states, mask=chunk.new_real)
    return last_of(states, shape)


@triton.jit
def scan_chunk_complex(data, chunk, state, shape):
    """As `scan_chunk`, of pairs: the ``state`` is two of (1, columns)."""
    keep = tl.load(data.keep + 2 * chunk.keep, mask=chunk.keep_real, other=0.0)
    keep_i = tl.load(data.keep + (2 * chunk.keep + 1), mask=chunk.keep_real, other=0.0)
    new = tl.load(data.new + 2 * chunk.new, mask=chunk.new_real, other=0.0)
    new_i = tl.load(data.new + (2 * chunk.new + 1), mask=chunk.new_real, other=0.0)
    factor, factor_i, term, term_i = tl.associative_scan((keep, keep_i, new, new_i), 0, join_complex)
    states = factor * state[0] - factor_i * state[1] + term
    states_i = factor * state[1] + factor_i * state[0] + term_i
    tl.store(data.states + 2 * chunk.new, states, mask=chunk.new_real)
    tl.store(data.states + (2 * chunk.new + 1), states_i, mask=chunk.new_real)
    return last_of(states, shape), last_of(states_i, shape)


@triton.jit(do_not_specialize=["steps", "rows"])
def scan_kernel(data, strides, steps, rows, shape):
    """The states after each step; with ``shape.back`` d_t = b_t + a_{t+1} * d_{t+1}, where a row's last a is taken for 0."""
    column = tl.program_id(0).to(tl.int64) * shape.columns + tl.arange(0, shape.columns)
    all_columns = tl.cast(rows, tl.int64) * shape.size
    there = column < all_columns
    of_column = (column // shape.size) * strides.row + (column % shape.size) * strides.unit
    if shape.complex:
        state = (
            tl.load(data.start + 2 * column, mask=there, other=0.0)[None, :],
            tl.load(data.start + (2 * column + 1), mask=there, other=0.0)[None, :],
        )
    else:
        state = tl.load(data.start + column, mask=there, other=0.0)[None, :]
    for first in range(0, steps, shape.steps):
        number = first + tl.arange(0, shape.steps).to(tl.int64)
        step = steps - 1 - number if shape.back else number
        a_step = step + 1 if shape.back else step
        b_real = (number < steps)[:, None] & there[None, :]
        a_real = b_real & (a_step < steps)[:, None]
        a_at, b_at = a_step[:, None] * strides.step + of_column[None, :], step[:, None] * all_columns + column[None, :]
        chunk = Chunk(a_at, b_at, a_real, b_real)
        state = scan_chunk_complex(data, chunk, state, shape) if shape.complex else scan_chunk(data, chunk, state, shape)


def by_kernel(keep: Tensor, new: Tensor, start: Tensor) -> Tensor:
    """The states (T, B, H) after each step: a and b (T, B, H) and the state before them (B, H)."""
    return _run(keep, new, start, back=False)


def back_by_kernel(keep: Tensor, gradient: Tensor) -> Tensor:
    """d_t = g_t + a_{t+1} * d_{t+1}, from the last step to the first: a and g (T, B, H) to d."""
    return _run(keep, gradient, gradient.new_zeros(gradient.shape[1:]), back=True)


def _run(keep: Tensor, new: Tensor, start: Tensor, *, back: bool) -> Tensor:
    new, start = new.contiguous(), start.contiguous().to(new.dtype)
    (steps, rows, size), states = new.shape, torch.empty_like(new)
    shape = Shape(*map(tl.constexpr, (size, STEPS, COLUMNS, new.is_complex(), back)))
    tensors = [part.resolve_conj() for part in (keep.to(new.dtype), new, start, states)]
    numbers = Recurrence(*(torch.view_as_real(part) if new.is_complex() else part for part in tensors))
    grid = (-(-rows * size // COLUMNS),)
    launch(scan_kernel, grid, (numbers, Strides(*keep.stride()), steps, rows, shape), states)
    return states
