"""Our data modules with every system and Lightning: no warning, a batch size that is found, predictions in order."""

import warnings
from pathlib import Path
from typing import Any

import lightning
import pytest
from corpora import write_pairs, write_sequence_pairs, write_series, write_stream, write_tagged, write_values
from distributed_worker import write_signals
from lightning.pytorch.tuner.tuning import Tuner
from often import some
from test_lightning_features import SYSTEMS, build, every_system, trainer

from rnn_lightning import AtomicCheckpointIO, Durable, PairModule, StreamModule, WindowModule

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec")  # Lightning's own, of PyTorch's


def module(name: str, folder: Path, **more: Any) -> lightning.LightningDataModule:
    write = {
        "tagger": write_tagged,
        "frames": lambda place: write_signals(place, "frames"),
        "class": lambda place: write_signals(place, "class"),
        "value": write_pairs,
        "values": write_values,
        "labels": lambda place: write_signals(place, "labels"),
        "translation": write_sequence_pairs,
    }
    if name == "language model":
        return StreamModule(write_stream(folder), batch_size=4, steps=30, **more)
    if name == "forecast":
        return WindowModule(write_series(folder, horizon=2), batch_size=9, **more)
    return PairModule(write[name](folder), batch_size=9, **more)


@every_system
def test_no_warning_reaches_whoever_uses_it_as_it_is_meant(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lightning.pytorch.trainer.connectors.data_connector, "suggested_max_num_workers", lambda devices: 8)
    model, data = build(name), module(name, tmp_path / "data", epochs=2)
    settings = {"check_val_every_n_epoch": None, "plugins": [AtomicCheckpointIO()]}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*LeafSpec")

        class Stop(lightning.Callback):
            def on_train_batch_end(self, trainer: lightning.Trainer, *rest: Any) -> None:
                trainer.should_stop = trainer.global_step == 4

        first = Durable(tmp_path / "work", seed=1, every_seconds=0)
        trainer(val_check_interval=3, callbacks=[first, Stop()], **settings).fit(model, data)
        resumed = trainer(val_check_interval=3, callbacks=[Durable(tmp_path / "work", seed=1)], **settings)
        resumed.fit(model, data, ckpt_path=first.last, weights_only=True)
        resumed.test(model, data, verbose=False)
        resumed.predict(model, data)
        type(model).load_from_checkpoint(first.last)
    assert resumed.global_step > 4


@pytest.mark.parametrize("name", some([*SYSTEMS], 1))
def test_a_batch_size_is_found_with_our_data_modules(name: str, tmp_path: Path) -> None:
    data = module(name, tmp_path / "data")
    scaled = Tuner(trainer(default_root_dir=tmp_path)).scale_batch_size(
        build(name), datamodule=data, max_trials=2, steps_per_trial=1, init_val=2
    )
    assert scaled == data.batch_size == 4


def test_predictions_of_a_data_module_come_in_the_order_of_its_file(tmp_path: Path) -> None:
    data = PairModule(write_pairs(tmp_path, rows=10), batch_size=4)
    rows = [row for batch in data.predict_dataloader() for row in batch.targets.tolist()]
    assert rows == data.dataset("test").values.tolist()
