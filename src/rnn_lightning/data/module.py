"""What both data modules share: the order of batches, and where in it a training stands."""

import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import lightning
import numpy as np
from torch.utils.data import Dataset, Sampler

from ..checks import check_counts, shown
from ..files import SUMS, check_sums
from ..mapped import map_arrays
from ..pieces import pieces_of
from ..processes import rank_and_world_size, shard_batch
from ..progress import epoch_and_batch
from ..sequences import Batch
from ..sliced import Values


class EpochOrder(Sampler[Any]):
    """The batches of ``epochs`` epochs, one epoch after the other, each in an order that is a function of its number.

    With one epoch this is an ordinary sampler whose ``set_epoch`` Lightning calls; with several the whole training is one
    Lightning epoch, so that the place in it is the number of batches made. Iteration begins at batch ``cursor``, once.
    ``repeated``: every Lightning epoch is the first, as ``overfit_batches`` needs it.
    """

    def __init__(self, order: Callable[[int], list[Any]], *, epochs: int, cursor: int = 0) -> None:
        self.order, self.epochs = order, epochs
        self.per_epoch = len(order(0))
        self.first, self.cursor, self.repeated = 0, cursor % max(len(self), 1), False

    def __len__(self) -> int:
        return self.per_epoch * self.epochs

    def set_epoch(self, epoch: int) -> None:
        """Go on to Lightning's epoch ``epoch``."""
        self.first = 0 if self.repeated else epoch * self.epochs

    def __iter__(self) -> Iterator[Any]:
        cursor, self.cursor = self.cursor, 0
        batches: list[Any] = []
        # Lightning makes the iterator before it sets the epoch, so the epoch is looked up with the first batch.
        for position in range(cursor, len(self)):
            epoch, inside = divmod(position, self.per_epoch)
            if inside == 0 or position == cursor:
                batches = self.order(self.first + epoch)
            yield batches[inside]


class Batches(Dataset[Batch], ABC):
    """A split as batches; its items are whole batches, and named by what the orders list."""

    @abstractmethod
    def order(self, seed: int, epoch: int) -> list[Any]:
        """The names of an epoch's batches in the order of training: a function of (seed, epoch)."""

    @abstractmethod
    def in_order(self) -> list[Any]:
        """The names of all batches for validation and test; together they hold every target exactly once."""

    def as_stored(self) -> list[Any]:
        """The names of all batches for prediction: as ``in_order``, but the rows as the files have them."""
        return self.in_order()


class BatchLoader:
    """Yields the batches that ``batch_sampler`` names, of each the rows of this process.

    It has no state to save: where a training stands in the order of batches is a function of its step.
    """

    def __init__(self, dataset: Batches, batch_sampler: EpochOrder | list[Any]) -> None:
        self.dataset, self.batch_sampler = dataset, batch_sampler

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[Batch]:
        for name in self.batch_sampler:
            yield shard_batch(self.dataset[name])

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        pass


Read = TypeVar("Read", bound=Batches)


class SequenceModule(lightning.LightningDataModule, ABC, Generic[Read]):
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
        check_counts(least=0, most=2**63 - 1, seed=seed)
        if not isinstance(folder, str | Path):
            raise ValueError(f"folder must be a path, not {shown(folder)}")
        self.folder, self.seed, self.epochs = Path(folder), seed, epochs
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size
        self._read: dict[tuple[str, int], Read] = {}

    def arrays(self, split: str) -> dict[str, np.ndarray]:
        """The arrays of ``SPLIT.npz``, read into memory and compared with its SHA-256 where the folder has a `SUMS`.

        Raises:
            FileNotFoundError: where the corpus is not preprocessed.
            ValueError: where the file is damaged.
        """
        path = self._file(split)
        self._check(path)
        try:
            with np.load(path, allow_pickle=False) as archive:
                return dict(archive)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise ValueError(f"{path} is damaged: {error}; preprocess the corpus again") from None

    def mapped(self, split: str) -> dict[str, Values]:
        """The arrays of ``SPLIT.npz``, of which slices are read from the file; as large as it may be, none of it is read now.

        What is read is compared with the hashes in ``SPLIT.pieces``; where a folder has none, the whole file is, at once.

        Raises:
            FileNotFoundError: where the corpus is not preprocessed.
            ValueError: where the file is damaged; what is read later raises it too.
        """
        path = self._file(split)
        if not (self.folder / SUMS).exists() or not pieces_of(path).exists():
            self._check(path)
            return map_arrays(path)
        self._check(pieces_of(path))
        return map_arrays(path, pieces_of(path).read_bytes())

    def _file(self, split: str) -> Path:
        path = self.folder / f"{split}.npz"
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: preprocess the corpus first")
        return path

    def _check(self, path: Path) -> None:
        """Compare a file with its SHA-256 where the folder has a `SUMS`."""
        if (self.folder / SUMS).exists():
            check_sums(self.folder, [path.name], again="preprocess the corpus again")

    def dataset(self, split: str) -> Read:
        """The batches of ``train``, ``validation`` or ``test``, read once.

        Raises:
            ValueError: where the split is too small for its batches.
        """
        rows = self.batch_size if split == "train" else self.eval_batch_size
        if (split, rows) not in self._read:
            self._read = {key: batches for key, batches in self._read.items() if key[0] != split}
            self._read[split, rows] = self.read(split, rows)
        return self._read[split, rows]

    @abstractmethod
    def read(self, split: str, rows: int) -> Read:
        """The batches of a split, of ``rows`` rows, from its file."""

    def training_rows(self) -> Batches:
        """The batches of ``train`` as a training reads them: changed anew in each epoch, where they are to be."""
        return self.dataset("train")

    def planned_steps(self) -> int:
        """The batches of one pass over the training loader, all its epochs: its steps, if none are accumulated."""
        return len(self._order())

    def _order(self) -> EpochOrder:
        dataset = self.training_rows()
        return EpochOrder(lambda epoch: dataset.order(self.seed, epoch), epochs=self.epochs)

    def train_dataloader(self) -> BatchLoader:
        sampler = self._order()
        if self.trainer:
            limit = self.trainer.limit_train_batches
            batches = min(limit, len(sampler)) if isinstance(limit, int) else int(limit * len(sampler))
            sampler.cursor = epoch_and_batch(self.trainer.global_step, batches, self.trainer.accumulate_grad_batches)[1]
            sampler.repeated = bool(cast(Any, self.trainer).overfit_batches)
        return self._loader(self.training_rows(), sampler)

    def val_dataloader(self) -> BatchLoader:
        return self._loader(self.dataset("validation"), self.dataset("validation").in_order())

    def test_dataloader(self) -> BatchLoader:
        return self._loader(self.dataset("test"), self.dataset("test").in_order())

    def predict_dataloader(self) -> BatchLoader:
        """The test split, its rows as the file has them."""
        return self._loader(self.dataset("test"), self.dataset("test").as_stored())

    def _loader(self, dataset: Batches, sampler: EpochOrder | list[Any]) -> BatchLoader:
        """Every process has all batches, and of each its own rows.

        Raises:
            ValueError: where a Trainer of several processes would give these different batches.
        """
        if rank_and_world_size()[1] > 1 and self.trainer and self.trainer._accelerator_connector.use_distributed_sampler:
            raise ValueError("batches are shared out by rows: give the Trainer use_distributed_sampler=False")
        return BatchLoader(dataset, sampler)
