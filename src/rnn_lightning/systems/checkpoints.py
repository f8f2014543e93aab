"""Checkpoints written to disk: whole or absent, and with their own SHA-256."""

import os
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from ..files import sha256, written_beside
from ..leftovers import unfinished_name
from ..models.checkpoints import COMMENT_SIZE, MARK, read_checkpoint


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the final name, reads back, syncs, renames: there is the old file or the new one, never a torn one."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Path | None = None) -> None:
        """Write a checkpoint to ``path``; ``storage_options`` may be where the file that is there now is kept."""
        with written_beside(Path(path)) as partial:
            with open(partial, "wb") as file:
                _save(checkpoint, file)
            seal(partial)
            if storage_options and Path(path).exists():
                keep(Path(path), storage_options)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        return read_checkpoint(path, map_location)


def keep(file: Path, name: Path) -> None:
    """Give ``file`` a second ``name``, in the place of what has it; where the file system has no links it is moved there."""
    link = name.with_name(f"{unfinished_name(name)}.tmp")
    try:
        os.link(file, link)
    except OSError:
        file.replace(name)
        return
    link.replace(name)
    link.unlink(missing_ok=True)  # which it still is where both were one file already


def _save(checkpoint: dict[str, Any], file: BinaryIO) -> None:
    try:
        torch.save(checkpoint, file)
    except RuntimeError as error:  # PyTorch's "unexpected pos", where the system refused a write
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def seal(file: Path) -> None:
    """Compare the members of a new archive with their checksums, and put the SHA-256 of the file into its comment.

    Raises:
        OSError: where the disk gives back other bytes than were written.
    """
    with zipfile.ZipFile(file) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise OSError(f"{file} was written and read back with other bytes ({damaged}): the disk or the memory is at fault")
    with file.open("r+b") as end:
        end.seek(-len(COMMENT_SIZE), os.SEEK_END)
        end.write(COMMENT_SIZE + MARK)
    digest = sha256(file)
    with file.open("ab") as end:
        end.write(digest.encode())
