"""What the layers of a training compute in, measured in its first step: the precision of the settings does not say it."""

from contextlib import ExitStack
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

from rnn_lightning.layer_precision import LayerPrecision, Layers


class ComputedIn(Callback):
    """Measures the forward pass of the first step that this process makes; a training that goes on keeps what was measured."""

    def __init__(self) -> None:
        self.layers: Layers = {}
        self._held = ExitStack()

    def state_dict(self) -> dict[str, Any]:
        return {"layers": self.layers}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.layers = state_dict["layers"]

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if not self.layers:
            self._measured = self._held.enter_context(LayerPrecision(pl_module))
            self._held.callback(self._keep)

    def on_before_backward(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, loss: Any) -> None:
        self._held.close()

    def on_exception(self, trainer: lightning.Trainer, pl_module: Any, exception: BaseException) -> None:
        self._held.close()

    def _keep(self) -> None:
        self.layers = self._measured.layers
