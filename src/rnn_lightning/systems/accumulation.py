"""Steps of several batches, ``accumulate_grad_batches``: their gradient is that of the mean loss over all their targets.

Lightning takes the mean of the batches' means, in which the targets of a batch with few of them would count more.
"""

from typing import Any


class Accumulated:
    """The targets of the batches since the last step.

    Of k batches of n_1, n_2, ... targets each loss is weighed by n_i / n_1 and, after the last of them, the gradient by
    k n_1 / (n_1 + n_2 + ...), since Lightning has divided by k.
    """

    def __init__(self) -> None:
        self.first = self.total = 0

    def weight_of(self, system: Any, count: int) -> float:
        """The weight of the loss of a batch of ``count`` targets, those of all processes."""
        if _batches(system) == 1:
            return 1.0
        self.first = self.first or count
        self.total += count
        return count / self.first if self.first else 0.0

    def finish(self, system: Any) -> None:
        """Bring the gradient to the mean over all targets, if the batch was the last of a step."""
        batches = _batches(system)
        if batches == 1 or not _is_last(system, batches):
            return
        if self.total:
            for weight in system.parameters():
                if weight.grad is not None:
                    weight.grad.mul_(batches * self.first / self.total)
        self.first = self.total = 0


def _batches(system: Any) -> int:
    return 1 if system._trainer is None else system.trainer.accumulate_grad_batches


def _is_last(system: Any, batches: int) -> bool:
    """Whether a step follows the batch that was read: of an epoch, the last one may have fewer."""
    trainer = system.trainer
    ready = trainer.fit_loop.epoch_loop.batch_progress.current.ready
    return ready % batches == 0 or ready == trainer.num_training_batches or trainer.is_last_batch
