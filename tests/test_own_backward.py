"""Sequences with a backward pass of their own equal the loop over their steps, in outputs, states and all gradients.

Shapes: B rows, T steps, F features in, H hidden units.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from rnn_lightning import LinearChainCRF
from rnn_lightning.recurrent import CELLS, Cell, Recurrent, Unrolled, build_network
from rnn_lightning.recurrent.kernels import library
from rnn_lightning.recurrent.lstm_cells import LSTMCell
from rnn_lightning.sequences import leaves, map_state
from rnn_lightning.systems.language_model import MANY, cross_entropy

F, H = 5, 4
LENGTHS = torch.tensor([6, 1, 0, 4])
OWN = [
    "layernorm_lstm",
    "peephole_lstm",
    "mingru",
    "minlstm",
    "sru",
    "qrnn",
    "qrnn1",
    "lru",
    "indrnn",
    "diagonal_gru",
    "diagonal_lstm",
]
USES: dict[str, Callable[[Tensor, Any], Tensor]] = {
    "outputs": lambda outputs, _: outputs.sin().sum(),
    "state": lambda _, state: sum((leaf.cos().sum() for leaf in leaves(state)), torch.zeros(())),
    "both": lambda outputs, state: outputs.sin().sum() + sum(leaf.cos().sum() for leaf in leaves(state)),
    "memory cell": lambda _, state: leaves(state)[-1].square().sum(),
}


def by_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Unrolled, "_read_at_once", lambda *_: None)


def everything(network: Recurrent, lengths: Tensor | None, use: str) -> list[Tensor | None]:
    """Outputs, states, and the gradients of the inputs, of the state at the start and of all weights."""
    draws = torch.Generator().manual_seed(3)
    dtype = next(network.parameters()).dtype
    inputs = torch.randn(len(LENGTHS), 7, F, generator=draws, dtype=dtype).requires_grad_()
    state = map_state(lambda part: torch.randn(part.shape, generator=draws, dtype=dtype), network.start(inputs))
    for leaf in leaves(state):
        leaf.requires_grad_()
    network.zero_grad()
    torch.manual_seed(5)
    outputs, after = network(inputs, lengths, state)
    USES[use](outputs, after).backward()
    return [outputs, *leaves(after), *(part.grad for part in (inputs, *leaves(state), *network.parameters()))]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
@pytest.mark.parametrize("weight_drop", [0.0, 0.5])
@pytest.mark.parametrize("cell", OWN)
def test_sequences_equal_the_loop(
    cell: str, weight_drop: float, lengths: Tensor | None, use: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    network = build_network(cell, F, H, bidirectional=True, weight_drop=weight_drop).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    found = everything(network, lengths, use)
    by_loop(monkeypatch)
    for one, two in zip(found, everything(network, lengths, use), strict=True):
        zero = None if one is None and two is None else torch.zeros_like(one if two is None else two)
        if zero is not None:  # what nothing depends on has no gradient in one of the forms, and zeros in the other
            torch.testing.assert_close(zero if one is None else one, zero if two is None else two, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cell", OWN)
def test_single_precision_agrees(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = build_network(cell, F, 32, 2)
    found = everything(network, LENGTHS, "both")
    by_loop(monkeypatch)
    for one, two in zip(found, everything(network, LENGTHS, "both"), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", OWN)
def test_a_second_derivative_is_refused(cell: str) -> None:
    inputs = torch.randn(2, 3, F, requires_grad=True)
    network: Any = build_network(cell, F, H)
    with pytest.raises(RuntimeError, match="set at_once = False"):
        torch.autograd.grad(network(inputs)[0].sum(), inputs, create_graph=True)
    network.layers[0].at_once = False
    (gradient,) = torch.autograd.grad(network(inputs)[0].sum(), inputs, create_graph=True)
    gradient.square().sum().backward()
    assert any(part.grad is not None and part.grad.abs().max() > 0 for part in network.parameters())


@pytest.mark.parametrize(
    "loss",
    [
        lambda inputs: LinearChainCRF(F).loss(inputs, torch.zeros(2, 3, dtype=torch.int64)),
        lambda inputs: cross_entropy(inputs.flatten(0, 1), torch.nn.Linear(F, MANY), torch.zeros(6, dtype=torch.int64)),
    ],
    ids=["CRF", "output layer of many classes"],
)
def test_losses_by_hand_refuse_a_second_derivative_too(loss: Callable[[Tensor], Tensor]) -> None:
    inputs = torch.randn(2, 3, F, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"create_graph=True asks for second derivatives, which .* does not have: take"):
        torch.autograd.grad(loss(inputs), inputs, create_graph=True)


def test_the_cells_with_a_backward_pass_of_their_own_are_these() -> None:
    own = [name for name, cell in CELLS.items() if issubclass(cell, Cell) and cell.sequence is not Cell.sequence]
    assert own == OWN


@pytest.mark.parametrize("cell", [cell for cell in OWN if not getattr(CELLS[cell], "scans", False)])
def test_autocast_reads_step_by_step(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, inputs = build_network(cell, F, H), torch.randn(2, 3, F)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, _ = network(inputs)
        by_loop(monkeypatch)
        assert outputs.equal(network(inputs)[0])


@pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if issubclass(cell, Cell)])
def test_a_sequence_takes_the_product_of_its_inputs_once(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network: Any = build_network(cell, F, H)
    part, asked = network.layers[0].cell, []
    project = part.project
    monkeypatch.setattr(part, "project", lambda inputs: asked.append(inputs.shape) or project(inputs))
    network(torch.randn(2, 3, F), torch.tensor([3, 1]))
    network.layers[0].at_once = False
    network(torch.randn(2, 3, F), torch.tensor([3, 1]))
    assert len(asked) == (1 if isinstance(part, LSTMCell) and library() else 2)  # compiled steps take it themselves


@pytest.mark.parametrize("sizes", [(1, 1), (1, 300), (255, 2), (256, 3), (257, 3), (16, 17), (64, 9)], ids=str)
@pytest.mark.parametrize("cell", ["elman", "elman_relu", "gru", "lstm", "peephole_lstm", "layernorm_lstm"])
def test_chunks_of_compiled_layers_add_up(cell: str, sizes: tuple[int, int]) -> None:
    """Gradients in single precision, wherever a chunk ends, are those of double precision, which has no chunks."""
    torch.manual_seed(4)
    network = build_network(cell, F, 3 * H, 2, bidirectional=True)
    inputs, lengths = torch.randn(*sizes, F), torch.randint(0, sizes[1] + 1, (sizes[0],))
    found = []
    for dtype in (torch.float32, torch.float64):
        read = inputs.detach().clone().to(dtype).requires_grad_()
        network = network.to(dtype)
        network.zero_grad()
        network(read, lengths)[0].sin().sum().backward()
        found.append([read.grad, *(part.grad for part in network.parameters())])
    for one, two in zip(*found, strict=True):
        assert one is not None and two is not None
        torch.testing.assert_close(one.double(), two, rtol=1e-3, atol=1e-3 * max(1.0, float(two.abs().max())))
