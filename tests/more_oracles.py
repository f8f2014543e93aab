"""As `oracles`: the equations of cells that scan, see themselves alone, or have exponential gates.

Shapes: T steps, F features in, H hidden units. W (G * H, F), U (G * H, H) or (G * H,) and b (G * H,) hold G gates one above
the other.
"""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Weights = dict[str, Array]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def positive(x: Array) -> Array:
    """The g of Feng et al. (2024, appendix B.3)."""
    return np.where(x >= 0, x + 0.5, sigmoid(x))


def mingru(x: Array, h: Array, p: Weights) -> tuple[Array, Array]:
    z, n = np.split(p["W"] @ x + p["b"], 2)
    h = (1 - sigmoid(z)) * h + sigmoid(z) * positive(n)
    return h, h


def minlstm(x: Array, h: Array, p: Weights) -> tuple[Array, Array]:
    f, i, n = np.split(p["W"] @ x + p["b"], 3)
    total = sigmoid(f) + sigmoid(i)
    h = sigmoid(f) / total * h + sigmoid(i) / total * positive(n)
    return h, h


def sru(x: Array, c: Array, p: Weights) -> tuple[Array, Array]:
    n, f, r, skip = np.split(p["W"] @ x + p["b"], 4)
    c = sigmoid(f) * c + (1 - sigmoid(f)) * n
    return sigmoid(r) * c + (1 - sigmoid(r)) * skip, c


def qrnn1(x: Array, c: Array, p: Weights) -> tuple[Array, Array]:
    z, f, o = np.split(p["W"] @ x + p["b"], 3)
    c = sigmoid(f) * c + (1 - sigmoid(f)) * np.tanh(z)
    return sigmoid(o) * c, c


def qrnn(x: Array, state: tuple[Array, Array], p: Weights) -> tuple[Array, tuple[Array, Array]]:
    before, c = state
    w, v = np.split(p["W"], 2, axis=1)
    z, f, o = np.split(w @ x + v @ before + p["b"], 3)
    c = sigmoid(f) * c + (1 - sigmoid(f)) * np.tanh(z)
    return sigmoid(o) * c, (x, c)


def lru(x: Array, state: Array, p: Weights) -> tuple[Array, Array]:
    hidden = state[::2] + 1j * state[1::2]
    real, imaginary, skip = np.split(p["W"] @ x + p["b"], 3)
    decay = np.exp(-np.exp(p["log_decay"]) + 1j * np.exp(p["log_phase"]))
    hidden = decay * hidden + np.exp(p["log_scale"]) * (real + 1j * imaginary)
    c = p["C"][:, ::2] - 1j * p["C"][:, 1::2]
    y = (c @ hidden).real + skip
    erf = np.array([math.erf(value / math.sqrt(2)) for value in y])
    return y * (1 + erf) / 2, np.stack([hidden.real, hidden.imag], 1).reshape(-1)


def indrnn(x: Array, h: Array, p: Weights) -> tuple[Array, Array]:
    h = np.maximum(0, p["W"] @ x + p["b"] + p["U"] * h)
    return h, h


def diagonal_gru(x: Array, h: Array, p: Weights) -> tuple[Array, Array]:
    (wz, wr, wn), (uz, ur, un) = np.split(p["W"] @ x + p["b"], 3), np.split(p["U"], 3)
    z, r = sigmoid(wz + uz * h), sigmoid(wr + ur * h)
    h = (1 - z) * h + z * np.tanh(wn + un * r * h)
    return h, h


def diagonal_lstm(x: Array, state: tuple[Array, Array], p: Weights) -> tuple[Array, tuple[Array, Array]]:
    h, c = state
    f, o, n = np.split(p["W"] @ x + p["U"] * np.tile(h, 3) + p["b"], 3)
    f = sigmoid(f + p["p_f"] * c)
    c = f * c + (1 - f) * np.tanh(n)
    h = sigmoid(o + p["p_o"] * c) * np.tanh(c)
    return h, (h, c)


def slstm(x: Array, state: tuple[Array, ...], p: Weights) -> tuple[Array, tuple[Array, ...]]:
    """Beck et al. (2024), equations 8 to 14, without a stabiliser; the state is divided by its scale at the end."""
    h, c, n, m = state
    i, f, o, z = np.split(p["W"] @ x + p["U"] @ h + p["b"], 4)
    c, n = sigmoid(f) * c * np.exp(m) + np.exp(i) * np.tanh(z), sigmoid(f) * n * np.exp(m) + np.exp(i)
    m = np.where(state[2] == 0, i, np.maximum(np.log(sigmoid(f)) + m, i))  # equation 15
    h = sigmoid(o) * c / n
    return h, (h, c / np.exp(m), n / np.exp(m), m)


def mlstm(x: Array, state: tuple[Array, ...], p: Weights) -> tuple[Array, tuple[Array, ...]]:
    """Beck et al. (2024), equations 19 to 27 of one head, without a stabiliser; the state is divided by its scale after."""
    c, n, m = state
    q, k, v, o, (i, f) = np.split(p["W"] @ x + p["b"], [len(n), 2 * len(n), 3 * len(n), 4 * len(n)])
    k = k / math.sqrt(len(n))
    c = sigmoid(f) * c.reshape(len(n), -1) * np.exp(m) + np.exp(i) * np.outer(v, k)
    n = sigmoid(f) * n * np.exp(m) + np.exp(i) * k
    m = np.maximum(np.log(sigmoid(f)) + m, i)
    h = sigmoid(o) * (c @ q) / max(abs(n @ q), 1)
    return h, ((c / np.exp(m)).reshape(-1), n / np.exp(m), m)
