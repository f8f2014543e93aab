"""A step of the sLSTM on a tile, forward and backward; as `pointwise`.

Shapes as in `tiles`. Gates are in the order input, forget, output, candidate, and memories c, n, m.
"""

import triton
import triton.language as tl

from .loops import carry, gradient_of, input_of, remember, slope
from .tiles import load, load_gate, store, tanh

LARGEST = tl.constexpr(1e30)
NEVER = tl.constexpr(-1e30)
"""The logarithm of a gate that is shut, as `rnn_lightning.recurrent.matrix_memory` has it."""
EVERY = tl.constexpr(tl.PropagateNan.ALL)
"""What is no number stays none in a minimum or maximum."""


@triton.jit
def bounded(values):
    """Sums of gates, no larger than `LARGEST`: differences of infinite ones are no numbers."""
    return tl.minimum(tl.maximum(values, -LARGEST, EVERY), LARGEST, EVERY)


@triton.jit
def log_sigmoid(values):
    """The logarithm of the sigmoid."""
    return tl.minimum(values, 0.0, EVERY) - tl.log(1 + tl.exp(-tl.abs(values)))


@triton.jit
def slstm(data, tile, form):
    """m' = max(log s(f) + m, i), c' = k * c + e * tanh(g), n' = k * n + e with k = exp(log s(f) + m - m') and e = exp(i - m'),
    h' = s(o) * c' / n'; where n = 0, nothing is stored and k = 0."""
    enter, forget = bounded(input_of(data, 0, tile, form)), bounded(input_of(data, 1, tile, form))
    output, candidate = bounded(input_of(data, 2, tile, form)), bounded(input_of(data, 3, tile, form))
    normaliser = load(data.memories[1], tile.now, tile, form)
    kept = log_sigmoid(forget) + load(data.memories[2], tile.now, tile, form)
    kept = tl.where(normaliser == 0, NEVER, kept)
    scale = tl.maximum(kept, enter, EVERY)
    keep, enter = tl.exp(kept - scale), tl.exp(enter - scale)
    memory = keep * load(data.memories[0], tile.now, tile, form) + enter * tanh(candidate)
    normaliser = keep * normaliser + enter
    remember(data, memory, 0, tile, form)
    remember(data, normaliser, 1, tile, form)
    remember(data, scale, 2, tile, form)
    found = tl.sigmoid(output) * memory / tl.where(tile.real, normaliser, 1.0)
    store(data.hidden, tile.after, found, tile, form)


@triton.jit
def slstm_back(data, to_hidden, tile, form):
    """The gradients of `slstm`; a maximum of equals gives each of them half."""
    kept, sums = data.forward, data.forward.sums
    enter, forget = bounded(load_gate(sums, tile.now, 0, tile, form)), bounded(load_gate(sums, tile.now, 1, tile, form))
    output, candidate = tl.sigmoid(load_gate(sums, tile.now, 2, tile, form)), tanh(load_gate(sums, tile.now, 3, tile, form))
    before, there = load(kept.memories[0], tile.now, tile, form), load(kept.memories[1], tile.now, tile, form)
    after = load(kept.memories[0], tile.after, tile, form)
    normaliser = tl.where(tile.real, load(kept.memories[1], tile.after, tile, form), 1.0)
    scale = load(kept.memories[2], tile.after, tile, form)
    kept_log = log_sigmoid(forget) + load(kept.memories[2], tile.now, tile, form)
    kept_log = tl.where(there == 0, NEVER, kept_log)
    keep, taken = tl.exp(kept_log - scale), tl.exp(enter - scale)
    to_memory = gradient_of(data, 0, tile, form) + to_hidden * output / normaliser
    to_normaliser = gradient_of(data, 1, tile, form) - to_hidden * output * after / (normaliser * normaliser)
    by_keep, by_taken = (to_memory * before + to_normaliser * there) * keep, (to_memory * candidate + to_normaliser) * taken
    to_scale = gradient_of(data, 2, tile, form) - by_keep - by_taken
    share = tl.where(kept_log == enter, 0.5, tl.where(kept_log > enter, 1.0, 0.0))
    by_keep = tl.where(there == 0, 0.0, by_keep + share * to_scale)
    slope(data, 0, by_taken + (1 - share) * to_scale, tile, form)
    slope(data, 1, by_keep * tl.sigmoid(-forget), tile, form)
    slope(data, 2, to_hidden * after / normaliser * output * (1 - output), tile, form)
    slope(data, 3, to_memory * taken * (1 - candidate * candidate), tile, form)
    carry(data, to_memory * keep, 0, tile, form)
    carry(data, to_normaliser * keep, 1, tile, form)
    carry(data, by_keep, 2, tile, form)
