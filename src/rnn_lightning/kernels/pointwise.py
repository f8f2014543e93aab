"""A step of each cell on a tile, forward and backward: what the loops of `loops` are given.

Shapes as in `tiles`. A forward step stores hidden state and memories; a backward step, from the gradient of the outputs, the
slopes of the gates and the gradients of the memories before it.
"""

import triton
import triton.language as tl

from .loops import carry, gradient_of, input_of, remember, slope
from .tiles import load, load_gate, product, shared, store, store_gate, tanh


@triton.jit
def lstm(data, tile, form):
    """c' = s(f) * c + s(i) * tanh(g), h' = s(o) * tanh(c'); the gates are in the order input, forget, candidate, output."""
    enter, keep = tl.sigmoid(input_of(data, 0, tile, form)), tl.sigmoid(input_of(data, 1, tile, form))
    candidate, output = tanh(input_of(data, 2, tile, form)), tl.sigmoid(input_of(data, 3, tile, form))
    memory = keep * load(data.memories[0], tile.now, tile, form) + enter * candidate
    remember(data, memory, 0, tile, form)
    store(data.hidden, tile.after, output * tanh(memory), tile, form)


@triton.jit
def lstm_back(data, to_hidden, tile, form):
    """The gradients of `lstm`."""
    kept, sums = data.forward, data.forward.sums
    enter = tl.sigmoid(load_gate(sums, tile.now, 0, tile, form))
    keep = tl.sigmoid(load_gate(sums, tile.now, 1, tile, form))
    candidate = tanh(load_gate(sums, tile.now, 2, tile, form))
    output = tl.sigmoid(load_gate(sums, tile.now, 3, tile, form))
    bounded = tanh(load(kept.memories[0], tile.after, tile, form))
    to_memory = gradient_of(data, 0, tile, form) + to_hidden * output * (1 - bounded * bounded)
    slope(data, 0, to_memory * candidate * enter * (1 - enter), tile, form)
    slope(data, 1, to_memory * load(kept.memories[0], tile.now, tile, form) * keep * (1 - keep), tile, form)
    slope(data, 2, to_memory * enter * (1 - candidate * candidate), tile, form)
    slope(data, 3, to_hidden * bounded * output * (1 - output), tile, form)
    carry(data, to_memory * keep, 0, tile, form)


@triton.jit
def gru(data, tile, form):
    """n = tanh(W_n x + b_n + s(r) * (U_n h + c_n)), h' = (1 - s(z)) * n + s(z) * h; the gates are in the order reset, update,
    candidate, of which the product U_n h + c_n is kept. The bias c_n is shared."""
    reset, update = tl.sigmoid(input_of(data, 0, tile, form)), tl.sigmoid(input_of(data, 1, tile, form))
    inner = product(data.hidden, data.weight, 2, tile, form) + shared(data.share[0], 0, tile, form)
    if form.keeps:
        store_gate(data.sums, 2, inner, tile, form)
    candidate = tanh(load_gate(data.projected, tile.now, 2, tile, form) + reset * inner)
    before = load(data.hidden, tile.now, tile, form)
    store(data.hidden, tile.after, candidate + update * (before - candidate), tile, form)


@triton.jit
def gru_back(data, to_hidden, tile, form):
    """The gradients of `gru`; what is carried is that of the state, but for what goes through the products."""
    kept, sums = data.forward, data.forward.sums
    reset = tl.sigmoid(load_gate(sums, tile.now, 0, tile, form))
    update = tl.sigmoid(load_gate(sums, tile.now, 1, tile, form))
    inner = load_gate(sums, tile.now, 2, tile, form)
    candidate = tanh(load_gate(kept.projected, tile.now, 2, tile, form) + reset * inner)
    before = load(kept.hidden, tile.now, tile, form)
    to_hidden += load(data.carried[0], tile.batch, tile, form)
    to_candidate = to_hidden * (1 - update) * (1 - candidate * candidate)
    to_reset = to_candidate * inner * reset * (1 - reset)
    to_update = to_hidden * (before - candidate) * update * (1 - update)
    slope(data, 0, to_reset, tile, form)
    slope(data, 1, to_update, tile, form)
    slope(data, 2, to_candidate, tile, form)
    store_gate(data.to_products, 0, to_reset, tile, form)
    store_gate(data.to_products, 1, to_update, tile, form)
    store_gate(data.to_products, 2, to_candidate * reset, tile, form)
    carry(data, to_hidden * update, 0, tile, form)


@triton.jit
def peephole(data, tile, form):
    """As `lstm`, with the gates in the order input, forget, output, candidate, of which the first two see p * c and the third
    p * c'; the peepholes p (3 H) are shared."""
    before = load(data.memories[0], tile.now, tile, form)
    enter = tl.sigmoid(input_of(data, 0, tile, form) + shared(data.share[0], 0, tile, form) * before)
    keep = tl.sigmoid(input_of(data, 1, tile, form) + shared(data.share[0], 1, tile, form) * before)
    memory = keep * before + enter * tanh(input_of(data, 3, tile, form))
    output = tl.sigmoid(input_of(data, 2, tile, form) + shared(data.share[0], 2, tile, form) * memory)
    remember(data, memory, 0, tile, form)
    store(data.hidden, tile.after, output * tanh(memory), tile, form)


@triton.jit
def peephole_back(data, to_hidden, tile, form):
    """The gradients of `peephole`."""
    kept, sums = data.forward, data.forward.sums
    before = load(kept.memories[0], tile.now, tile, form)
    memory = load(kept.memories[0], tile.after, tile, form)
    to_enter, to_keep = shared(kept.share[0], 0, tile, form), shared(kept.share[0], 1, tile, form)
    to_output, bounded = shared(kept.share[0], 2, tile, form), tanh(memory)
    enter = tl.sigmoid(load_gate(sums, tile.now, 0, tile, form) + to_enter * before)
    keep = tl.sigmoid(load_gate(sums, tile.now, 1, tile, form) + to_keep * before)
    output = tl.sigmoid(load_gate(sums, tile.now, 2, tile, form) + to_output * memory)
    candidate = tanh(load_gate(sums, tile.now, 3, tile, form))
    by_output = to_hidden * bounded * output * (1 - output)
    to_memory = gradient_of(data, 0, tile, form) + to_hidden * output * (1 - bounded * bounded) + by_output * to_output
    by_enter, by_keep = to_memory * candidate * enter * (1 - enter), to_memory * before * keep * (1 - keep)
    slope(data, 0, by_enter, tile, form)
    slope(data, 1, by_keep, tile, form)
    slope(data, 2, by_output, tile, form)
    slope(data, 3, to_memory * enter * (1 - candidate * candidate), tile, form)
    carry(data, to_memory * keep + by_enter * to_enter + by_keep * to_keep, 0, tile, form)
