"""Language models in training: the cross entropy of what follows, over a state that is carried on.

Shapes: B rows, T steps, N real targets, E embedding features, H features of the network, V tokens.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..models.inputs import check_no_target_lengths, real_targets
from ..models.language_model import UNITS
from ..models.language_model import LanguageModel as Model
from ..output_layer import TiledCrossEntropy
from ..processes import gather_state, shard_state
from ..sequences import IGNORED, Batch, State, at_least_single, leaves, map_state, select_state
from .system import System


class LanguageModel(Model, System):
    """The language model of `models.language_model`, trained.

    Where ``batch.fresh`` says that a row goes on, its state is carried over from the batch before and detached (truncated
    backpropagation through time); else it starts anew. The carried state is saved with the checkpoint. Validation, test and
    prediction keep states of their own. ``train/loss`` has the penalties of the model, ``val/loss`` and ``test/loss`` have not.
    Predictions are the log-probabilities (B, T, V) of what follows each token.
    """

    def complete(self) -> None:
        self.states: dict[str, State] = {}
        self._penalty: Tensor | None = None

    def loss_on(self, batch: Batch, split: str) -> tuple[Tensor, int]:
        if batch.targets.shape != batch.inputs.shape:
            raise ValueError(f"targets must be one a token, {tuple(batch.inputs.shape)}, not {tuple(batch.targets.shape)}")
        hidden = self._carry(self.read, batch, split)
        check_no_target_lengths(batch)
        targets = real_targets(batch.targets, batch.lengths, self.vocab_size)
        counted = targets != IGNORED
        if bool(counted.all()):  # as of a joined text: flat without a copy
            hidden, targets = hidden.flatten(0, 1), targets.flatten()  # (N, E or H), (N,)
        else:
            hidden, targets = hidden[counted], targets[counted]
        if not len(targets):
            return hidden.sum() * 0.0, 0
        of_targets = -self.of_targets(hidden, targets).mean() if self.adaptive else cross_entropy(hidden, self.output, targets)
        return of_targets if self._penalty is None else of_targets + self._penalty, len(targets)

    def read(
        self, tokens: Tensor, lengths: Tensor | None, state: State | None, fresh: Tensor | None = None
    ) -> tuple[Tensor, State]:
        self._penalty = None
        if not self.training or not any(self.penalties):
            return super().read(tokens, lengths, state, fresh)
        hidden, after = self.network(self.embed(tokens), lengths, state, fresh)
        dropped = self.output_dropout(hidden)
        self._penalty = self.penalty(hidden, dropped, lengths, fresh)
        return self.bridge(dropped), after

    def predict_on(self, batch: Batch) -> Tensor:
        return at_least_single(self._carry(self.run, batch, "predict")).log_softmax(-1)

    def _carry(self, read: Callable[..., tuple[Tensor, State]], batch: Batch, split: str) -> Tensor:
        """What ``read`` makes of ``batch``, from the state that ``split`` is in and into the one that it is in then."""
        inside = batch.fresh if batch.fresh is not None and batch.fresh.dim() == 2 else None  # (B, T)
        outputs, state = read(self.admit(batch.inputs, batch.lengths), batch.lengths, self._enter(batch, split), inside)
        self.states[split] = map_state(Tensor.detach, state)
        return outputs

    def _enter(self, batch: Batch, split: str) -> State | None:
        """The state that this batch is read from: carried where it goes on, the start's elsewhere.

        Raises:
            ValueError: for a batch that goes on in other than the rows of the one before.
        """
        state = self.states.get(split)
        fresh = batch.fresh[:, :1].any(1) if batch.fresh is not None and batch.fresh.dim() == 2 else batch.fresh
        if state is None or fresh is None or bool(fresh.all()) or (split != "train" and self.evaluation_state == "reset"):
            return None
        rows = len(leaves(state)[0])
        if rows != len(fresh):
            raise ValueError(
                f"a batch of {len(fresh)} rows cannot go on from one of {rows}: where fresh is false, row by row the text of "
                "the batch before continues; batches of other sizes must be fresh in every row (fresh=None)"
            )
        return select_state(~fresh.to(batch.inputs.device), state, self.network.start(batch.inputs))

    def on_train_start(self) -> None:
        super().on_train_start()
        if self.global_step == 0:  # the trials of a Tuner follow each other without a setup
            self.forget("train")

    def forget(self, split: str) -> None:
        self.states.pop(split, None)

    def epoch_values(self, split: str) -> dict[str, Any]:
        values = super().epoch_values(split)
        loss = values["loss"]
        return {**values, UNITS[self.unit]: loss.exp() if self.unit == "word" else loss / torch.log(torch.tensor(2.0))}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["carried_state"] = gather_state(self.states.get("train"))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        carried = checkpoint.get("carried_state")
        if carried is not None:
            self.states["train"] = map_state(lambda part: part.to(self.device), shard_state(carried))


MANY = 4096
"""From so many classes on, logits are made and used up in tiles."""


def cross_entropy(hidden: Tensor, output: nn.Linear, targets: Tensor) -> Tensor:
    """The mean cross entropy of ``output(hidden)`` (N, V) against ``targets`` (N,)."""
    weight, bias = output.weight, output.bias
    mixed = hidden.dtype != weight.dtype or torch.is_autocast_enabled(hidden.device.type)
    if output.out_features < MANY or mixed:  # the sums over many classes want one type, and that of the weights
        return F.cross_entropy(at_least_single(output(hidden)), targets)
    if hidden.device.type == "cpu":
        layer = (hidden, weight, bias) if torch.is_grad_enabled() else (hidden.detach(), weight.detach(), bias.detach())
        return TiledCrossEntropy.apply(*layer, targets)
    options = nn.LinearCrossEntropyOptions(batch_chunk_size=256) if hidden.requires_grad else None
    return F.linear_cross_entropy(hidden, weight, targets, linear_bias=bias, options=options)
