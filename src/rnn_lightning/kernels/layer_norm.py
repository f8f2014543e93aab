"""The time loops of the layer-normalised LSTM, forward and backward: a step goes over its tiles once for each normalisation.

Shapes as in `tiles`; a row's products (4 H) are normalised together, and so are its memory cells (H). Gates are in the order
input, forget, output, candidate. ``share`` is the gain of the products (4 H), and gain and bias of the memory (H).
"""

from typing import Any, NamedTuple

import triton
import triton.language as tl

from .loops import carry, gradient_of, output_gradient, remember, slope, start_back
from .tiles import Step, load, load_gate, place, product, shared, store, store_gate, tanh, tile_of

EPSILON = tl.constexpr(1e-5)


class Norms(NamedTuple):
    """Mean and one over the standard deviation (rows, 1) of each row, of the products and of the memory."""

    products: Any
    memory: Any


@triton.jit
def moments(values, row, blocks: tl.constexpr, step, form):
    """Mean and one over the standard deviation of each ``row`` of ``values`` (.., blocks * H): (rows, 1) both."""
    total = tl.zeros([form.rows], dtype=form.number)
    for block in tl.static_range(blocks):
        for first in range(0, form.head, form.units):
            tile = tile_of(step, first, form)
            total += tl.sum(tl.load(values + place(row, block, blocks, tile, form), mask=tile.real, other=0.0), 1)
    mean = (total / (blocks * form.size))[:, None]
    total = tl.zeros([form.rows], dtype=form.number)
    for block in tl.static_range(blocks):
        for first in range(0, form.head, form.units):
            tile = tile_of(step, first, form)
            found = tl.load(values + place(row, block, blocks, tile, form), mask=tile.real, other=0.0)
            apart = tl.where(tile.real, found - mean, 0.0)
            total += tl.sum(apart * apart, 1)
    return mean, tl.rsqrt(total / (blocks * form.size) + EPSILON)[:, None]


@triton.jit
def normal_of(values, norm):
    """``values`` less their mean, over their standard deviation."""
    return (values - norm[0]) * norm[1]


@triton.jit
def gate_of(data, gate, norm, tile, form):
    """What goes into a ``gate``: the projected input and the normalised product."""
    normal = normal_of(load_gate(data.sums, tile.kept, gate, tile, form), norm)
    return load_gate(data.projected, tile.now, gate, tile, form) + normal * shared(data.share[0], gate, tile, form)


@triton.jit(do_not_specialize=["steps", "rows"])
def forward_loop(data, steps, rows, form):
    """c' = s(f) * c + s(i) * tanh(g), h' = s(o) * tanh(LN(c')) of gates LN(U h) + the projected input, for all steps."""
    now = tl.program_id(0).to(tl.int64) * form.rows + tl.arange(0, form.rows)
    for _ in range(steps):
        for first in range(0, form.head, form.units):
            tile = tile_of(Step(now, rows), first, form)
            for gate in tl.static_range(4):
                store_gate(data.sums, gate, product(data.hidden, data.weight, gate, tile, form), tile, form)
        tl.debug_barrier()
        norm = moments(data.sums, tile_of(Step(now, rows), 0, form).kept, 4, Step(now, rows), form)
        for first in range(0, form.head, form.units):
            tile = tile_of(Step(now, rows), first, form)
            enter = tl.sigmoid(gate_of(data, 0, norm, tile, form))
            keep = tl.sigmoid(gate_of(data, 1, norm, tile, form))
            candidate = tanh(gate_of(data, 3, norm, tile, form))
            memory = keep * load(data.memories[0], tile.now, tile, form) + enter * candidate
            remember(data, memory, 0, tile, form)
        tl.debug_barrier()
        cell_norm = moments(data.memories[0], now + rows, 1, Step(now, rows), form)
        for first in range(0, form.head, form.units):
            tile = tile_of(Step(now, rows), first, form)
            normal = normal_of(load(data.memories[0], tile.after, tile, form), cell_norm)
            normal = normal * shared(data.share[1], 0, tile, form) + shared(data.share[2], 0, tile, form)
            output = tl.sigmoid(gate_of(data, 2, norm, tile, form))
            store(data.hidden, tile.after, output * tanh(normal), tile, form)
        tl.debug_barrier()
        now += rows


@triton.jit
def output_back(data, norms, step, form):
    """Store the slope of the output gate and the gradient of the normalised memory; give the means (rows, 1), over the
    units, of that of the memory's normal, and of the same times the normal."""
    kept = data.forward
    plain, weighted = tl.zeros([form.rows], dtype=form.number), tl.zeros([form.rows], dtype=form.number)
    for first in range(0, form.head, form.units):
        tile = tile_of(step, first, form)
        to_hidden = output_gradient(data, tile, form)
        normal = normal_of(load(kept.memories[0], tile.after, tile, form), norms.memory)
        gain = shared(kept.share[1], 0, tile, form)
        bounded = tanh(normal * gain + shared(kept.share[2], 0, tile, form))
        output = tl.sigmoid(gate_of(kept, 2, norms.products, tile, form))
        slope(data, 2, to_hidden * bounded * output * (1 - output), tile, form)
        to_normal = to_hidden * output * (1 - bounded * bounded)
        store(data.to_normals, tile.now, to_normal, tile, form)
        plain += tl.sum(to_normal * gain, 1)
        weighted += tl.sum(to_normal * gain * normal, 1)
    return (plain / form.size)[:, None], (weighted / form.size)[:, None]


@triton.jit
def gates_back(data, norms, means, step, form):
    """From the ``means`` of `output_back` to the slopes of the other gates, and the memory's gradient of the step before."""
    kept = data.forward
    for first in range(0, form.head, form.units):
        tile = tile_of(step, first, form)
        normal = normal_of(load(kept.memories[0], tile.after, tile, form), norms.memory)
        to_normal = load(data.to_normals, tile.now, tile, form) * shared(kept.share[1], 0, tile, form)
        to_memory = gradient_of(data, 0, tile, form) + norms.memory[1] * (to_normal - means[0] - normal * means[1])
        enter = tl.sigmoid(gate_of(kept, 0, norms.products, tile, form))
        keep = tl.sigmoid(gate_of(kept, 1, norms.products, tile, form))
        candidate = tanh(gate_of(kept, 3, norms.products, tile, form))
        slope(data, 0, to_memory * candidate * enter * (1 - enter), tile, form)
        slope(data, 1, to_memory * load(kept.memories[0], tile.now, tile, form) * keep * (1 - keep), tile, form)
        slope(data, 3, to_memory * enter * (1 - candidate * candidate), tile, form)
        carry(data, to_memory * keep, 0, tile, form)


@triton.jit
def product_slope(data, gate, norm, tile, form):
    """The gradient of a ``gate``'s normal, and the normal, by the ``norm`` of the products."""
    normal = normal_of(load_gate(data.forward.sums, tile.now, gate, tile, form), norm)
    return load_gate(data.to_projected, tile.now, gate, tile, form) * shared(data.forward.share[0], gate, tile, form), normal


@triton.jit
def products_back(data, norm, step, form):
    """From the slopes of all gates through the normalisation to the gradient of the recurrent products."""
    plain, weighted = tl.zeros([form.rows], dtype=form.number), tl.zeros([form.rows], dtype=form.number)
    for gate in tl.static_range(4):
        for first in range(0, form.head, form.units):
            found, normal = product_slope(data, gate, norm, tile_of(step, first, form), form)
            plain += tl.sum(found, 1)
            weighted += tl.sum(found * normal, 1)
    plain, weighted = (plain / (4 * form.size))[:, None], (weighted / (4 * form.size))[:, None]
    for gate in tl.static_range(4):
        for first in range(0, form.head, form.units):
            tile = tile_of(step, first, form)
            found, normal = product_slope(data, gate, norm, tile, form)
            store_gate(data.to_products, gate, norm[1] * (found - plain - normal * weighted), tile, form)


@triton.jit(do_not_specialize=["steps", "rows"])
def backward_loop(data, steps, rows, form):
    """The gradients of all steps, from the last to the first."""
    start = tl.program_id(0).to(tl.int64) * form.rows + tl.arange(0, form.rows)
    now = start + tl.cast(steps - 1, tl.int64) * rows
    for _ in range(steps):
        step = Step(now, rows)
        of_products = moments(data.forward.sums, now, 4, step, form)
        of_memory = moments(data.forward.memories[0], now + rows, 1, step, form)
        means = output_back(data, Norms(of_products, of_memory), step, form)
        tl.debug_barrier()
        gates_back(data, Norms(of_products, of_memory), means, step, form)
        tl.debug_barrier()
        products_back(data, of_products, step, form)
        tl.debug_barrier()
        now -= rows
    start_back(data, now, rows, form)
