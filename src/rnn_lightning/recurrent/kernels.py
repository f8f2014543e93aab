"""Single steps of cells compiled from C (`cells.c`) where the machine has a compiler; without one PyTorch computes them.

The library is compiled once for this machine, in about a second, and kept in the user's folder of caches. Nobody else can
have written it there: what belongs to another user, or may be written by others, is not loaded, nor what is damaged.
"""

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from ..files import flush, sha256
from ..leftovers import unfinished_name
from ..processor import of_each

SOURCE = Path(__file__).with_name("cells.c")
FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd", "-shared", "-fPIC")
POINTERS = {
    **{"rectified_forward": 3, "rectified_backward": 5},
    **{"elman_forward": 3, "elman_backward": 5, "gru_forward": 6, "gru_backward": 10, "lstm_forward": 6, "lstm_backward": 10},
    **{"peephole_forward": 7, "peephole_backward": 11, "layer_norm_forward": 15, "layer_norm_backward": 20},
}
"""How many tensors each function takes."""
PLAIN = (Tensor, nn.Parameter)
TEMPORARY = "rnn-lightning-"
PATIENCE = 120
"""Seconds for the compiler."""


class Sizes(ctypes.Structure):
    """Where the rows of a step and of the one before begin, in the sequence and in their chunk, how many they are, how many of
    them have a gradient from the step after, and the hidden units."""

    _fields_ = tuple((name, ctypes.c_long) for name in ("at", "before", "slot", "rows", "products", "units"))


def kernels(*tensors: Tensor) -> ctypes.CDLL | None:
    """The compiled steps, if they can compute with ``tensors``: single precision in the memory of the CPU. Tensors of other
    classes need not have any."""
    for tensor in tensors:
        if type(tensor) not in PLAIN or tensor.dtype != torch.float32 or tensor.device.type != "cpu":
            return None
    return library()


@functools.cache
def library() -> ctypes.CDLL | None:
    """The library, compiled if need be; nothing, with a warning, where there is no compiler or it fails."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        return _without("there is no C compiler (cc, or what CC names)")
    try:
        return _loaded(_compiled(compiler))
    except subprocess.CalledProcessError as error:
        return _without(f"{compiler} fails: {error.stderr.strip()[-300:]}")
    except (OSError, subprocess.TimeoutExpired) as error:
        return _without(str(error))


def _without(reason: str) -> None:
    warnings.warn(f"recurrent networks train without their compiled steps, slower: {reason}", stacklevel=4)


def _compiled(compiler: str) -> Path:
    """The library's file: of the cache, or of a temporary folder where the cache cannot be trusted or written."""
    text = [SOURCE.read_text(), *FLAGS, compiler, platform.machine(), torch.backends.cpu.get_cpu_capability(), _features()]
    key = hashlib.sha256(repr(text).encode()).hexdigest()[:16]
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rnn_lightning"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_own(folder):
            whole = (file for file in folder.glob(f"cells-{key}-*.so") if _is_own(file) and file == _named(file, key))
            return next(whole, None) or _compile(compiler, folder, key)
    except (OSError, RuntimeError):  # RuntimeError: no home
        pass
    folder = Path(tempfile.mkdtemp(prefix=TEMPORARY))
    try:
        return _compile(compiler, folder, key)
    except (OSError, subprocess.SubprocessError):
        shutil.rmtree(folder)
        raise


def _compile(compiler: str, folder: Path, key: str) -> Path:
    unfinished = Path(tempfile.mkdtemp(prefix=f"{unfinished_name(folder / 'cells')}.", dir=folder)) / "cells.so"
    try:
        command = [compiler, *FLAGS, str(SOURCE), "-o", str(unfinished), "-lm"]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE)
        unfinished.chmod(0o700)
        flush(unfinished)
        return unfinished.rename(folder / _named(unfinished, key).name)
    finally:
        shutil.rmtree(unfinished.parent)


def _named(file: Path, key: str) -> Path:
    """The file by the name that says what it was made of and what it contains."""
    return file.with_name(f"cells-{key}-{sha256(file)[:16]}.so")


def _is_own(path: Path) -> bool:
    found = path.stat()
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


def _features() -> str:
    """The processor's features, which ``-march=native`` uses."""
    return next(iter([*of_each("flags"), *of_each("Features")]), platform.processor())


def _loaded(file: Path) -> ctypes.CDLL:
    found = ctypes.CDLL(str(file))
    if file.parent.name.startswith(TEMPORARY):
        shutil.rmtree(file.parent)  # it is loaded, and no other process looks there
    for name, count in POINTERS.items():
        function = getattr(found, name)
        function.argtypes, function.restype = [Sizes, *[ctypes.c_void_p] * count], None
    return found
