"""Learned initial states: a network reads as from that state given to it, and the state has the gradient of what rows begin.

Shapes: B rows, T steps, F features in, H hidden units.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from recurrent_forms import F, H
from torch import Tensor, nn

from rnn_lightning import Batch, LanguageModel, check_invariance, count_parameters, flops_per_step, hidden_size_for, prepared
from rnn_lightning.export.folders import write_graph
from rnn_lightning.export.formats import read_onnx
from rnn_lightning.export.graphs import Whole
from rnn_lightning.export.parity import PARITY
from rnn_lightning.recurrent import CELLS, build_network
from rnn_lightning.runtime.session import first_state
from rnn_lightning.sequences import State, leaves, map_state

B, T = 5, 7
LENGTHS = torch.tensor([7, 1, 0, 4, 6])
FORMS: list[dict[str, Any]] = [{}, {"num_layers": 2, "bidirectional": True}, {"num_layers": 2, "block": "residual"}]
assert_close = partial(torch.testing.assert_close, rtol=0, atol=1e-11)
every_cell = pytest.mark.parametrize("cell", CELLS)
every_form = pytest.mark.parametrize("form", FORMS, ids=str)


def network_of(cell: str, **form: Any) -> Any:
    """A network no parameter of which is zero, and so no number of its first state but those that are not learned."""
    torch.manual_seed(1)
    network: Any = build_network(cell, F, H, initial_state="learned", **form).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.5)
    return network


def starts_of(network: nn.Module) -> dict[str, nn.Parameter]:
    return {name: value for name, value in network.named_parameters() if ".learned." in name or name.startswith("learned.")}


def inputs_of(rows: int = B, steps: int = T) -> Tensor:
    return torch.randn(rows, steps, F, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


@every_cell
@every_form
def test_a_network_reads_as_from_its_state_given_to_one_that_learns_none(cell: str, form: dict[str, Any]) -> None:
    network, plain, inputs = network_of(cell, **form), build_network(cell, F, H, **form).double(), inputs_of()
    plain.load_state_dict({name: value for name, value in network.state_dict().items() if name not in starts_of(network)})
    start = network.start(inputs)
    zeros = [part for part in leaves(plain.start(inputs)) if part.numel()]
    assert all(one.shape == other.shape for one, other in zip(leaves(start), leaves(plain.start(inputs)), strict=True))
    moved = sum(not one.equal(other) for one, other in zip((p for p in leaves(start) if p.numel()), zeros, strict=True))
    assert moved >= len(starts_of(network)) / 2 > 0 or cell == "feedforward"
    outputs, after = network(inputs, LENGTHS)
    assert_close((outputs, after), plain(inputs, LENGTHS, start))
    for part, first in zip(leaves(after), leaves(start), strict=True):
        assert part[2].equal(first[2])  # a row without a step


@every_cell
@every_form
def test_the_laws_of_reading_hold(cell: str, form: dict[str, Any]) -> None:
    assert max(check_invariance(network_of(cell, **form)).values()) < 1e-11


@every_cell
def test_rows_that_start_anew_start_from_it_with_their_gradients(cell: str) -> None:
    network, inputs = network_of(cell), inputs_of()
    fresh = torch.zeros(B, T, dtype=torch.bool)
    fresh[0, 3] = fresh[3, 1] = fresh[4, 0] = True
    state = map_state(torch.Tensor.detach, network(inputs_of(B, 2))[1])
    outputs, _ = network(inputs, LENGTHS, state, fresh)
    pieces = {(0, 3, 7): None, (0, 0, 3): 0, (3, 1, 4): None, (3, 0, 1): 3, (4, 0, 6): None, (1, 0, 1): 1}
    total = outputs.new_zeros(())
    for (row, first, end), goes_on in pieces.items():
        before = None if goes_on is None else map_state(lambda part, row=row: part[row : row + 1], state)
        read, _ = network(inputs[row : row + 1, first:end], None, before)
        assert_close(outputs[row, first:end], read[0])
        total = total + read.sin().sum()
    wanted = [*network.parameters()]
    found, expected = (torch.autograd.grad(each, wanted, materialize_grads=True) for each in (outputs.sin().sum(), total))
    assert_close(found, expected)


@every_cell
def test_gradients_are_those_of_finite_differences(cell: str) -> None:
    network, inputs = network_of(cell, bidirectional=True), inputs_of(3, 4)
    names, weights = [*starts_of(network)], [*starts_of(network).values()]
    if not weights:
        assert cell == "feedforward"
        return

    def forward(*values: Tensor) -> tuple[Tensor, ...]:
        called = dict(zip(names, values, strict=True))
        outputs, state = torch.func.functional_call(network, called, (inputs, LENGTHS[1:4]))
        return outputs, *leaves(state)

    assert torch.autograd.gradcheck(forward, tuple(weights), fast_mode=True)


@every_cell
def test_a_stream_of_steps_is_the_whole_and_prepared_weights_change_nothing(cell: str) -> None:
    network, inputs = network_of(cell, num_layers=2).float().eval(), inputs_of().float()
    whole, last = network(inputs)
    for reader in (network, prepared(network)):
        state: State | None = None
        for number, step in enumerate(inputs.split(1, 1)):
            output, state = reader(step, None, state)
            torch.testing.assert_close(output[:, 0], whole[:, number], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(state, last, rtol=1e-4, atol=1e-5)


@every_cell
def test_the_numbers_of_the_state_count_as_parameters_and_as_no_products(cell: str) -> None:
    network, plain = (build_network(cell, F, H, 2, initial_state=name) for name in ("learned", "zeros"))
    constant = {"slstm": 2 * H, "mlstm": 1}.get(cell, 0)
    numbers = sum(part[0].numel() for part in leaves(plain.start(torch.zeros(1, 1, F)))) - 2 * constant
    assert count_parameters(network) == count_parameters(plain) + numbers
    assert flops_per_step(network) == flops_per_step(plain)
    budget = count_parameters(network)
    assert hidden_size_for(cell, input_size=F, num_layers=2, initial_state="learned", parameters=budget) == H


def test_the_same_weights_are_drawn_and_zeros_are_where_learning_begins() -> None:
    networks = []
    for name in ("learned", "zeros"):
        torch.manual_seed(0)
        networks.append(build_network("lstm", F, H, 2, initial_state=name))
    inputs = inputs_of().float()
    assert networks[0](inputs)[0].equal(networks[1](inputs)[0])


@every_cell
def test_16_bits_stay_finite(cell: str) -> None:
    network, inputs = network_of(cell, num_layers=2).float(), inputs_of().float()
    with torch.autocast("cpu", torch.bfloat16):
        outputs, _ = network(inputs, LENGTHS)
    outputs.float().square().sum().backward()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in starts_of(network).values())
    assert network.bfloat16()(inputs.bfloat16())[0].isfinite().all()


def test_weights_drop_out_beside_it() -> None:
    network = network_of("gru", weight_drop=0.5)
    network(inputs_of())[0].sum().backward()
    assert all(part.grad is not None for part in starts_of(network).values())


def test_a_batch_all_rows_of_which_go_on_gives_it_a_gradient_of_zero() -> None:
    """Several processes wait for the gradients of all parameters."""
    model = LanguageModel(9, {"cell": "gru", "hidden_size": H, "initial_state": "learned"}, embedding_size=3)
    tokens = torch.randint(9, (2, 6))
    for fresh in (None, torch.tensor([False, True]), torch.tensor([False, False])):
        model.zero_grad()
        model.loss_on(Batch(tokens, None, tokens, fresh=fresh), "train")[0].backward()
        (gradient,) = (part.grad for part in starts_of(model).values())
        assert gradient is not None and bool(gradient.any()) == (fresh is None or bool(fresh.any()))


def language_model(cell: str) -> LanguageModel:
    torch.manual_seed(0)
    model = LanguageModel(9, {"cell": cell, "hidden_size": H, "initial_state": "learned"}, embedding_size=3).eval()
    for part in starts_of(model).values():
        nn.init.normal_(part)
    return model


def check_exported(cell: str, form: str, folder: Path) -> None:
    model = language_model(cell)
    entry = write_graph(form, "model", Whole(model, lambda outputs: outputs, streams=True), folder)
    assert entry["largest_difference"] <= PARITY and len(entry["first_state"]) == len(entry["state"])
    if form == "onnx":
        tokens, lengths = torch.randint(9, (3, 5)), torch.tensor([5, 1, 3])
        first = [np.repeat(part[np.newaxis], 3, 0) for part in first_state(entry)]
        outputs, *_ = read_onnx(folder / "model.onnx")(tokens, lengths, *map(torch.from_numpy, first))
        torch.testing.assert_close(outputs[0], model(tokens, lengths)[0][0], rtol=1e-4, atol=1e-5)


def test_a_graph_says_which_state_rows_begin_with(tmp_path: Path) -> None:
    check_exported("gru", "onnx", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "torch_export"])
@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell != "feedforward"])
def test_every_cell_s_graph_says_it(cell: str, form: str, tmp_path: Path) -> None:
    check_exported(cell, form, tmp_path)


def test_a_graph_of_zeros_says_nothing_of_it() -> None:
    graph = Whole(
        LanguageModel(9, {"cell": "gru", "hidden_size": H}, embedding_size=3).eval(), lambda found: found, streams=True
    )
    assert not graph.first_state and first_state({"state": [[1, 4]]})[0].shape == (1, 4)


def test_another_initial_state_is_refused() -> None:
    with pytest.raises(ValueError, match=r"initial_state must be one of \['zeros', 'learned'\], not 'noise'"):
        build_network("gru", F, H, initial_state="noise")
