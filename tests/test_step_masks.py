"""Masks within steps: zoneout keeps units of the state, recurrent dropout drops what a step writes; both may be off.

Shapes: B rows, T steps, F features in, H hidden units.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from oracles import EQUATIONS, WEIGHT_NAMES
from torch import Tensor, nn

from rnn_lightning import check_invariance
from rnn_lightning.export.folders import write_graph
from rnn_lightning.export.graphs import Whole
from rnn_lightning.export.parity import PARITY
from rnn_lightning.models import FrameClassifier
from rnn_lightning.recurrent import CELLS, Layout, Unrolled, build_network, fused_layers
from rnn_lightning.recurrent.stepped_cells import SteppedGRU, SteppedLSTM
from rnn_lightning.sequences import leaves

B, T, F, H = 4, 7, 3, 5
LENGTHS = torch.tensor([7, 1, 0, 4])
ZONED = [name for name, cell in CELLS.items() if "zoneout" in cell.options]
DROPPED = [name for name, cell in CELLS.items() if "recurrent_dropout" in cell.options]
assert_close = partial(torch.testing.assert_close, rtol=0, atol=1e-11)
zoned_cell, dropped_cell = (pytest.mark.parametrize("cell", names) for names in (ZONED, DROPPED))


def masks_of(cell: str, rate: float = 0.3) -> dict[str, float]:
    """All masks that a cell may have."""
    rates = {"zoneout": rate, "zoneout_cell": rate / 2, "recurrent_dropout": rate}
    return {name: value for name, value in rates.items() if name in CELLS[cell].options}


def drawn(network: nn.Module) -> Any:
    torch.manual_seed(1)
    for parameter in network.double().parameters():
        nn.init.normal_(parameter, std=0.5)
    return network


def inputs_of(rows: int = B, steps: int = T) -> Tensor:
    return torch.randn(rows, steps, F, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize(("cell", "stepped"), [("lstm", SteppedLSTM), ("gru", SteppedGRU)])
def test_the_cells_of_steps_are_the_fused_ones(cell: str, stepped: Any) -> None:
    fused, by_step = drawn(CELLS[cell].layer(F, Layout(H))), stepped.layer(F, Layout(H)).double()
    weights = dict(fused.core.named_parameters())
    biases, recurrent = weights["bias_ih_l0"].clone(), weights["bias_hh_l0"]
    biases[: H * (4 if cell == "lstm" else 2)] += recurrent[: H * (4 if cell == "lstm" else 2)]
    named = {"input_weight": weights["weight_ih_l0"], "recurrent_weight": weights["weight_hh_l0"], "bias": biases}
    named |= {"candidate_bias": recurrent[2 * H :]} if cell == "gru" else {}
    by_step.cell.load_state_dict(named)
    (one, state), (other, after) = fused(inputs_of(), LENGTHS), by_step(inputs_of(), LENGTHS)
    assert_close(one, other)
    assert_close([part.flatten(1) for part in leaves(state)], leaves(after))


def network_with_masks(cell: str, **masks: Any) -> tuple[Any, Any]:
    """A layer, and its cell."""
    network = drawn(build_network(cell, F, H, **masks))
    (layer,) = (part for part in network.modules() if isinstance(part, Unrolled))
    return network, layer.cell


@zoned_cell
def test_at_evaluation_zoneout_is_its_expectation_step_by_step(cell: str) -> None:
    network, own = network_with_masks(cell, **masks_of(cell))
    network.eval()
    weights = {"W": own.input_weight, "U": own.recurrent_weight, "b": own.bias, "c": torch.zeros(4 * H)}
    for letter, name in WEIGHT_NAMES[cell].items():
        weights |= {letter: own.get_parameter(name.removeprefix("cell."))} if name.startswith("cell.") else {}
    if cell == "gru":
        weights["c"] = torch.cat([torch.zeros(2 * H), own.candidate_bias])
    arrays = {letter: value.detach().double().numpy() for letter, value in weights.items()}
    arrays["c"] = arrays["c"][: len(arrays["b"])]
    outputs, _ = network(inputs_of())
    for row, found in zip(inputs_of().numpy(), outputs.detach().numpy(), strict=True):
        state = [part[0].numpy() for part in leaves(network.start(inputs_of()))]
        for x, output in zip(row, found, strict=True):
            _, after = EQUATIONS[cell](x, state[0] if len(state) == 1 else tuple(state), arrays)
            new = [after] if len(state) == 1 else [*after]
            rates = masks_of(cell)["zoneout"], masks_of(cell).get("zoneout_cell", 0.0)
            state = [rate * old + (1 - rate) * one for rate, old, one in zip(rates, state, new, strict=False)]
            np.testing.assert_allclose(output, state[0], atol=1e-11)


def one_step(cell: str, rows: int, **masks: Any) -> tuple[list[Tensor], list[Tensor], list[Tensor], Tensor]:
    """The state's tensors before a step, after it without masks, and after it with some drawn, and the output of the latter."""
    network, own = network_with_masks(cell, **masks)
    before = [part.expand(rows, -1) for part in leaves(network(inputs_of(1, 3))[1])]
    state: Any = tuple(before) if len(before) > 1 else before[0]
    projected = own.project(inputs_of(1, 1)[:, 0]).expand(rows, -1)
    torch.manual_seed(3)
    output, masked = own.train().zoned_step(projected, state)
    return before, leaves(own.eval().step(projected, state)[1]), leaves(masked), output


@zoned_cell
def test_in_training_each_unit_is_kept_or_new_and_as_often_as_it_should(cell: str) -> None:
    rates = {name: rate for name, rate in masks_of(cell).items() if name.startswith("zoneout")}
    before, new, after, output = one_step(cell, 4000, **rates)
    for rate, old, one, found in zip(rates.values(), before, new, after, strict=True):
        differ = old[0] != one[0]  # a rectified unit may be 0 twice
        kept, new_ones = (found == old)[:, differ], (found == one)[:, differ]
        assert (kept | new_ones).all() and abs(float(kept.double().mean()) - rate) < 0.03 and differ.sum() > 1
        assert 0 < float(kept[:, 0].double().mean()) < 1  # drawn for each row and unit
    assert output.equal(after[0])


@dropped_cell
def test_recurrent_dropout_drops_candidates_and_keeps_their_mean(cell: str) -> None:
    """The state is linear in each candidate, but for h where there is a memory cell."""
    _, new, after, _ = one_step(cell, 4000, recurrent_dropout=0.3)
    place = 1 if len(new) > 1 else 0
    values, shares = zip(
        *(column.unique(return_counts=True) for column in after[place].round(decimals=10).unbind(1)), strict=True
    )
    for value, share, mean in zip(values, shares, new[place][0], strict=True):
        if cell == "ligru" and len(value) == 1:
            continue  # a candidate of 0
        assert len(value) == 2 and abs(float(share.min()) / 4000 - 0.3) < 0.03
        dropped, kept = (value[share.argmin()], value[share.argmax()])
        assert_close(0.3 * dropped + 0.7 * kept, mean, atol=1e-9)


@pytest.mark.parametrize("cell", sorted({*ZONED, *DROPPED}))
@pytest.mark.parametrize("form", [{"num_layers": 2}, {"num_layers": 2, "bidirectional": True, "block": "residual"}], ids=str)
def test_the_laws_hold_at_evaluation_and_seeds_decide_in_training(cell: str, form: dict[str, Any]) -> None:
    network = drawn(build_network(cell, F, H, **form, **masks_of(cell)))
    assert max(check_invariance(network).values()) < 1e-12
    runs = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        runs.append(network(inputs_of(), LENGTHS)[0])
    assert runs[0].equal(runs[1]) and not runs[0].equal(runs[2])
    assert not runs[0][1, 1:].any()


@pytest.mark.parametrize("cell", sorted({*ZONED, *DROPPED}))
def test_gradients_are_those_of_finite_differences(cell: str) -> None:
    network = drawn(build_network(cell, F, 3, **masks_of(cell)))
    names, weights = zip(*network.named_parameters(), strict=True)

    def forward(inputs: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        torch.manual_seed(0)
        outputs, state = torch.func.functional_call(
            network, dict(zip(names, values, strict=True)), (inputs, LENGTHS.clamp(max=4))
        )
        return outputs, *leaves(state)

    assert torch.autograd.gradcheck(forward, (inputs_of(B, 4).requires_grad_(), *weights), fast_mode=True)


def test_what_is_fast_stays_so_without_masks_and_at_evaluation_where_they_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(fused_layers(build_network("lstm", F, H, 2, zoneout=0.0))) == 1
    assert CELLS["gru"].backend_on("cuda") == "fused" and CELLS["gru"].backend_on("cpu", {"zoneout": 0.1}) == "python loop"
    network, own = network_with_masks("peephole_lstm", recurrent_dropout=0.3)
    steps: list[Any] = []
    monkeypatch.setattr(type(own), "zoned_step", lambda self, *given: steps.append(0) or self.step(*given))
    plain = build_network("peephole_lstm", F, H).double()
    plain.load_state_dict(network.state_dict())
    assert_close(network.eval()(inputs_of()), plain(inputs_of()))
    assert not steps
    network.train()(inputs_of())
    assert len(steps) == T


def test_masks_of_16_bits_and_beside_dropped_weights() -> None:
    network = build_network("lstm", F, H, 2, weight_drop=0.5, initial_state="learned", **masks_of("lstm"))
    with torch.autocast("cpu", torch.bfloat16):
        network(inputs_of().float(), LENGTHS)[0].float().square().sum().backward()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in network.parameters())


def check_exported(cell: str, form: str, folder: Path) -> None:
    torch.manual_seed(0)
    model = FrameClassifier({"cell": cell, "hidden_size": H, "num_layers": 2, **masks_of(cell)}, F, ["a", "b"]).eval()
    assert write_graph(form, "model", Whole(model, lambda found: found, streams=True), folder)["largest_difference"] <= PARITY


def test_a_graph_has_the_expectation(tmp_path: Path) -> None:
    check_exported("gru", "torch_export", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "torch_export"])
@pytest.mark.parametrize("cell", ZONED)
def test_every_cell_s_graph_has_it(cell: str, form: str, tmp_path: Path) -> None:
    check_exported(cell, form, tmp_path)


def test_cells_without_such_a_state_and_other_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"zoneout must be 0\.0 for the cell 'mingru', not 0\.1: it is for coupled_lstm, gru"):
        build_network("mingru", F, H, zoneout=0.1)
    with pytest.raises(ValueError, match=r"zoneout_cell must be 0\.0 for the cell 'gru', not 0\.1: it is for coupled_lstm, la"):
        build_network("gru", F, H, zoneout_cell=0.1)
    with pytest.raises(ValueError, match="recurrent_dropout must be"):
        build_network("gru", F, H, recurrent_dropout=1.0)
