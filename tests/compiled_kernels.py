"""Kernels compiled for a GPU where there is none: `python compiled_kernels.py CELL ...` prints what the compiler made of each.

They are compiled for what a network would launch them with, in training in bfloat16, and are not run. A line of JSON a kernel:
its ``name``, ``shared`` memory in bytes, ``barriers`` between the threads of a program, ``atomics``, ``places`` in memory, how
many of these are of fewer than 64 bits (``narrow``), and ``products`` of numbers as narrow.
"""

import json
import re
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

import rnn_lightning.recurrent.by_kernel
from rnn_lightning.recurrent import CELLS, build_network

TARGET = GPUTarget("cuda", 80, 32)


def described(made: Any) -> dict[str, Any]:
    """What the compiler ``made``."""
    places = re.findall(r"tt\.addptr .*, (?:tensor<[^>]*x)?(i\d+)>?(?: loc|$)", made.asm["ttir"], re.MULTILINE)
    return {
        "name": made.metadata.name,
        "shared": made.metadata.shared,
        "places": len(places),
        "narrow": sum(width != "i64" for width in places),
        "products": len(re.findall(r"arith\.muli .*: (?:tensor<[^>]*x)?i32", made.asm["ttir"])),
        "barriers": len(re.findall(r"(?:ttg|gpu)\.barrier", made.asm["ttgir"])),
        "atomics": len(re.findall(r"\b(?:atom|red)\.", made.asm["ptx"])),
        "binary": len(made.asm["cubin"]),
    }


def compile_for(kernel: JITFunction[Any], grid: Any) -> Callable[..., None]:
    """In the place of a launch: the kernel is compiled, and described on a line."""
    return lambda *arguments: print(json.dumps(described(kernel.warmup(*arguments, grid=grid))), flush=True)


def main() -> None:
    there = {"get_current_device": 0, "get_current_stream": 0, "get_current_target": TARGET}
    driver.set_active(SimpleNamespace(**{name: lambda *_, value=value: value for name, value in there.items()}))
    JITFunction.__getitem__ = compile_for  # pyright: ignore[reportAttributeAccessIssue]
    rnn_lightning.recurrent.by_kernel.check_usable = lambda *_: None
    for cell in sys.argv[1:]:
        heads = 2 if "heads" in CELLS[cell].options else 1
        network = build_network(cell, 64, 128, heads=heads, backend="triton").bfloat16()
        outputs, _ = network(torch.zeros(2, 3, 64, dtype=torch.bfloat16))
        outputs.nan_to_num().sum().backward()


if __name__ == "__main__":
    main()
