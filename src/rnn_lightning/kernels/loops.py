"""The time loops of cells whose step is pointwise but for the recurrent product, forward and backward.

A cell gives a step of a tile (`pointwise`); the loops are the same for all of them. Shapes as in `tiles`; time comes first, and
what is there before and after each step has T + 1 steps: the first of them is the state at the start.
"""

from typing import Any, NamedTuple

import triton
import triton.language as tl

from .tiles import Step, load, load_gate, product, product_back, store, store_gate, tile_of


class Forward(NamedTuple):
    """The tensors of a forward loop: the projected inputs (T, B, G * H), the weight U (G * H, D), what all steps ``share``, the
    hidden state and the memories before and after each step (T + 1, B, H), and the inputs to the gates (T, B, G * H), which are
    (1, B, G * H) where they are not kept."""

    projected: Any
    weight: Any
    share: Any
    hidden: Any
    memories: Any
    sums: Any


class Backward(NamedTuple):
    """The tensors of a backward loop: those of `Forward`, and the gradients of outputs and memories after each step (T, B, H).

    It finds the gradients of the projected inputs (T, B, G * H), of the recurrent products (T + 1, B, G * H, zero in the last
    step), of the normalised memory (T, B, H; where there is one) and, through the products, of the hidden state at the
    start (B, H). What is carried from step to step (B, H) are the gradients of the memories.
    """

    forward: Any
    to_hidden: Any
    to_memories: Any
    to_projected: Any
    to_products: Any
    to_normals: Any
    to_start: Any
    carried: Any


@triton.jit
def input_of(data, gate, tile, form):
    """What goes into a ``gate``, its projected input and recurrent product; kept for the backward pass if the form says so."""
    found = load_gate(data.projected, tile.now, gate, tile, form) + product(data.hidden, data.weight, gate, tile, form)
    if form.keeps:
        store_gate(data.sums, gate, found, tile, form)
    return found


@triton.jit
def remember(data, memory, number: tl.constexpr, tile, form):
    """Store a memory after the step."""
    store(data.memories[number], tile.after, memory, tile, form)


@triton.jit
def gradient_of(data, number: tl.constexpr, tile, form):
    """The gradient of a memory after the step, but for what comes through the step's own output."""
    given = load(data.to_memories[number], tile.now, tile, form)
    return given + load(data.carried[number], tile.batch, tile, form)


@triton.jit
def carry(data, gradient, number: tl.constexpr, tile, form):
    """Hand a memory's gradient to the step before."""
    tl.debug_barrier()  # a thread may store what another one reads in this step
    store(data.carried[number], tile.batch, gradient, tile, form)


@triton.jit
def slope(data, gate, gradient, tile, form):
    """Store the gradient of what goes into a ``gate``."""
    store_gate(data.to_projected, gate, gradient, tile, form)


@triton.jit
def output_gradient(data, tile, form):
    """The gradient of the step's output: what was given, and what comes through the products of the next step."""
    given = load(data.to_hidden, tile.now, tile, form)
    return given + product_back(data.to_products, data.forward.weight, tile, form)


@triton.jit
def start_back(data, before, rows, form):
    """Store what comes through the products of the first step; ``before`` are the numbers of the rows one step earlier."""
    for first in range(0, form.head, form.units):
        tile = tile_of(Step(before, rows), first, form)
        found = product_back(data.to_products, data.forward.weight, tile, form)
        store(data.to_start, tile.batch, found, tile, form)


@triton.jit(do_not_specialize=["steps", "rows"])
def forward_loop(step: tl.constexpr, data, steps, rows, form):
    """All steps of a cell, whose ``step`` computes a tile and stores what is there after it."""
    now = tl.program_id(0).to(tl.int64) * form.rows + tl.arange(0, form.rows)
    for _ in range(steps):
        for first in range(0, form.head, form.units):
            step(data, tile_of(Step(now, rows), first, form), form)
        tl.debug_barrier()  # the next step reads what all threads of this program have stored
        now += rows


@triton.jit(do_not_specialize=["steps", "rows"])
def backward_loop(step: tl.constexpr, data, steps, rows, form):
    """The gradients of all steps, from the last to the first; ``step`` is given that of the tile's outputs."""
    start = tl.program_id(0).to(tl.int64) * form.rows + tl.arange(0, form.rows)
    now = start + tl.cast(steps - 1, tl.int64) * rows
    for _ in range(steps):
        for first in range(0, form.head, form.units):
            tile = tile_of(Step(now, rows), first, form)
            step(data, output_gradient(data, tile, form), tile, form)
        tl.debug_barrier()
        now -= rows
    start_back(data, now, rows, form)
