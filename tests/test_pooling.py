"""Pooling of a network's outputs: NumPy forms over the real steps of each row, padding, pauses, gradients and export."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from often import in_turn, some
from torch import Tensor

from rnn_lightning import SequenceClassifier, SequenceRegressor, check_invariance
from rnn_lightning.export.folders import write_graph
from rnn_lightning.export.kinds import KINDS
from rnn_lightning.export.parity import PARITY
from rnn_lightning.models import load_model
from rnn_lightning.models.pooling import POOLINGS, AttentionPooling
from rnn_lightning.recurrent import CELLS

LENGTHS = torch.tensor([6, 1, 0, 3])
WAYS = [False, True]


def model(pooling: str, cell: str = "gru", *, both_ways: bool = False, **more: Any) -> SequenceClassifier:
    torch.manual_seed(0)
    rnn = {"cell": cell, "hidden_size": 4, "bidirectional": both_ways}
    return SequenceClassifier(rnn, 3, num_classes=5, pooling=pooling, **more).eval()


def draw(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def pooled(system: SequenceClassifier, steps: np.ndarray) -> np.ndarray:
    """The vector (H,) of the real ``steps`` (T, H), of which there is one at least."""
    if isinstance(pooling := system.pooling, AttentionPooling):
        weight, bias, query = (part.detach().numpy() for part in pooling.parameters())
        powers = np.exp(np.tanh(steps @ weight.T + bias) @ query[0])
        return (powers / powers.sum()) @ steps
    return {"mean": steps.mean(0), "max": steps.max(0)}[next(name for name in POOLINGS if type(pooling) is POOLINGS[name])]


@pytest.mark.parametrize("both_ways", WAYS)
@pytest.mark.parametrize("pooling", ["attention", "max", "mean"])
def test_pooling_is_its_formula_over_real_steps(pooling: str, both_ways: bool) -> None:
    system, inputs = model(pooling, both_ways=both_ways), draw(4, 6, 3)
    found, _ = system.pooling(system.network, inputs, LENGTHS, None)
    outputs, _ = system.network(inputs, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        steps = outputs[row, :length].detach().numpy()
        expected = pooled(system, steps) if length else np.zeros(steps.shape[1])
        np.testing.assert_allclose(found[row].detach().numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("pooling", "cell"), in_turn(sorted(POOLINGS), [*CELLS]))
@pytest.mark.parametrize("both_ways", WAYS)
def test_classifiers_keep_the_laws(pooling: str, cell: str, both_ways: bool) -> None:
    rnn = {"cell": cell, "hidden_size": 4, "bidirectional": both_ways}
    for system in (model(pooling, cell, both_ways=both_ways), SequenceRegressor(rnn, 3, ["a", "b"], pooling=pooling)):
        check_invariance(system, inputs=draw(4, 6, 3), lengths=LENGTHS)


@pytest.mark.parametrize("pooling", ["attention", "max", "mean"])
@pytest.mark.parametrize("pause", [0, 1, 4, 6])
def test_a_pause_changes_no_answer(pooling: str, pause: int) -> None:
    system, inputs = model(pooling).double(), draw(4, 6, 3).double()
    whole, _ = system(inputs, LENGTHS)
    _, state = system(inputs[:, :pause], LENGTHS.clamp(max=pause))
    torch.testing.assert_close(system(inputs[:, pause:], (LENGTHS - pause).clamp(min=0), state)[0], whole)


@pytest.mark.parametrize("pooling", ["attention", "max", "mean"])
def test_a_pause_passes_gradients(pooling: str) -> None:
    system = model(pooling).double()
    inputs = draw(4, 3, 3).double().requires_grad_()

    def in_two(inputs: Tensor) -> Tensor:
        _, state = system(inputs[:, :2], LENGTHS.clamp(max=2))
        return system(inputs[:, 2:], (LENGTHS - 2).clamp(0, 1), state)[0]

    assert torch.autograd.gradcheck(in_two, inputs)
    assert torch.autograd.gradcheck(lambda inputs: system(inputs, LENGTHS.clamp(max=3))[0], inputs)


def test_scores_of_any_size_have_finite_weights() -> None:
    system, inputs = model("attention"), draw(4, 6, 3)
    with torch.no_grad():
        system.pooling.weigh.weight.mul_(1e4)  # type: ignore[union-attr,operator]
    found = system(inputs, LENGTHS)[0]
    found.sum().backward()
    gradients = [part.grad for part in system.parameters()]
    assert found.isfinite().all() and all(one is not None and one.isfinite().all() for one in gradients)


@pytest.mark.parametrize(
    ("pooling", "both_ways", "form"),
    some([("attention", False, "onnx"), *((p, w, f) for p in POOLINGS for w in WAYS for f in ("onnx", "torch_export"))], 1),
)
def test_pooling_is_exported(pooling: str, both_ways: bool, form: str, tmp_path: Path) -> None:
    graph = KINDS["classification"].graphs(model(pooling, both_ways=both_ways))["model"]
    entry = write_graph(form, "model", graph, tmp_path)
    assert entry["largest_difference"] <= PARITY
    assert len(entry["state"]) == (0 if both_ways else 1 + {"attention": 3, "last": 0}.get(pooling, 2))


def test_a_checkpoint_without_a_pooling_reads_the_last_step(tmp_path: Path) -> None:
    system = model("last")
    kept = {name: value for name, value in system.hparams.items() if name != "pooling"}
    torch.save({"state_dict": system.state_dict(), "hyper_parameters": kept}, tmp_path / "model.ckpt")
    inputs = draw(4, 6, 3)
    loaded = load_model(SequenceClassifier, tmp_path / "model.ckpt").eval()
    torch.testing.assert_close(loaded(inputs, LENGTHS), system(inputs, LENGTHS), rtol=0, atol=0)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"pooling must be one of \['attention', 'last', 'max', 'mean'\], not 'sum'"):
        model("sum")
    with pytest.raises(ValueError, match="every_step tells numbers of each step, which no pooling 'mean' puts together"):
        SequenceRegressor({"cell": "gru", "hidden_size": 4}, 3, every_step=True, pooling="mean")
    system, inputs = model("mean"), draw(4, 6, 3)
    _, state = system(inputs)
    for wrong in (state[0], (state[0], state[1][:1]), 3):
        with pytest.raises(ValueError, match="state must be one that this model has made of 4 rows, not"):
            system(inputs, None, wrong)
    with pytest.raises(ValueError, match="state must be one that this model has made of 2 rows, not"):
        system(inputs[:2], None, state)
