"""Where a row starts anew, it reads on as another row would: equal to reading its pieces apart.

Shapes: B rows, T steps, F features in, H hidden units.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from rnn_lightning.recurrent import CELLS, Recurrent, build_network
from rnn_lightning.sequences import leaves, map_state

B, T, F, H = 4, 9, 3, 4
LENGTHS = torch.tensor([9, 6, 0, 1])
FORMS: list[dict[str, Any]] = [{}, {"num_layers": 2, "bidirectional": True}, {"num_layers": 2, "residual": True}]


def network_of(cell: str, **form: Any) -> Recurrent:
    torch.manual_seed(1)
    return build_network(cell, F, H, **form).double()


def batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(seed)
    return torch.randn(B, T, F, dtype=torch.float64, generator=draws), torch.rand(B, T, generator=draws) < 0.3


def pieces(fresh: Tensor, length: int) -> Iterator[tuple[int, int]]:
    """The first step and the end of each piece of a row."""
    borders = [0, *(step for step in range(1, length) if fresh[step]), length]
    yield from pairwise(borders)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_a_row_is_read_as_its_pieces(cell: str, form: dict[str, Any]) -> None:
    network, (inputs, fresh) = network_of(cell, **form), batch()
    outputs, state = network(inputs, LENGTHS, None, fresh)
    start = network.start(inputs)
    for row, length in enumerate(LENGTHS.tolist()):
        last = map_state(lambda part, row=row: part[row : row + 1], start)
        read = []
        for first, end in pieces(fresh[row], length):
            output, last = network(inputs[row : row + 1, first:end])
            read.append(output[0])
        torch.testing.assert_close(outputs[row, :length], torch.cat([outputs[:0, 0], *read]), rtol=0, atol=1e-12)
        assert not outputs[row, length:].any()
        for part, alone in zip(leaves(state), leaves(last), strict=True):
            torch.testing.assert_close(part[row : row + 1], alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_those_of_the_pieces(cell: str) -> None:
    network, (inputs, fresh) = network_of(cell), batch(2)
    weighted = torch.randn(B, T, H, dtype=torch.float64)

    def gradients(total: Tensor) -> list[Tensor]:
        return [*torch.autograd.grad(total, [*network.parameters(), inputs], materialize_grads=True)]

    inputs.requires_grad_()
    together = gradients((network(inputs, None, None, fresh)[0] * weighted).sum())
    apart = [
        (network(inputs[row : row + 1, first:end])[0][0] * weighted[row, first:end]).sum()
        for row in range(B)
        for first, end in pieces(fresh[row], T)
    ]
    for one, other in zip(together, gradients(torch.stack(apart).sum()), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)


@pytest.mark.parametrize("cell", CELLS)
def test_two_goes_are_one_and_a_first_step_may_be_fresh(cell: str) -> None:
    network, (inputs, fresh) = network_of(cell, num_layers=2), batch(3)
    fresh[0, 4], fresh[1, 4] = True, False
    whole, end = network(inputs, None, None, fresh)
    first, between = network(inputs[:, :4], None, None, fresh[:, :4])
    second, after = network(inputs[:, 4:], None, between, fresh[:, 4:])
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=0, atol=1e-12)
    for part, other in zip(leaves(after), leaves(end), strict=True):
        torch.testing.assert_close(part, other, rtol=0, atol=1e-12)
    none = torch.zeros_like(fresh)
    assert network(inputs, LENGTHS, between, none)[0].allclose(network(inputs, LENGTHS, between)[0], rtol=0, atol=1e-12)


def test_nothing_to_read_changes_nothing() -> None:
    network, (inputs, fresh) = network_of("lstm"), batch()
    state = network(inputs)[1]
    outputs, after = network(inputs, torch.zeros(B, dtype=torch.int64), state, fresh)
    assert not outputs.any() and all(one.equal(other) for one, other in zip(leaves(after), leaves(state), strict=True))
    assert network(inputs[:, :0], None, state, fresh[:, :0])[0].shape == (B, 0, H)


@pytest.mark.parametrize(
    ("fresh", "said"),
    [
        (torch.zeros(B, T), rf"fresh must be booleans of shape \({B}, {T}\), one a step, not torch.float32 of shape"),
        (torch.zeros(B, 1, dtype=torch.bool), rf"not torch.bool of shape \({B}, 1\)"),
        ([True], r"one a step, not \[True\]"),
    ],
)
def test_what_says_nothing_of_each_step_is_refused(fresh: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        network_of("gru")(batch()[0], None, None, fresh)


def test_a_network_that_reads_backwards_takes_no_state_beside_it() -> None:
    network, (inputs, fresh) = network_of("gru", bidirectional=True), batch()
    with pytest.raises(ValueError, match="takes no state beside fresh"):
        network(inputs, None, network.start(inputs), fresh)
