"""What the time loops of all cells share in a kernel: a tile of rows and hidden units, its loads and stores, its products.

A program has `Form.rows` rows and all units of a head. It goes over time, in each step over tiles of units, and in each tile
over tiles of the inner dimension of a product. The hidden state of a step lies in global memory for the next one, behind a
barrier of the program's threads: no program reads what another has written, so that none waits for another.

Offsets are 64 bits wide. Shapes: T steps, B rows, H hidden units, N heads of D = H / N units, G gates.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.runtime.interpreter import InterpretedFunction


class Form(NamedTuple):
    """What a kernel is compiled for: tile sizes, H, D and G; the types of its sums and of the factors of its products; the
    precision of these where they are float32; and whether it keeps the inputs to the gates of all steps."""

    rows: Any
    units: Any
    inner: Any
    size: Any
    head: Any
    gates: Any
    number: Any
    factor: Any
    precision: Any
    keeps: Any


class Tile(NamedTuple):
    """A tile (rows, units) at a step: the numbers of its rows ``batch`` in (B,), ``now`` in (T * B,) and ``after``, those of
    the next step; ``kept``, where the inputs to its gates are; the first unit of its ``head`` and its units among all H; and
    which rows, units and numbers of it are real."""

    batch: Any
    now: Any
    after: Any
    kept: Any
    head: Any
    unit: Any
    real_row: Any
    real_unit: Any
    real: Any


class Step(NamedTuple):
    """A step: the numbers of the program's rows in (T * B,), and B."""

    now: Any
    rows: Any


@triton.jit
def tile_of(step, first, form):
    """The tile at a ``step`` whose units begin at ``first`` of the program's head."""
    batch = tl.program_id(0).to(tl.int64) * form.rows + tl.arange(0, form.rows)
    head = tl.program_id(1).to(tl.int64) * form.head
    inside = first + tl.arange(0, form.units)
    real_row, real_unit = batch < step.rows, inside < form.head
    real = real_row[:, None] & real_unit[None, :]
    kept = step.now if form.keeps else batch
    return Tile(batch, step.now, step.now + step.rows, kept, head, head + inside, real_row, real_unit, real)


@triton.jit
def place(row, block, blocks, tile, form):
    """Where the tile's units are in block number ``block`` of the ``blocks`` of H that each ``row`` of a tensor has."""
    return row[:, None] * (blocks * form.size) + block * form.size + tile.unit[None, :]


@triton.jit
def load(pointer, row, tile, form):
    """The tile's units of the rows ``row`` of a tensor (.., H), 0 outside."""
    return tl.load(pointer + place(row, 0, 1, tile, form), mask=tile.real, other=0.0).to(form.number)


@triton.jit
def load_gate(pointer, row, gate, tile, form):
    """As `load`, of the block of a ``gate`` in a tensor (.., G * H)."""
    return tl.load(pointer + place(row, gate, form.gates, tile, form), mask=tile.real, other=0.0).to(form.number)


@triton.jit
def store(pointer, row, values, tile, form):
    """The other way of `load`."""
    tl.store(pointer + place(row, 0, 1, tile, form), values.to(pointer.dtype.element_ty), mask=tile.real)


@triton.jit
def store_gate(pointer, gate, values, tile, form):
    """The other way of `load_gate`, at the rows where the tile's inputs to its gates are kept."""
    at = place(tile.kept, gate, form.gates, tile, form)
    tl.store(pointer + at, values.to(pointer.dtype.element_ty), mask=tile.real)


@triton.jit
def shared(pointer, block, tile, form):
    """Block number ``block`` of a vector of blocks of H, which is the same for all rows: (1, units)."""
    return tl.load(pointer + (tile.unit + block * form.size), mask=tile.real_unit, other=0.0).to(form.number)[None, :]


@triton.jit
def add_product(rows, columns, total, form):
    """``total`` (rows, units) with the product of ``rows`` (rows, inner) and ``columns`` (inner, units) added to it."""
    rows, columns = rows.to(form.factor), columns.to(form.factor)
    return tl.dot(rows, columns, total, input_precision=form.precision, out_dtype=form.number)


@triton.jit
def product(hidden, weight, gate, tile, form):
    """U h of one gate before the step: of ``hidden`` (.., H) and the ``weight`` U (G * H, D)."""
    total = tl.zeros([form.rows, form.units], dtype=form.number)
    for first in range(0, form.head, form.inner):
        inner = first + tl.arange(0, form.inner)
        inside = inner < form.head
        left = tile.now[:, None] * form.size + (tile.head + inner)[None, :]
        right = (tile.unit + gate * form.size)[None, :] * form.head + inner[:, None]
        rows = tl.load(hidden + left, mask=tile.real_row[:, None] & inside[None, :], other=0.0)
        columns = tl.load(weight + right, mask=tile.real_unit[None, :] & inside[:, None], other=0.0)
        total = add_product(rows, columns, total, form)
    return total


@triton.jit
def product_back(slopes, weight, tile, form):
    """U^T s after the step, summed over the gates: of ``slopes`` (.., G * H) and the ``weight`` U (G * H, D)."""
    total = tl.zeros([form.rows, form.units], dtype=form.number)
    for gate in tl.static_range(form.gates):
        for first in range(0, form.head, form.inner):
            inner = first + tl.arange(0, form.inner)
            inside = inner < form.head
            block = tile.head + gate * form.size + inner
            left = tile.after[:, None] * (form.gates * form.size) + block[None, :]
            right = block[:, None] * form.head + (tile.unit - tile.head)[None, :]
            rows = tl.load(slopes + left, mask=tile.real_row[:, None] & inside[None, :], other=0.0)
            columns = tl.load(weight + right, mask=tile.real_unit[None, :] & inside[:, None], other=0.0)
            total = add_product(rows, columns, total, form)
    return total


@triton.jit
def tanh(values):
    """The hyperbolic tangent, which Triton has none of."""
    small = tl.exp(-2 * tl.abs(values))
    bounded = (1 - small) / (1 + small)
    return tl.where(values < 0, -bounded, bounded)


def launch(kernel: Any, grid: tuple[int, ...], arguments: Sequence[Any], near: Tensor) -> None:
    """Run the programs of a ``grid`` on the device where the tensor ``near`` is."""
    with torch.cuda.device_of(near):
        kernel[grid](*arguments)


def interpreted() -> bool:
    """Whether Triton interprets kernels, as ``TRITON_INTERPRET=1`` said when it was imported."""
    return all(isinstance(function, InterpretedFunction) for function in (tl.sigmoid, tile_of))
