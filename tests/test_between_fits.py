"""What a Trainer and a Tuner may do before, between and after fits: nothing is left behind, and data modules serve them."""

from itertools import product
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from corpora import CHARACTERS, TAGS, VOCABULARY, write_stream, write_tagged
from lightning.pytorch.tuner.tuning import Tuner
from often import some

from rnn_lightning import AtomicCheckpointIO, Durable, LanguageModel, PairModule, StreamModule, Tagger

GRU = {"cell": "gru", "hidden_size": 4}
QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
KINDS = ("stream", "pairs")
pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning")
TUNED = some([("stream", "lr_find"), ("pairs", "scale_batch_size"), ("pairs", "lr_find"), ("stream", "scale_batch_size")], 2)
both = pytest.mark.parametrize("kind", KINDS)


def model(kind: str) -> Any:
    torch.manual_seed(0)
    if kind == "stream":
        return LanguageModel(VOCABULARY, GRU, 4)
    return Tagger(VOCABULARY, TAGS, GRU, embedding_size=4, num_characters=CHARACTERS)


def data(kind: str, folder: Path, **more: Any) -> Any:
    place = folder / kind
    if not place.exists():
        place.mkdir()
        (write_stream if kind == "stream" else write_tagged)(place)
    settings = {"batch_size": 4, **more}
    return StreamModule(place, steps=5, **settings) if kind == "stream" else PairModule(place, **settings)


def trainer(folder: Path, **more: Any) -> lightning.Trainer:
    settings = {"accelerator": "cpu", "max_epochs": 1, "num_sanity_val_steps": 0, "default_root_dir": str(folder), **QUIET}
    return lightning.Trainer(**{**settings, **more})


def weights(system: Any) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in system.parameters()]


@pytest.mark.parametrize(("kind", "mode"), some([*product(("stream", "pairs"), ("binsearch", "power"))], 1))
def test_a_batch_size_is_found_and_leaves_nothing_behind(kind: str, mode: str, tmp_path: Path) -> None:
    system, module = model(kind), data(kind, tmp_path)
    before = weights(system)
    found = Tuner(trainer(tmp_path, max_steps=3)).scale_batch_size(
        system, datamodule=module, mode=mode, max_trials=2, steps_per_trial=2
    )
    assert found == module.batch_size and all(map(torch.equal, before, weights(system)))
    fresh = model(kind)
    for each in (system, fresh):
        trainer(tmp_path).fit(each, data(kind, tmp_path))
    assert all(map(torch.equal, weights(fresh), weights(system)))


@pytest.mark.parametrize(("kind", "tuned"), TUNED)
def test_a_tuner_may_work_beside_durable(kind: str, tuned: str, tmp_path: Path) -> None:
    kept = Durable(tmp_path / "kept", seed=1)
    tuner = Tuner(trainer(tmp_path, max_steps=30, max_epochs=-1, callbacks=[kept], plugins=[AtomicCheckpointIO()]))
    more: dict[str, Any] = {"num_training": 10} if tuned == "lr_find" else {"max_trials": 2}
    assert getattr(tuner, tuned)(model(kind), datamodule=data(kind, tmp_path, epochs=3), **more)
    assert not kept.last.exists() and not kept.best.exists(), "a trial is no training"


@both
@pytest.mark.parametrize("batches", [1, 2, 0.5])
def test_a_few_batches_may_be_learned_by_heart(kind: str, batches: float, tmp_path: Path) -> None:
    """Also where the batches that validation reads have no target: nothing is measured then."""
    kept = Durable(tmp_path / "kept", seed=1)
    fitted = trainer(tmp_path, overfit_batches=batches, max_epochs=3, callbacks=[kept], plugins=[AtomicCheckpointIO()])
    fitted.fit(model(kind), data(kind, tmp_path))
    measured = fitted.callback_metrics.get("val/loss", torch.tensor(0.0))
    assert bool(measured.isfinite()) and kept.last.exists()


@both
def test_a_second_fit_begins_as_a_first(kind: str, tmp_path: Path) -> None:
    """After a learning rate was sought, a fit, a validation, a test and predictions, with one data module and Trainer."""
    system, module, whole = model(kind), data(kind, tmp_path), trainer(tmp_path, max_steps=5)
    Tuner(whole).lr_find(system, datamodule=data(kind, tmp_path, epochs=5), num_training=10, update_attr=False)
    for part in (whole.fit, whole.validate, whole.test, whole.predict):
        part(system, datamodule=module)
    twin = model(kind)
    twin.load_state_dict(system.state_dict())
    trainer(tmp_path).fit(system, module)
    trainer(tmp_path).fit(twin, data(kind, tmp_path))
    assert all(map(torch.equal, weights(twin), weights(system)))


def test_another_training_of_one_durable_has_a_best_of_its_own(tmp_path: Path) -> None:
    kept, steps = Durable(tmp_path / "kept", seed=1), []
    for _ in range(2):
        trainer(tmp_path, callbacks=[kept], plugins=[AtomicCheckpointIO()]).fit(model("stream"), data("stream", tmp_path))
        steps.append((kept.best_value, kept.best_step))
        kept.best_value, kept.best_step = -1.0, 0  # better than any training
    assert steps[0] == steps[1]
