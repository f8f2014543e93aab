"""Averages of weights against plain arithmetic: which are validated, saved, left and loaded, and when they begin."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from often import some
from run_folders import trained_in
from test_durable import train
from test_lightning_features import QUIET, SYSTEMS, batches, build
from torch import Tensor
from torch.utils.data import DataLoader

from pipelines.runs.folders import Run
from pipelines.settings.compose import compose
from pipelines.settings.trainer import Averaging
from pipelines.training.preparing import check_averaging
from rnn_lightning import System, WeightAverage
from rnn_lightning.files import read_json

pytestmark = [pytest.mark.filterwarnings("ignore:.*LeafSpec"), pytest.mark.filterwarnings("ignore:.*checkpoint.*stage")]
SETTINGS: dict[str, dict[str, Any]] = {
    "ema": {"kind": "ema", "decay": 0.7},
    "late ema": {"kind": "ema", "decay": 0.7, "start": 3},
    "swa": {"kind": "swa", "start": 2},
    "nt_asgd": {"kind": "nt_asgd", "patience": 2, "monitor": "val/forced"},
}
RESUMED: dict[str, dict[str, Any]] = {
    "ema": {"kind": "ema", "decay": 0.9},
    "swa": {"kind": "swa", "start": 5},
    "nt_asgd": {"kind": "nt_asgd", "patience": 1, "mode": "max"},  # the loss falls: so it begins
}


class Seen(Callback):
    """The weights after each step; the losses of validations, and the weights that these and their checkpoints had."""

    def __init__(self, losses: Sequence[float] | None = None) -> None:
        self.forced = losses
        self.steps: list[list[Tensor]] = []
        self.validated: list[list[Tensor]] = []
        self.saved: list[dict[str, Tensor]] = []
        self.losses: list[float] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        self.steps.append([weight.detach().clone() for weight in pl_module.parameters()])

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self.validated.append([weight.detach().clone() for weight in pl_module.parameters()])

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if self.forced:
            trainer.callback_metrics["val/forced"] = torch.tensor(self.forced[len(self.losses)])
        self.losses.append(float(trainer.callback_metrics["val/forced" if self.forced else "val/loss"]))
        trainer.save_checkpoint(Path(trainer.default_root_dir) / "now.ckpt")
        saved = torch.load(Path(trainer.default_root_dir) / "now.ckpt", weights_only=True)
        self.saved.append(saved["state_dict"])


def fit(system: System, rows: list[Any], seen: Seen, folder: Path, **settings: Any) -> WeightAverage:
    average = WeightAverage(**settings)
    options = {**QUIET, "accelerator": "cpu", "max_epochs": 1, "val_check_interval": 2, "num_sanity_val_steps": 0}
    trainer = lightning.Trainer(**options, default_root_dir=folder, callbacks=[seen, average])
    loader = DataLoader(rows, batch_size=None)
    trainer.fit(system, loader, DataLoader(rows[:1], batch_size=None))
    return average


def expected(weights: list[list[Tensor]], begin: int, decay: float | None) -> list[Tensor]:
    """The average of the weights of the steps from ``begin`` on; those of the last step where there is none yet."""
    some = weights[begin:]
    if not some:
        return weights[-1]
    if decay is None:
        return [torch.stack(each).double().mean(0).float() for each in zip(*some, strict=True)]
    made = some[0]
    for step in some[1:]:
        made = [decay * mean + (1 - decay) * weight for mean, weight in zip(made, step, strict=True)]
    return made


BEGINS: dict[str, Callable[[list[float]], int]] = {
    "ema": lambda _: 0,
    "late ema": lambda _: 3,
    "swa": lambda _: 2,
    "nt_asgd": lambda losses: next(
        (2 * t + 2 for t, loss in enumerate(losses) if t > 2 and loss > min(losses[: t - 2])), len(losses) * 2
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_validated_saved_and_left_is_the_average(name: str, tmp_path: Path) -> None:
    system, rows = build("class", optimizer={"name": "sgd", "lr": 0.5}), batches("class", 16)
    losses = [5.0, 4.0, 3.0, 3.5, 4.5, 2.0, 2.0, 2.0] if name == "nt_asgd" else None
    average = fit(system, rows, seen := Seen(losses), tmp_path, **SETTINGS[name])
    begin = BEGINS[name](seen.losses)
    assert 0 < len(seen.steps) - begin == average.steps
    assert name != "nt_asgd" or begin == 10  # 4.5 is worse than 4.0, the best but for the last two
    names = [each for each, _ in system.named_parameters()]
    for number, (validated, saved) in enumerate(zip(seen.validated, seen.saved, strict=True)):
        right = expected(seen.steps[: 2 * number + 2], begin, SETTINGS[name].get("decay"))
        for each, weight, own in zip(names, validated, right, strict=True):
            torch.testing.assert_close(weight, own, rtol=1e-5, atol=1e-6)
            assert torch.equal(saved[each], weight)
    for weight, own in zip(system.parameters(), expected(seen.steps, begin, SETTINGS[name].get("decay")), strict=True):
        torch.testing.assert_close(weight, own, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_training_itself_is_the_one_without_an_average(name: str, tmp_path: Path) -> None:
    system, rows = build(name), batches(name, 6)
    plain, seen, without = copy.deepcopy(system), Seen(), Seen()
    fit(system, rows, seen, tmp_path, kind="ema", decay=0.5)
    fit(plain, rows, without, tmp_path, kind="swa", start=1000)
    for one, other in zip(seen.steps, without.steps, strict=True):
        assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))
    buffers = zip(system.buffers(), plain.buffers(), strict=True)
    assert all(torch.equal(*pair) for pair in buffers), "what the data say is not averaged"


@pytest.mark.parametrize("average", some([*RESUMED], 1))
def test_a_training_with_an_average_of_its_weights_resumes_to_the_same_bits(tmp_path: Path, average: str) -> None:
    kind, data = "joined, cosine", tmp_path / "data"

    def go_on(work: str, kill: int | None = None) -> tuple[int, str, float | None]:
        return train(kind, data, tmp_path / work, kill=kill, average=WeightAverage(**RESUMED[average]))

    whole = go_on("whole")
    assert whole != train(kind, data, tmp_path / "plain")
    for count, (first, later) in enumerate([(3, 5), (7, 13), (14, whole[0] - 1)]):
        go_on(f"killed{count}", first)
        go_on(f"killed{count}", later)
        assert go_on(f"killed{count}") == whole, f"killed after steps {first} and {later}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trainer.averaging.kind=mean"], "trainer.averaging.kind"),
        (["trainer.averaging={kind: ema, patience: 3}"], "averaging by ema takes decay and start, and no patience"),
        (["trainer.averaging={kind: ema, decay: 2}"], "trainer.averaging.decay"),
    ],
)
def test_settings_that_are_none_are_refused(words: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        compose(["task=adding", *words])


def test_a_run_keeps_the_average_that_was_best_and_says_so(tmp_path: Path) -> None:
    with trained_in(tmp_path, "trainer.averaging={kind: ema, decay: 0.9}") as folder:
        training = read_json(folder / "training.json")
        kept = torch.load(folder / "model.ckpt", weights_only=True)
    assert training["averaged_steps"] == training["best_step"] == int(kept["averaging_state"]["n_averaged"])
    run = Run.of(training | {"metrics": {"test/loss": 1.0}})
    assert run.averaging == f"ema (decay 0.9) of {training['best_step']} steps"
    assert run.config["trainer"]["averaging"] == {"kind": "ema", "decay": 0.9}


def test_an_average_that_begins_after_the_last_step_is_refused() -> None:
    averaging = Averaging(kind="swa", start=12)
    check_averaging(averaging, 13)
    with pytest.raises(ValueError, match=r"trainer.averaging.start is 12, but all epochs have 12 steps: set it lower"):
        check_averaging(averaging, 12)
