"""The textbook's equations, one row and one step at a time, in NumPy: slow, plain, and written without the library.

Shapes: T steps, F features in, H hidden units. W (G * H, F), U (G * H, H), b and c (G * H,) hold G gates one above the other.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from more_oracles import (
    Array,
    Weights,
    diagonal_gru,
    diagonal_lstm,
    indrnn,
    lru,
    mingru,
    minlstm,
    mlstm,
    qrnn,
    qrnn1,
    sigmoid,
    slstm,
    sru,
)


def normalise(x: Array, gain: Array | float, bias: Array | float = 0.0) -> Array:
    """Layer normalisation (Ba, Kiros and Hinton 2016, equation 4), with PyTorch's 1e-5 under the root."""
    return gain * (x - x.mean()) / np.sqrt(((x - x.mean()) ** 2).mean() + 1e-5) + bias


def elman(x: Array, h: Array, p: Weights) -> tuple[Array, Array]:
    h = np.tanh(p["W"] @ x + p["b"] + p["U"] @ h + p["c"])
    return h, h


def elman_relu(x: Array, h: Array, p: Weights) -> tuple[Array, Array]:
    h = np.maximum(0, p["W"] @ x + p["b"] + p["U"] @ h + p["c"])
    return h, h


def gru(x: Array, h: Array, p: Weights) -> tuple[Array, Array]:
    (wr, wz, wn), (ur, uz, un) = np.split(p["W"] @ x + p["b"], 3), np.split(p["U"] @ h + p["c"], 3)
    r, z = sigmoid(wr + ur), sigmoid(wz + uz)
    h = (1 - z) * np.tanh(wn + r * un) + z * h
    return h, h


def lstm(x: Array, state: tuple[Array, Array], p: Weights) -> tuple[Array, tuple[Array, Array]]:
    h, c = state
    i, f, g, o = np.split(p["W"] @ x + p["b"] + p["U"] @ h + p["c"], 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return h, (h, c)


def peephole_lstm(x: Array, state: tuple[Array, Array], p: Weights) -> tuple[Array, tuple[Array, Array]]:
    h, c = state
    i, f, o, g = np.split(p["W"] @ x + p["U"] @ h + p["b"], 4)
    i, f = sigmoid(i + p["p_i"] * c), sigmoid(f + p["p_f"] * c)
    c = f * c + i * np.tanh(g)
    h = sigmoid(o + p["p_o"] * c) * np.tanh(c)
    return h, (h, c)


def layernorm_lstm(x: Array, state: tuple[Array, Array], p: Weights) -> tuple[Array, tuple[Array, Array]]:
    h, c = state
    sums = normalise(p["U"] @ h, p["gain_h"]) + normalise(p["W"] @ x, p["gain_x"]) + p["b"]
    i, f, o, g = np.split(sums, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(normalise(c, p["gain_c"], p["bias_c"]))
    return h, (h, c)


def lstmp(x: Array, state: tuple[Array, Array], p: Weights) -> tuple[Array, tuple[Array, Array]]:
    r, c = state
    i, f, g, o = np.split(p["W"] @ x + p["U"] @ r + p["b"], 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    r = p["P"] @ (sigmoid(o) * np.tanh(c))
    return r, (r, c)


def coupled_lstm(x: Array, state: tuple[Array, Array], p: Weights) -> tuple[Array, tuple[Array, Array]]:
    h, c = state
    f, o, g = np.split(p["W"] @ x + p["U"] @ h + p["b"], 3)
    c = sigmoid(f) * c + (1 - sigmoid(f)) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return h, (h, c)


def layernorm_gru(x: Array, h: Array, p: Weights) -> tuple[Array, Array]:
    (wg, wn), (ug, un) = (np.split(p[name] @ of, [2 * len(h)]) for name, of in (("W", x), ("U", h)))
    (gg, gn), (kg, kn), (bg, bn) = (np.split(p[name], [2 * len(h)]) for name in ("gain_x", "gain_h", "b"))
    z, r = np.split(sigmoid(normalise(ug, kg) + normalise(wg, gg) + bg), 2)
    h = (1 - z) * h + z * np.tanh(normalise(wn, gn) + bn + r * normalise(un, kn))
    return h, h


def ligru(x: Array, h: Array, p: Weights) -> tuple[Array, Array]:
    (wz, wn), (gz, gn), (uz, un) = (np.split(each, 2) for each in (p["W"] @ x, p["gain_x"], p["U"] @ h + p["b"]))
    z = sigmoid(normalise(wz, gz) + uz)
    h = z * h + (1 - z) * np.maximum(0, normalise(wn, gn) + un)
    return h, h


def mgu(x: Array, h: Array, p: Weights) -> tuple[Array, Array]:
    (wf, wn), (uf, un) = np.split(p["W"] @ x + p["b"], 2), np.split(p["U"], 2)
    f = sigmoid(wf + uf @ h)
    h = (1 - f) * h + f * np.tanh(wn + un @ (f * h))
    return h, h


def janet(x: Array, h: Array, p: Weights) -> tuple[Array, Array]:
    f, n = np.split(p["W"] @ x + p["U"] @ h + p["b"], 2)
    h = sigmoid(f) * h + (1 - sigmoid(f - 1.0)) * np.tanh(n)
    return h, h


def feedforward(x: Array, state: Array, p: Weights) -> tuple[Array, Array]:
    return np.tanh(p["W"] @ x + p["b"]), state


EQUATIONS: dict[str, Callable[..., tuple[Array, Any]]] = {
    equation.__name__: equation
    for equation in (
        *(elman, elman_relu, gru, lstm, layernorm_lstm, peephole_lstm, lstmp, coupled_lstm, layernorm_gru),
        *(ligru, mgu, janet, mingru, minlstm, sru, qrnn, qrnn1, lru, indrnn, diagonal_gru, diagonal_lstm),
        *(slstm, mlstm, feedforward),
    )
}

FUSED_NAMES = {"W": "core.weight_ih_l0", "U": "core.weight_hh_l0", "b": "core.bias_ih_l0", "c": "core.bias_hh_l0"}
GATED_NAMES = {"W": "cell.input_weight", "U": "cell.recurrent_weight", "b": "cell.bias"}
UNREAD_NAMES = {"W": "cell.input_weight", "b": "cell.bias"}
NORMS = {"x": "input", "h": "recurrent", "c": "cell"}
WEIGHT_NAMES: dict[str, dict[str, str]] = {
    "elman": FUSED_NAMES,
    "elman_relu": FUSED_NAMES,
    "gru": FUSED_NAMES,
    "lstm": FUSED_NAMES,
    "layernorm_lstm": {
        **GATED_NAMES,
        **{f"gain_{short}": f"cell.{name}_gain" for short, name in NORMS.items()},
        "bias_c": "cell.cell_bias",
    },
    "peephole_lstm": {
        **GATED_NAMES,
        "p_i": "cell.input_peephole",
        "p_f": "cell.forget_peephole",
        "p_o": "cell.output_peephole",
    },
    **dict.fromkeys(("coupled_lstm", "mgu", "janet", "slstm"), GATED_NAMES),
    "lstmp": {**GATED_NAMES, "P": "cell.projection_weight"},
    "layernorm_gru": {**GATED_NAMES, "gain_x": "cell.input_gain", "gain_h": "cell.recurrent_gain"},
    "ligru": {**GATED_NAMES, "gain_x": "cell.input_gain"},
    **dict.fromkeys(("mingru", "minlstm", "sru", "qrnn", "qrnn1", "mlstm", "feedforward"), UNREAD_NAMES),
    "lru": {
        **UNREAD_NAMES,
        **{name: f"cell.{name}" for name in ("log_decay", "log_phase", "log_scale")},
        "C": "cell.output_weight",
    },
    **dict.fromkeys(("indrnn", "diagonal_gru"), GATED_NAMES),
    "diagonal_lstm": {**GATED_NAMES, "p_f": "cell.forget_peephole", "p_o": "cell.output_peephole"},
}
"""Where a network of one layer keeps the letters of the equations."""


def read_row(equation: Callable[..., tuple[Array, Any]], row: Array, state: Any, weights: Weights) -> tuple[Array, Any]:
    """The outputs (T, H) of ``row`` (T, F), read from ``state`` on, and the last state."""
    outputs = []
    for x in row:
        output, state = equation(x, state, weights)
        outputs.append(output)
    return np.stack(outputs), state


def read_both_ways(equation: Callable[..., tuple[Array, Any]], row: Array, state: Any, ahead: Weights, back: Weights) -> Array:
    """The outputs (T, 2H) of a row read forwards by one set of weights and backwards by another, step beside step."""
    forwards, _ = read_row(equation, row, state, ahead)
    backwards, _ = read_row(equation, row[::-1], state, back)
    return np.concatenate([forwards, backwards[::-1]], 1)
