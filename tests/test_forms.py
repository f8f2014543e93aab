"""The forms of a recurrent layer's weights: a network in another form computes the same with the weights of the first."""

from typing import Any

import pytest
import torch
from torch import Tensor

from rnn_lightning import build_network
from rnn_lightning.recurrent import Recurrent
from rnn_lightning.recurrent.forms import in_form_of, place_of

FORMS: list[dict[str, Any]] = [{}, {"recurrent_dropout": 0.5}, {"weight_drop": 0.5}, {"dropout": 0.5}]
FORMS += [{"recurrent_dropout": 0.5, "dropout": 0.5, "weight_drop": 0.1}]


def network(cell: str, seed: int, **more: Any) -> Recurrent:
    torch.manual_seed(seed)
    return build_network(cell, 3, 4, 2, bidirectional=True, init="uniform", **more).double().eval()


def outputs(read_by: Recurrent) -> Tensor:
    inputs = torch.randn(3, 6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return read_by(inputs, torch.tensor([6, 2, 4]))[0]


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("first", FORMS, ids=str)
@pytest.mark.parametrize("second", FORMS, ids=str)
def test_a_layer_computes_the_same_in_every_form(cell: str, first: dict[str, Any], second: dict[str, Any]) -> None:
    one, other = network(cell, 1, **first), network(cell, 2, **second)
    other.load_state_dict(in_form_of(other.state_dict(), one.state_dict()))
    torch.testing.assert_close(outputs(other), outputs(one))


def test_connections_around_a_layer_keep_its_weights_and_have_their_own() -> None:
    plain, residual = (build_network("elman", 4, 4, 2, residual=residual).state_dict() for residual in (False, True))
    found = in_form_of(residual, plain)
    assert found.keys() == residual.keys()
    assert torch.equal(found["layers.1.inner.core.weight_hh_l0"], plain["core.weight_hh_l1"])
    highway = build_network("gru", 4, 4, 2, block="highway").state_dict()
    found = in_form_of(highway, build_network("gru", 4, 4, 2).state_dict())
    assert highway.keys() - found.keys() == {"layers.1.transform.weight", "layers.1.transform.bias"}


@pytest.mark.parametrize("cell", ["lstm", "mingru"])
def test_parts_of_a_block_leave_each_layer_its_number(cell: str) -> None:
    block = build_network(cell, 4, 4, 3, block="residual", convolution=3, mlp=2).state_dict()
    found = in_form_of(block, build_network(cell, 4, 4, 3).state_dict())
    new = {name for name in block if not place_of(name)}
    assert found.keys() == block.keys() - new and all("norm" in name or "mlp" in name or ".layers.0." in name for name in new)
    layers = [place[0].number for name in found if (place := place_of(name)) is not None]
    assert sorted({*layers}) == [0, 1, 2]


def test_what_has_no_place_keeps_its_name() -> None:
    given = {"network.core.weight_ih_l1": torch.ones(1), "output.bias": torch.ones(2)}
    assert in_form_of(["network.core.weight_ih_l0"], given).keys() == given.keys() and place_of("output.bias") is None
