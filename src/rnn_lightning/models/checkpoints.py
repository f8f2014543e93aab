"""Checkpoints read from local files alone, as data and never as code, and compared with the SHA-256 that they end with."""

import hashlib
import os
import re
import struct
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

from ..checks import shown
from ..files import SUMS, check_sums

MARK, DIGITS = b"SHA-256 of all before: ", 64
"""The comment of the archive: these words and the hexadecimal digits."""
END_OF_ARCHIVE, END_SIZE = b"PK\5\6", 22
COMMENT_SIZE = struct.pack("<H", len(MARK) + DIGITS)
REMOTE = re.compile(r"[A-Za-z][\w+.-]+:[/:]|.*://")
MOST_PARAMETERS = 10_000
"""Tensors of weights that the settings of a checkpoint may ask for; no network here has a hundredth of it."""
DRAWS = frozenset(("normal_", "uniform_", "kaiming_uniform_", "orthogonal_", "xavier_uniform_"))
"""Functions of `torch.nn.init` and methods of tensors that draw initial weights."""


def read_checkpoint(path: Any, map_location: Any = None) -> dict[str, Any]:
    """The content of a checkpoint, tensors on the CPU if ``map_location`` does not say another place.

    Raises:
        ValueError, OSError: as `opened`.
        pickle.UnpicklingError: where it holds more than data.
    """
    with opened(path) as file:
        return torch.load(file, map_location=map_location or "cpu", weights_only=True)


def check_checkpoint(path: Any) -> None:
    """Refuse what `opened` refuses."""
    with opened(path):
        pass


@contextmanager
def opened(path: Any) -> Iterator[BinaryIO]:
    """An undamaged checkpoint on this machine, open for reading; `SUMS` beside it, which lists it, is compared too.

    Raises:
        ValueError: for a URL or what is no path; for a file that is damaged.
        FileNotFoundError: where there is no file.
    """
    file = local_file(path)
    if (file.parent / SUMS).exists():
        check_sums(file.parent, [file.name], again="get the file again, or train again", unlisted=True)
    with file.open("rb") as opened_file:
        _check_archive(opened_file, file)
        opened_file.seek(0)
        yield opened_file


def check_place(place: Any) -> None:
    """Refuse what is no place for tensors: a device by its name or itself, a dict of such, a function, or ``None``.

    Raises:
        ValueError: saying what came.
    """
    places = list(place.values()) if isinstance(place, dict) else [] if place is None or callable(place) else [place]
    for each in places:
        try:
            known = torch.device(each)
        except (RuntimeError, TypeError, AttributeError):
            known = None
        if known is None or (known.type == "cuda" and not torch.cuda.is_available()):
            allowed = f"'cpu'{', ' + repr('cuda') if torch.cuda.is_available() else ''} or another device of this machine"
            raise ValueError(f"map_location must be {allowed}, a function, a dict or None, not {shown(place)}")


def local_file(path: Any) -> Path:
    """The file that ``path``, a string or a ``PathLike``, names on this machine.

    Raises:
        ValueError: for a URL, or what is no path.
        FileNotFoundError: where there is no file.
    """
    if not isinstance(path, str | os.PathLike):
        raise ValueError(f"a checkpoint is loaded by the path of its file, not from {type(path).__name__}")
    if REMOTE.match(os.fspath(path)):
        raise ValueError(f"checkpoints are loaded from local files only, not from {path}: download it, and give its path")
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} is no file: give the path of a checkpoint, such as runs/dates/lstm/1/model.ckpt")
    return Path(path)


def _check_archive(file: BinaryIO, name: Path) -> None:
    """Compare an archive with the SHA-256 in its comment; one by PyTorch alone with the checksums of its members.

    Raises:
        ValueError: where they differ, or it is no archive as PyTorch writes them.
    """
    ends = file.seek(0, os.SEEK_END) - DIGITS
    own_end = END_SIZE + len(MARK)
    file.seek(max(ends - own_end, 0))
    tail = file.read()
    sealed = tail[:4] == END_OF_ARCHIVE and tail[END_SIZE - 2 : own_end] == COMMENT_SIZE + MARK
    plain = tail[-END_SIZE:].startswith(END_OF_ARCHIVE) and tail.endswith(b"\0\0")
    if not sealed and not plain:
        raise ValueError(f"{name} is damaged or no checkpoint: it does not end as one")
    if sealed and _digest(file, ends) != tail[own_end:]:
        raise ValueError(f"{name} is damaged: its SHA-256 is not the one that it ends with")
    try:
        with zipfile.ZipFile(file) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError(f"{name} is damaged or no checkpoint: its parts are compressed, as PyTorch writes none")
            damaged = None if sealed else archive.testzip()
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{name} is damaged or no checkpoint: {error}") from None
    if damaged is not None:
        raise ValueError(f"{name} is damaged: the checksum of {damaged} does not hold")


def _digest(file: BinaryIO, size: int) -> bytes:
    """The SHA-256 of the first ``size`` bytes, in hexadecimal digits."""
    digest = hashlib.sha256()
    file.seek(0)
    while size > 0:
        block = file.read(min(size, 1 << 20))
        digest.update(block)
        size -= len(block)
    return digest.hexdigest().encode()


class Undrawn(TorchFunctionMode):
    """Initial weights stay as they are: a tensor without contents has none to draw, and PyTorch would import its compiler."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in DRAWS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


@contextmanager
def weightless(path: Any) -> Iterator[None]:
    """A block in which a system is built and loaded on PyTorch's meta device, where weights take no memory: a trial.

    What only tensors with contents can do is left to be found later.

    Raises:
        ValueError: where weights of the file ``path`` have other shapes than its settings say, or there are far too many.
    """
    registered = 0

    def count(*args: Any) -> None:
        nonlocal registered
        registered += 1
        if registered > MOST_PARAMETERS:
            raise ValueError(f"the settings in {path} ask for more than {MOST_PARAMETERS} weights: it is no checkpoint of ours")

    hook = register_module_parameter_registration_hook(count)
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"), Undrawn(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (NotImplementedError, RuntimeError) as error:
        if "meta tensor" not in str(error):
            reason = " ".join(" ".join(str(error).split()).split(": ", 1)[-1].split())
            raise ValueError(f"{path} does not hold the weights that its settings say: {reason}") from None
    finally:
        hook.remove()


def weightless_networks(values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with a copy without weights in place of each network."""
    return {name: deepcopy(value).to("meta") if isinstance(value, nn.Module) else value for name, value in values.items()}
