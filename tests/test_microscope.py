"""The microscope: closed forms of a linear network, finite differences of the LSTM and the GRU in NumPy, and the command."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from often import mixed
from run_folders import run_by_stages
from torch import Tensor

from pipelines.display.memory import draw_memory
from pipelines.microscope import microscope
from rnn_lightning import Batch, SequenceClassifier, SequenceRegressor, System
from rnn_lightning.microscope import Microscope, examine, horizon, jacobian
from rnn_lightning.recurrent import CELLS, Cell, Unrolled, build_network
from rnn_lightning.sequences import State

QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
NumPyStep = Callable[[dict[str, Any], Any, Any], tuple[Any, dict[str, Any]]]


class Linear(Cell):
    """h' = U h + W x + b."""

    gates = ("hidden",)
    label = "Linear"

    def start(self, inputs: Tensor) -> State:
        return self.zeros(inputs)

    def project(self, inputs: Tensor) -> Tensor:
        return inputs @ self.input_weight.t() + self.bias

    def step(self, projected: Tensor, state: Any) -> tuple[Tensor, State]:
        state = projected + state @ self.recurrent_weight.t()
        return state, state


def regressor(rnn: Any, seed: int = 0) -> SequenceRegressor:
    torch.manual_seed(seed)
    system = SequenceRegressor(rnn, 2).double()
    with torch.no_grad():
        for weight in system.parameters():
            weight.copy_(0.8 * torch.randn_like(weight))
    return system


def rows(count: int = 3, steps: int = 7, lengths: list[int] | None = None) -> Batch:
    drawn = torch.Generator().manual_seed(5)
    inputs = torch.randn(count, steps, 2, generator=drawn, dtype=torch.float64)
    targets = torch.randn(count, 1, generator=drawn, dtype=torch.float64)
    return Batch(inputs, None if lengths is None else torch.tensor(lengths), targets)


def test_a_linear_network_has_the_gradients_and_the_jacobian_of_the_closed_form() -> None:
    """The gradient with respect to h_{T-k} is (U^k)^T v for one with respect to h_T of v, and the Jacobian is U."""
    system, batch = regressor(Unrolled(Linear(2, 3))), rows()
    weight = system.network.cell.recurrent_weight.detach()  # pyright: ignore[reportAttributeAccessIssue]
    error = 2 * (system(batch.inputs)[0] - batch.targets).detach().abs()  # (B, 1)
    powers = [torch.linalg.matrix_power(weight.t(), lag) @ system.output.weight[0].detach() for lag in range(7)]
    found = examine(system, [batch])
    assert found.gradient_norms == pytest.approx([float(error.mean() * power.norm()) for power in powers])
    assert found.singular_values == pytest.approx(torch.linalg.svdvals(weight).tolist())
    assert found.gates == {} and found.clipped_share is None
    state = torch.ones(1, 3, dtype=torch.float64)
    torch.testing.assert_close(jacobian(system.network, batch.inputs[:1, 0], state), weight)


def sigmoid(values: Any) -> Any:
    return 1 / (1 + np.exp(-values))


def lstm_step(weights: dict[str, Any], inputs: Any, state: Any) -> tuple[Any, dict[str, Any]]:
    """The state (h, c), side by side, after a step, and the gates."""
    hidden, cell = np.split(state, 2)
    product = weights["weight_ih_l0"] @ inputs + weights["bias_ih_l0"]
    product = product + weights["weight_hh_l0"] @ hidden + weights["bias_hh_l0"]
    into, keep, new, out = np.split(product, 4)
    gates = {"input": sigmoid(into), "forget": sigmoid(keep), "output": sigmoid(out)}
    cell = gates["forget"] * cell + gates["input"] * np.tanh(new)
    return np.concatenate([gates["output"] * np.tanh(cell), cell]), gates


def gru_step(weights: dict[str, Any], inputs: Any, state: Any) -> tuple[Any, dict[str, Any]]:
    given = np.split(weights["weight_ih_l0"] @ inputs + weights["bias_ih_l0"], 3)
    own = np.split(weights["weight_hh_l0"] @ state + weights["bias_hh_l0"], 3)
    gates = {"reset": sigmoid(given[0] + own[0]), "update": sigmoid(given[1] + own[1])}
    new = np.tanh(given[2] + gates["reset"] * own[2])
    return (1 - gates["update"]) * new + gates["update"] * state, gates


def differences(function: Callable[[Any], Any], at: Any) -> Any:
    """The derivatives of ``function`` by central differences, a column for each number of ``at``."""
    steps = 1e-6 * np.eye(len(at))
    return np.stack([(function(at + step) - function(at - step)) / 2e-6 for step in steps], -1)


@pytest.mark.parametrize("cell, step, parts", [("lstm", lstm_step, 2), ("gru", gru_step, 1)])
def test_states_gates_and_jacobians_are_those_of_finite_differences(cell: str, step: NumPyStep, parts: int) -> None:
    system, batch = regressor({"cell": cell, "hidden_size": 3}), rows(1, 6)
    named = system.network.core.named_parameters()  # pyright: ignore[reportAttributeAccessIssue]
    weights = {name: weight.detach().numpy() for name, weight in named}
    inputs, target = batch.inputs[0].numpy(), float(batch.targets[0, 0])
    read, shift = system.output.weight[0].detach().numpy(), system.output.bias.item()
    states, gates = [np.zeros(3 * parts)], []
    for each in inputs:
        after, opened = step(weights, each, states[-1])
        states.append(after)
        gates.append(opened)

    def loss(state: Any, first: int) -> Any:
        for each in inputs[first:]:
            state, _ = step(weights, each, state)
        return (read @ state[:3] + shift - target) ** 2

    norms = [np.linalg.norm(differences(lambda at, time=time: loss(at, time), states[time])) for time in range(6, 0, -1)]
    found = examine(system, [batch])
    assert found.gradient_norms == pytest.approx(norms, rel=1e-5)
    assert set(found.gates) == set(gates[0])
    for name, (low, high) in found.gates.items():
        values = np.stack([each[name] for each in gates])
        assert (low, high) == (pytest.approx((values < 0.1).mean()), pytest.approx((values > 0.9).mean()))
    state = tuple(torch.tensor(part).reshape(1, 1, 3) for part in np.split(states[3], parts))
    expected = differences(lambda at: step(weights, inputs[3], at)[0], states[3])
    given = jacobian(system.network, batch.inputs[:, 3], state if parts == 2 else state[0])
    np.testing.assert_allclose(given.numpy(), expected, atol=1e-8)


@pytest.mark.parametrize(("cell", "layers"), mixed([*CELLS], [1, 2]))
def test_each_row_counts_alone_and_padding_not_at_all(cell: str, layers: int) -> None:
    system, lengths = regressor({"cell": cell, "hidden_size": 3, "num_layers": layers}), [7, 2, 5]
    batch = rows(lengths=lengths)
    before = {name: weight.clone() for name, weight in system.state_dict().items()}
    alone = []
    for row, length in enumerate(lengths):
        part = Batch(batch.inputs[row : row + 1, :length], None, batch.targets[row : row + 1])
        alone.append(examine(system, [part]).gradient_norms)
    together = examine(system, [batch])
    means = [np.mean([norms[lag] for norms in alone if lag < len(norms)]) for lag in range(7)]
    assert together.gradient_norms == pytest.approx(means)
    assert examine(system, [batch._replace(inputs=batch.inputs[:, :, :])], rows=1).gradient_norms == pytest.approx(alone[0])
    gates = {"lstm": 3, "gru": 2, "layernorm_lstm": 3, "peephole_lstm": 3}
    gates |= {"coupled_lstm": 2, "layernorm_gru": 2, "ligru": 1, "mgu": 1, "janet": 1, "slstm": 2, "lstmp": 3}
    gates |= {"diagonal_gru": 2, "diagonal_lstm": 2}
    assert len(together.gates) == gates.get(cell, 0)
    assert all(0 <= low <= low + high <= 1 for low, high in together.gates.values())
    assert all(torch.equal(weight, before[name]) for name, weight in system.state_dict().items())
    torch.testing.assert_close(system(batch.inputs, batch.lengths)[0], regressor_of(system, batch))


def regressor_of(system: SequenceRegressor, batch: Batch) -> Tensor:
    """What the system answers when its network reads one step after the other."""
    answers = [system(batch.inputs[row : row + 1, :length])[0] for row, length in enumerate(batch.lengths.tolist())]  # pyright: ignore[reportOptionalMemberAccess]
    return torch.cat(answers)


def test_the_horizon_is_where_the_gradient_falls_below_a_share_of_its_largest() -> None:
    assert horizon([1.0, 0.5, 0.2, 0.09, 0.5]) == 3
    assert horizon([1.0, 0.5, 0.2, 0.09], 0.3) == 2
    assert horizon([0.01, 0.5, 1.0, 0.09]) == 3
    assert horizon([1.0, 0.9]) == 2 and horizon([0.0, 0.0]) == 2 and horizon([]) == 0
    with pytest.raises(ValueError, match=r"share must be a number in \(0, 1\), not 1"):
        horizon([1.0], 1)


def test_clipped_batches_are_counted() -> None:
    system = regressor({"cell": "gru", "hidden_size": 3})
    batches = [rows(2), rows(3)._replace(targets=torch.full((3, 1), 50.0, dtype=torch.float64))]
    shares = [examine(system, batches, clip=clip).clipped_share for clip in (1e-6, 30.0, 1e6)]
    assert shares == [1, 0.5, 0]
    loss = system.loss_on(batches[1], "test")[0]
    largest = max(float(part.abs().max()) for part in torch.autograd.grad(loss, [*system.parameters()]))
    shares = [examine(system, batches, clip=largest * part, clipped_by="value").clipped_share for part in (0.99, 1.01)]
    assert shares == [0.5, 0]


def test_what_cannot_be_examined_is_refused() -> None:
    both = SequenceClassifier(build_network("gru", 2, 3, bidirectional=True), 2, num_classes=3)
    with pytest.raises(ValueError, match=r"one network that reads from left to right, not GRU, not from left to right"):
        examine(both, [(torch.zeros(1, 2, 2), torch.zeros(1, dtype=torch.int64))])
    with pytest.raises(ValueError, match="there is no row to examine"):
        examine(regressor({"cell": "gru", "hidden_size": 3}), [])


def trained(callbacks: list[Any]) -> System:
    torch.manual_seed(3)
    system = SequenceRegressor({"cell": "lstm", "hidden_size": 4}, 2)
    inputs, targets = torch.randn(32, 9, 2), torch.randn(32, 1)
    loader = torch.utils.data.DataLoader(list(zip(inputs, targets, strict=True)), batch_size=8)
    trainer = lightning.Trainer(accelerator="cpu", max_epochs=2, gradient_clip_val=0.3, callbacks=callbacks, **QUIET)
    trainer.fit(system, loader, loader)
    return system


def test_the_callback_logs_what_it_sees_and_changes_no_weight() -> None:
    seen: dict[str, Any] = {}

    class Listener(lightning.Callback):
        def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
            seen.update(trainer.callback_metrics)

    callback = Microscope(every_n_validations=1, rows=4)
    watched, alone = trained([callback, Listener()]), trained([])
    assert all(torch.equal(*pair) for pair in zip(watched.parameters(), alone.parameters(), strict=True))
    assert list(callback.findings) == [4, 8]
    gates = {f"memory/{gate}_saturated" for gate in ("input", "forget", "output")}
    assert gates | {"memory/horizon", "memory/singular_value", "memory/clipped_share"} <= set(seen)
    assert 0 < seen["memory/clipped_share"] <= 1 and len(callback.findings[8].gradient_norms) == 9
    assert seen["memory/horizon"] == callback.findings[8].horizon()


ADDING = [
    "task=adding",
    "task.corpus.rows={train: 60, validation: 20, test: 20}",
    "task.training={epochs: 1, clip: 1, validate_every: null}",
]


def test_the_command_keeps_numbers_and_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with run_by_stages(tmp_path, [*ADDING, "rnn=elman"]) as elman, run_by_stages(tmp_path, [*ADDING, "rnn=lstm"]) as lstm:
        microscope([f"run={elman}", f"run={lstm}", "rows=8", "share=0.2"])
        said = capsys.readouterr().out
        assert said.count("the gradient ") == 2 and "forget gate" in said
        files = sorted((tmp_path / "reports/microscope").iterdir())
        assert len(files) == 3 and files[-1].read_bytes()[:4] == b"\x89PNG"
        for file in files[:2]:
            seen = json.loads(file.read_text())
            assert len(seen["gradient_norms"]) == seen["steps"] and 1 <= seen["horizon"] <= seen["steps"]
            assert seen["rows"] == 8 and seen["share"] == 0.2 and len(seen["singular_values"]) == 5
        kept = [file.stat().st_mtime_ns for file in files]
        with pytest.raises(ValueError, match=r"^nowhere does not exist: .*\nelsewhere does not exist"):
            microscope([f"run={elman}", "run=nowhere", "run=elsewhere"])
        assert kept == [file.stat().st_mtime_ns for file in files] and not capsys.readouterr().out


def test_a_picture_that_cannot_be_replaced_costs_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "microscope.png").mkdir()
    seen = {"a": {"share": 0.1, "gradient_norms": [1.0, 0.5], "singular_values": [1.0], "gates": {}}}
    draw_memory(seen, tmp_path / "microscope.png")
    assert capsys.readouterr().err.startswith("warning: there is no microscope.png")
