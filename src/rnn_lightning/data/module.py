"""What both data modules share: the order of batches, and where in it a training stands."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning
import numpy as np
from torch.utils.data import DataLoader, Dataset, Sampler


class EpochOrder(Sampler[Any]):
    """The batches of ``epochs`` epochs, one epoch after the other, each in an order that is a function of its number.

    With one epoch this is an ordinary sampler whose ``set_epoch`` Lightning calls; with several the whole training is one
    Lightning epoch, so that the place in it is the number of batches made. Iteration begins at batch ``cursor``, once.
    """

    def __init__(self, order: Callable[[int], list[Any]], *, epochs: int, cursor: int) -> None:
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
        # Lightning makes the iterator before it tells the epoch, so the epoch is looked up with the first batch.
        for position in range(cursor, len(self)):
            epoch, inside = divmod(position, self.per_epoch)
            if inside == 0 or position == cursor:
                batches = self.order(self.first + epoch)
            yield batches[inside]


class SequenceModule(lightning.LightningDataModule):
    """Batches from the files of a processed corpus; every item of a dataset here is a whole batch."""

    def __init__(self, folder: str | Path, *, seed: int, epochs: int) -> None:
        super().__init__()
        if epochs < 1:
            raise ValueError(f"epochs must be at least 1, not {epochs}")
        self.folder, self.seed, self.epochs = Path(folder), seed, epochs

    def arrays(self, split: str) -> dict[str, np.ndarray]:
        """The arrays of ``SPLIT.npz``.

        Raises:
            FileNotFoundError: where the corpus is not preprocessed.
        """
        path = self.folder / f"{split}.npz"
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: preprocess the corpus first")
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)

    @abstractmethod
    def dataset(self, split: str) -> Dataset:
        """The batches of a split; its items are named by what ``order`` yields."""

    @abstractmethod
    def order(self, dataset: Dataset, epoch: int) -> list[Any]:
        """The names of the training batches of ``epoch``, in order: a function of (seed, epoch)."""

    def train_dataloader(self) -> DataLoader:
        dataset = self.dataset("train")
        cursor = self.trainer.global_step * self.trainer.accumulate_grad_batches if self.trainer else 0
        sampler = EpochOrder(lambda epoch: self.order(dataset, epoch), epochs=self.epochs, cursor=cursor)
        return DataLoader(dataset, batch_size=None, sampler=sampler)

    def val_dataloader(self) -> DataLoader:
        return self._in_order("validation")

    def test_dataloader(self) -> DataLoader:
        return self._in_order("test")

    def _in_order(self, split: str) -> DataLoader:
        dataset = self.dataset(split)
        return DataLoader(dataset, batch_size=None, sampler=self.evaluation_order(dataset))

    @abstractmethod
    def evaluation_order(self, dataset: Dataset) -> list[Any]:
        """The names of all batches of a validation or test split; together they hold every target exactly once."""
