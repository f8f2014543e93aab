"""The forecaster: against plain loops and formulas, the laws of padding with every cell, and what it refuses."""

from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from corpora import write_series
from often import mixed
from torch import Tensor

from rnn_lightning import AtomicCheckpointIO, Batch, Durable, Forecaster, WindowModule
from rnn_lightning.recurrent import CELLS

QUIET: Any = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
STATISTICS = {"mean": [1.0, -2.0, 0.5, 0.0, 0.0], "std": [2.0, 0.5, 1.0, 1.0, 1.0]}
QUANTILES = [0.1, 0.5, 0.9]
DIRECT: list[dict[str, Any]] = [
    {},
    {"known": 2},
    {"level": "last", "highway": 3},
    {"level": "mean", "quantiles": QUANTILES},
    {"apart": True, "known": 2, "level": "last", "highway": 2, "quantiles": QUANTILES},
]
RECURSIVE: list[dict[str, Any]] = [
    {"recursive": True},
    {"recursive": True, "known": 3, "level": "last"},
    {"recursive": True, "known": 3, "level": "mean", "quantiles": QUANTILES},
    {"recursive": True, "apart": True, "known": 3, "level": "last"},
]
HORIZON = 4


def build(cell: str = "gru", size: int = 5, **more: Any) -> Forecaster:
    torch.manual_seed(0)
    standardize = {name: numbers[:size] for name, numbers in STATISTICS.items()}
    rnn = {"cell": cell, "hidden_size": 4, "num_layers": 2}
    return Forecaster(rnn, size, ["a", "b"], HORIZON, standardize=standardize, **more).double().eval()


def draw(model: Forecaster, rows: int = 3, steps: int = 6, seed: int = 1) -> Tensor:
    steps += HORIZON if model.known else 0
    return torch.randn(rows, steps, model.input_size, generator=torch.Generator().manual_seed(seed)).double()


def settled(more: dict[str, Any]) -> dict[str, Any]:
    """Recursive forecasters read no more than targets and what is known."""
    return {"size": 2 + more.get("known", 0), **more} if more.get("recursive") else more


@pytest.mark.parametrize(("cell", "more"), mixed([*CELLS], [*DIRECT, *RECURSIVE]), ids=str)
def test_padding_and_other_rows_change_nothing(cell: str, more: dict[str, Any]) -> None:
    model = build(cell, **settled(more))
    inputs, ahead = draw(model), HORIZON if model.known else 0
    lengths = torch.tensor([6, 3, 5]) + ahead
    garbage = inputs.clone()
    for row, length in enumerate(lengths.tolist()):
        garbage[row, length:] = 1e6
    found, state = model(garbage, lengths)
    assert found.shape[:3] == (3, HORIZON, 2)
    for row, length in enumerate(lengths.tolist()):
        alone, own = model(inputs[row : row + 1, :length])
        torch.testing.assert_close(found[row : row + 1], alone, rtol=1e-10, atol=1e-10)
        for whole, part in zip(torch.utils._pytree.tree_leaves(state), torch.utils._pytree.tree_leaves(own), strict=True):
            torch.testing.assert_close(whole[row : row + 1], part, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("more", RECURSIVE, ids=str)
def test_step_by_step_equals_a_plain_loop(more: dict[str, Any]) -> None:
    model = build(**settled(more))
    inputs, known = draw(model), model.known
    found = model(inputs)[0].reshape(3, HORIZON, 2, -1)
    features = model.standardize(inputs)
    for series in ([0], [1]) if model.apart else ([0, 1],):
        context = features[:, :6, series]
        base, spread = level_of(context, more.get("level", "none"))
        values = [(context[:, step] - base) / spread for step in range(6)]
        for step in range(HORIZON):  # reads all from the start, every time
            ahead = [features[:, at + 1, 2:] for at in range(len(values))] if known else [features[:, 0, 2:]] * len(values)
            read = torch.stack([torch.cat([value, more], 1) for value, more in zip(values, ahead, strict=True)], 1)
            told = model.output(model.network(read)[0][:, -1]).unflatten(1, (len(series), -1)).sort(2).values  # (B, K, Q)
            torch.testing.assert_close(found[:, step, series], told * spread.unsqueeze(2) + base.unsqueeze(2))
            values.append(told[:, :, told.shape[2] // 2])


def level_of(context: Tensor, name: str) -> tuple[Tensor, Tensor]:
    if name == "mean":
        return context.mean(1), (context.var(1, unbiased=False) + 1e-5).sqrt()
    base = context[:, -1] if name == "last" else torch.zeros_like(context[:, 0])
    return base, torch.ones_like(base)


def test_teacher_forcing_reads_what_was_right() -> None:
    model = build(size=5, recursive=True, known=3, level="last")
    inputs, right = draw(model), draw(model, seed=2)[:, :HORIZON, :2]
    forced = model.continued(inputs, None, None, right)[0].squeeze(3)
    for step in range(HORIZON):
        longer = model.standardize(inputs).clone()
        longer[:, 6 : 6 + step, :2] = right[:, :step]
        read = torch.cat([longer[:, : 6 + step, :2] - longer[:, 5:6, :2], longer[:, 1 : 7 + step, 2:]], 2)
        told = model.output(model.network(read)[0][:, -1]) + longer[:, 5, :2]
        torch.testing.assert_close(forced[:, step], told)


def test_at_once_is_the_sum_of_its_parts() -> None:
    model = build(known=2, level="last", highway=3, segment=2)
    torch.nn.init.normal_(model.of_past.weight)  # pyright: ignore
    inputs = draw(model)
    features = model.standardize(inputs)
    base = features[:, 5, :2]
    window = torch.cat([features[:, :6, :2] - base.unsqueeze(1), features[:, :6, 2:]], 2)
    state = model.network(torch.stack([window[:, at : at + 2].flatten(1) for at in (0, 2, 4)], 1))[0][:, -1]
    told = model.output(state).view(3, HORIZON, 2)
    for step in range(HORIZON):
        own = told[:, step] + model.of_known(features[:, 6 + step, 3:]) + base  # pyright: ignore
        linear = torch.stack([window[:, 3:, series] @ model.of_past.weight[series, :, step] for series in (0, 1)], 1)  # pyright: ignore
        torch.testing.assert_close(model(inputs)[0][:, step], own + linear)


def test_what_is_not_known_of_the_horizon_is_not_read() -> None:
    model = build(known=2)
    inputs = draw(model)
    changed = inputs.clone()
    changed[:, 6:, :3] = 1e6
    torch.testing.assert_close(model(changed)[0], model(inputs)[0], rtol=0, atol=0)


def test_a_state_is_read_on_from() -> None:
    for more in ({"apart": True}, {}):
        model = build(**more)
        inputs = draw(model)
        _, state = model(inputs[:, :4])
        torch.testing.assert_close(model(inputs[:, 4:], None, state)[0], model(inputs)[0])


@pytest.mark.parametrize("quantiles", [None, QUANTILES])
def test_forecasts_are_in_the_units_of_the_data(quantiles: list[float] | None) -> None:
    model = build(quantiles=quantiles)
    inputs = draw(model)
    told, units = model(inputs)[0].reshape(3, HORIZON, 2, -1), model.forecast(inputs).reshape(3, HORIZON, 2, -1)
    for series, (mean, std) in enumerate(((1.0, 2.0), (-2.0, 0.5))):
        torch.testing.assert_close(units[:, :, series], told[:, :, series] * std + mean)
    torch.testing.assert_close(model.standardised(units[..., 0]), told[..., 0])


def test_quantiles_do_not_cross() -> None:
    for more in ({"quantiles": QUANTILES}, {"quantiles": QUANTILES, "recursive": True, "size": 2}):
        told = build(**more)(draw(build(**more), rows=50))[0]
        assert bool((told.diff(dim=3) >= 0).all())


@pytest.mark.parametrize("recursive", [False, True])
def test_a_cut_training_ends_like_one_that_was_not(tmp_path: Path, recursive: bool) -> None:
    write_series(tmp_path / "data")

    def trained(folder: Path, steps: int) -> Forecaster:
        lightning.seed_everything(1, verbose=False)
        data = WindowModule(tmp_path / "data", batch_size=7, epochs=2)
        model = Forecaster({"cell": "lstm", "hidden_size": 3}, 3, ["a", "b"], 3, known=1, recursive=recursive, dropout=0.2)
        durable = Durable(folder, seed=1, monitor="val/mse", every_seconds=0)
        more: Any = {"max_epochs": 1, "max_steps": steps, "callbacks": [durable], "plugins": [AtomicCheckpointIO()]}
        trainer = lightning.Trainer(**QUIET, accelerator="cpu", **more)
        trainer.fit(model, data, ckpt_path=durable.resumable(), weights_only=True)
        return model

    whole, _ = trained(tmp_path / "whole", -1), trained(tmp_path / "cut", 5)
    resumed = trained(tmp_path / "cut", -1)
    for one, other in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_it_learns_what_the_season_says(tmp_path: Path) -> None:
    lightning.seed_everything(1, verbose=False)
    data = WindowModule(write_series(tmp_path, noise=0.05), batch_size=20, epochs=20)
    more: Any = {"known": 1, "level": "last", "quantiles": QUANTILES, "optimizer": {"name": "adam", "lr": 0.02}}
    model = Forecaster({"cell": "gru", "hidden_size": 8}, 3, ["a", "b"], 3, **more)
    trainer = lightning.Trainer(**QUIET, accelerator="cpu", max_epochs=1)
    trainer.fit(model, data)
    (metrics,) = trainer.test(model, data, verbose=False)
    assert metrics["test/mse"] < 0.05 and metrics["test/coverage"] > 0.5


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"size": 1}, "input_size must be that of the targets and of known together at least, not 1"),
    ({"known": 4}, "input_size must be that of the targets and of known together at least, not 5"),
    ({"recursive": True}, "recursive forecasts read targets and what is known alone, .*: not 3 measurements"),
    ({"recursive": True, "size": 2, "segment": 2}, "step by step: not .*segment=2"),
    ({"level": "first"}, r"level must be one of \['none', 'last', 'mean'\], not 'first'"),
    ({"quantiles": [0.9, 0.1]}, r"quantiles must be .* that ascend, not \[0.9, 0.1\]"),
    ({"quantiles": [0.1, 1.0]}, "every quantile must be .*, not 1.0"),
    ({"loss": "cubic"}, r"loss must be one of \['squared', 'absolute', 'huber'\], not 'cubic'"),
    ({"seasonal_errors": [0.0, 1.0]}, "every error must be .* above 0, not 0.0"),
]


@pytest.mark.parametrize(("settings", "words"), REFUSED, ids=str)
def test_what_does_not_go_together_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build(**settings)


def test_bad_batches_are_refused() -> None:
    model, inputs = build(segment=4).float(), torch.zeros(2, 6, 5)
    with pytest.raises(ValueError, match="a context of 6 steps is no multiple of segment=4"):
        model(inputs)
    with pytest.raises(ValueError, match=r"targets must have shape \(2, 4, 2\), not \(2, 4\)"):
        model.loss_on(Batch(inputs, None, torch.zeros(2, 4)), "train")
    with pytest.raises(ValueError, match="targets must be finite floats"):
        model.loss_on(Batch(inputs, None, torch.full((2, 4, 2), torch.nan)), "train")
    with pytest.raises(ValueError, match="a row has 3 steps: it must have more than the 4 of the horizon"):
        build(known=2)(inputs.double(), torch.tensor([6, 3]))
    with pytest.raises(ValueError, match="a window must have a step or more, to go on from, not 0"):
        build()(torch.zeros(2, 0, 5).double())
    with pytest.raises(ValueError, match="recursive forecasts take a network that reads one way"):
        Forecaster({"cell": "gru", "hidden_size": 3, "bidirectional": True}, 2, ["a", "b"], 3, recursive=True)
