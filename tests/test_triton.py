"""Kernels in Triton equal the forms without them, interpreted on the CPU: outputs, states and all gradients.

Shapes: B rows, T steps, F features in, H hidden units; sequences of kernels have time first.
"""

import copy
from functools import partial
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from rnn_lightning.recurrent import CELLS, Recurrent, build_network, choose_backend
from rnn_lightning.recurrent.parallel import back_by_loop, by_loop, scan
from rnn_lightning.sequences import State, leaves, map_state

pytest.importorskip("triton", reason="Triton is not installed: pip install 'rnn-lightning[triton]'")

import triton
import triton.language as tl

from rnn_lightning.kernels import cells, linear_scan, sequences, tiles
from rnn_lightning.kernels.sequences import by_kernel
from rnn_lightning.recurrent.parallel import Forms

F = 2
LOOPS = {
    "lstm": cells.LSTM,
    "gru": cells.GRU,
    "peephole_lstm": cells.PEEPHOLE,
    "slstm": cells.SLSTM,
    "layernorm_lstm": cells.LAYER_NORM,
}
SHARED = {"gru": [(1,)], "peephole_lstm": [(3, 1)], "layernorm_lstm": [(4,), (1,), (1,)]}
"""What all steps share, in multiples of H."""
SCANS = [name for name, cell in CELLS.items() if cell.triton == "SCAN"]


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter scans number by number."""
    monkeypatch.setattr(linear_scan, "STEPS", 4)
    monkeypatch.setattr(linear_scan, "COLUMNS", 8)


class Read(NamedTuple):
    """What a network is given, besides the inputs."""

    steps: int = 4
    lengths: list[int] | None = None
    fresh: bool = False
    from_state: bool = False


def network_of(cell: str, *, bidirectional: bool = False, weight_drop: float = 0.0) -> Recurrent:
    torch.manual_seed(1)
    heads, units = (2, 6) if cell == "slstm" else (1, 5)
    network = build_network(cell, F, units, bidirectional=bidirectional, heads=heads, weight_drop=weight_drop)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return network


def results(network: Recurrent, given: Read, backend: str, dtype: torch.dtype) -> list[Any]:
    """Outputs, last state and the gradients of inputs, state and parameters."""
    network = copy.deepcopy(network).to(dtype)
    choose_backend(network, backend)
    draws = torch.Generator().manual_seed(2)

    def drawn(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=draws).abs().to(dtype).requires_grad_()

    inputs = drawn(torch.empty(3, given.steps, F))
    state: State | None = map_state(drawn, network.start(inputs)) if given.from_state else None
    lengths = None if given.lengths is None else torch.tensor(given.lengths)
    fresh = torch.rand(3, given.steps, generator=draws) < 0.5 if given.fresh else None
    torch.manual_seed(3)
    outputs, after = network(inputs, lengths, state, fresh)
    sum((part.sin().sum() for part in (outputs, *leaves(after))), torch.zeros(())).backward()
    begun = [] if state is None else leaves(state)
    return [outputs, *leaves(after), *(part.grad for part in (inputs, *begun, *network.parameters()))]


READS = {
    "one step": (Read(steps=1, from_state=True), False),
    "lengths, both directions, from a state": (Read(steps=3, lengths=[3, 0, 2], from_state=True), True),
    "anew, from a state": (Read(lengths=[4, 2, 0], fresh=True, from_state=True), False),
}
"""What is read, and whether by both directions."""


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("cell", [*LOOPS, "qrnn", "lru"])
def test_a_network_by_kernels_is_the_network(cell: str, read: str) -> None:
    given, bidirectional = READS[read]
    network = network_of(cell, bidirectional=bidirectional)
    expected = results(network, given, "auto", torch.float64)
    backend = "triton_recompute" if bidirectional else "triton"
    found = results(network, given, backend, torch.float32)
    assert len(found) == len(expected)
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), two, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("cell", sorted({*SCANS} - {"qrnn", "lru"}))
def test_every_cell_that_scans_takes_the_kernel(cell: str) -> None:
    network, given = network_of(cell), Read(steps=6, lengths=[6, 0, 3])
    for one, two in zip(*(results(network, given, backend, torch.float64) for backend in ("auto", "triton")), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)


def test_weights_that_are_dropped_are_those_that_the_kernel_takes() -> None:
    network = network_of("lstm", weight_drop=0.5)
    for one, two in zip(*(results(network, Read(), backend, torch.float64) for backend in ("auto", "triton")), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)


def tensors_of(cell: str, steps: int, rows: int, size: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """What the kernel of a cell takes, drawn."""
    kernel, draws = LOOPS[cell], torch.Generator().manual_seed(4)
    heads = 2 if cell == "slstm" else 1
    shapes: list[tuple[int, ...]] = [(steps, rows, kernel.gates * size), (kernel.gates * size, size // heads)]
    shapes += [(rows, size)] * (1 + kernel.memories)
    shapes += [(*many[:-1], many[-1] * size) for many in SHARED.get(cell, [])]
    drawn = [torch.randn(shape, generator=draws, dtype=torch.float64).abs_().mul_(0.5).to(dtype) for shape in shapes]
    return [part.requires_grad_() for part in drawn]


@pytest.mark.parametrize("cell", [name if name == "gru" else pytest.param(name, marks=pytest.mark.slow) for name in LOOPS])
def test_gradients_are_those_of_differences(cell: str) -> None:
    def run(*given: Tensor) -> tuple[Tensor, ...]:
        return by_kernel(LOOPS[cell], given)

    assert torch.autograd.gradcheck(run, tensors_of(cell, 2, 2, 4), fast_mode=True)


@pytest.mark.parametrize("cell", LOOPS)
def test_a_row_beyond_a_tile_has_the_bits_that_it_has_alone(cell: str) -> None:
    """17 rows and 34 units, more than a tile: the last row is alone in its program."""
    tensors = tensors_of(cell, 1, 17, 34, torch.float32)
    alone = [part[:, -1:] if part.dim() == 3 else part[-1:] if part.shape == (17, 34) else part for part in tensors]
    whole = by_kernel(LOOPS[cell], tensors)
    for one, two in zip(by_kernel(LOOPS[cell], alone), whole, strict=True):
        assert torch.equal(one, two[:, -1:])


@pytest.mark.parametrize("cell", [name if name == "lstm" else pytest.param(name, marks=pytest.mark.slow) for name in LOOPS])
def test_tiles_of_any_size_have_the_same_outcome(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """3 rows and 6 units in one tile, and in two of rows by two of units, whose products take two each."""
    outcomes = []
    for sizes in ((16, 32, 32), (2, 4, 4)):
        for name, size in zip(("ROWS", "UNITS", "INNER"), sizes, strict=True):
            monkeypatch.setattr(sequences, name, size)
        tensors = tensors_of(cell, 2, 3, 6)
        found = sequences.by_kernel(LOOPS[cell], tensors)
        sum((part.square().sum() for part in found), torch.zeros(())).backward()
        outcomes.append([*found, *(part.grad for part in tensors)])
    for one, two in zip(*outcomes, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
@pytest.mark.parametrize("steps", [1, 4, 9])
@pytest.mark.parametrize("varies", [True, False], ids=["a by step", "one a"])
def test_a_scan_by_the_kernel_is_the_loop(dtype: torch.dtype, steps: int, varies: bool) -> None:
    draws = torch.Generator().manual_seed(5)
    drawn = partial(torch.randn, generator=draws, dtype=dtype)
    tensors = [drawn(steps, 3, 5) if varies else drawn(5), drawn(steps, 3, 5), drawn(3, 5)]
    outcomes = []
    for forms in (Forms(by_loop, back_by_loop), Forms(linear_scan.by_kernel, linear_scan.back_by_kernel)):
        given = [part.clone().requires_grad_() for part in tensors]
        states = scan(*given, forms)  # pyright: ignore[reportArgumentType]
        (states * states.conj()).abs().sum().backward()
        outcomes.append([states, *(part.grad for part in given)])
    for one, two in zip(*outcomes, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)


def test_products_in_bfloat16_are_near_those_of_float32() -> None:
    network: Any = network_of("lstm")
    inputs = torch.randn(3, 4, F)
    with torch.no_grad():
        exact, (hidden, cell) = network(inputs)
        choose_backend(network, "triton")
        with torch.autocast("cpu", torch.bfloat16):
            outputs, state = network(inputs)
    assert outputs.dtype == torch.bfloat16 and all(part.dtype == torch.float32 for part in leaves(state))
    for one, two in zip((outputs, *leaves(state)), (exact, hidden, cell), strict=True):
        torch.testing.assert_close(one.float(), two, rtol=3e-2, atol=3e-2)


@pytest.mark.parametrize("cell", ["gru", "layernorm_lstm"])
def test_what_is_computed_again_is_not_kept(cell: str) -> None:
    kept: list[int] = []
    for keeps in (True, False):
        sizes: list[int] = []
        with saved_tensors_hooks(lambda part, sizes=sizes: (sizes.append(part.numel()), part)[1], lambda part: part):
            by_kernel(LOOPS[cell], tensors_of(cell, 3, 2, 4), keeps=keeps)
        kept.append(sum(sizes))
    assert kept[0] - kept[1] == 3 * 2 * LOOPS[cell].gates * 4


def test_what_is_no_number_stays_none() -> None:
    for cell in LOOPS:
        tensors = [part.detach() for part in tensors_of(cell, 1, 2, 4)]
        tensors[0][0, 1] = float("nan")
        outputs = by_kernel(LOOPS[cell], tensors)[0]
        assert outputs[0, 1].isnan().all() and outputs[0, 0].isfinite().all()


@triton.jit
def _places(found, first_row, gate: tl.constexpr, form):
    row = first_row.to(tl.int64) + tl.arange(0, form.rows)
    tile = tiles.tile_of(tiles.Step(row, form.rows), 0, form)
    at = tiles.place(tile.now, gate, form.gates, tile, form)
    tl.store(found + tl.arange(0, form.rows)[:, None] * form.units + tl.arange(0, form.units)[None, :], at)


def test_places_are_numbers_of_64_bits() -> None:
    """Rows of 4 x 1,500 numbers whose places are beyond 2 ** 31 and 2 ** 32."""
    rows, units, size = 16, 16, 1500
    form = tiles.Form(*map(tl.constexpr, (rows, units, 16, size, size, 4, tl.float32, tl.float32, "ieee", True)))
    for first in (400_000, 2**31 // 6000, 2**33):
        found = torch.zeros(rows, units, dtype=torch.int64)
        _places[(1,)](found, first, 3, form)
        expected = [[(first + row) * 4 * size + 3 * size + unit for unit in range(units)] for row in range(rows)]
        assert found.tolist() == expected and max(max(line) for line in expected) > 2**31 - 1_000_000
