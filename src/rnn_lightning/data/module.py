"""What both data modules share: the order of batches, and where in it a training stands."""

import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning
import numpy as np
from torch.utils.data import DataLoader, Dataset, Sampler

from ..processes import rank_and_world_size, shard_batch
from ..progress import epoch_and_batch
from ..sequences import Batch


class EpochOrder(Sampler[Any]):
    """The batches of ``epochs`` epochs, one epoch after the other, each in an order that is a function of its number.

    With one epoch this is an ordinary sampler whose ``set_epoch`` Lightning calls; with several the whole training is one
    Lightning epoch, so that the place in it is the number of batches made. Iteration begins at batch ``cursor``, once.
    """

    def __init__(self, order: Callable[[int], list[Any]], *, epochs: int, cursor: int = 0) -> None:
        self.order, self.epochs = order, epochs
        self.per_epoch = len(order(0))
        self.first, self.cursor = 0, cursor % max(len(self), 1)

    def __len__(self) -> int:
        return self.per_epoch * self.epochs

    def set_epoch(self, epoch: int) -> None:
        """Go on to Lightning's epoch ``epoch``."""
        self.first = epoch * self.epochs

    def __iter__(self) -> Iterator[Any]:
        cursor, self.cursor = self.cursor, 0
        batches: list[Any] = []
        # Lightning makes the iterator before it tells the epoch, so the epoch is looked up with the first batch.
        for position in range(cursor, len(self)):
            epoch, inside = divmod(position, self.per_epoch)
            if inside == 0 or position == cursor:
                batches = self.order(self.first + epoch)
            yield batches[inside]


class Batches(Dataset[Batch], ABC):
    """A split as batches; its items are whole batches, and named by what the two orders list."""

    @abstractmethod
    def order(self, seed: int, epoch: int) -> list[Any]:
        """The names of an epoch's batches in the order of training: a function of (seed, epoch)."""

    @abstractmethod
    def in_order(self) -> list[Any]:
        """The names of all batches for validation and test; together they hold every target exactly once."""


class SequenceModule(lightning.LightningDataModule, ABC):
    """Batches from the files of a processed corpus."""

    def __init__(self, folder: str | Path, *, batch_size: int, eval_batch_size: int | None, seed: int, epochs: int) -> None:
        """Read the processed corpus in ``folder``.

        Args:
            batch_size: rows of a training batch; ``eval_batch_size`` those of validation and test.
            epochs: how many epochs one pass over the training loader holds.

        Raises:
            ValueError: for a number below 1.
        """
        super().__init__()
        eval_batch_size = batch_size if eval_batch_size is None else eval_batch_size
        check_counts(batch_size=batch_size, eval_batch_size=eval_batch_size, epochs=epochs)
        self.folder, self.seed, self.epochs = Path(folder), seed, epochs
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size

    def arrays(self, split: str) -> dict[str, np.ndarray]:
        """The arrays of ``SPLIT.npz``.

        Raises:
            FileNotFoundError: where the corpus is not preprocessed.
            ValueError: where the file is damaged.
        """
        path = self.folder / f"{split}.npz"
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: preprocess the corpus first")
        try:
            with np.load(path, allow_pickle=False) as archive:
                return dict(archive)
        except (zipfile.BadZipFile, EOFError) as error:
            raise ValueError(f"{path} is damaged: {error}; preprocess the corpus again") from None

    @abstractmethod
    def dataset(self, split: str) -> Batches:
        """The batches of ``train``, ``validation`` or ``test``.

        Raises:
            ValueError: where the split is too small for its batches.
        """

    def training_rows(self) -> Batches:
        """The batches of ``train`` as a training reads them: changed anew in each epoch, where they are to be."""
        return self.dataset("train")

    def train_dataloader(self) -> DataLoader:
        dataset = self.training_rows()
        sampler = EpochOrder(lambda epoch: dataset.order(self.seed, epoch), epochs=self.epochs)
        if self.trainer:
            limit = self.trainer.limit_train_batches
            batches = min(limit, len(sampler)) if isinstance(limit, int) else int(limit * len(sampler))
            sampler.cursor = epoch_and_batch(self.trainer.global_step, batches, self.trainer.accumulate_grad_batches)[1]
        return self._loader(dataset, sampler)

    def val_dataloader(self) -> DataLoader:
        return self._in_order("validation")

    def test_dataloader(self) -> DataLoader:
        return self._in_order("test")

    def _in_order(self, split: str) -> DataLoader:
        dataset = self.dataset(split)
        return self._loader(dataset, dataset.in_order())

    def _loader(self, dataset: Batches, sampler: Sampler[Any] | list[Any]) -> DataLoader:
        """Every process has all batches, and of each its own rows.

        Raises:
            ValueError: where a Trainer of several processes would give these different batches.
        """
        if rank_and_world_size()[1] > 1 and self.trainer and self.trainer._accelerator_connector.use_distributed_sampler:
            raise ValueError("batches are shared out by rows: give the Trainer use_distributed_sampler=False")
        share: Any = shard_batch  # typed, a collate_fn would make a batch of a list of rows
        return DataLoader(dataset, batch_size=None, sampler=sampler, collate_fn=share)


def check_counts(**counts: int) -> None:
    """Refuse a count below 1, by its name."""
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} must be at least 1, not {count}")
