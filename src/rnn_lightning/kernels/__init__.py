"""Kernels for GPUs, written in Triton (extra ``triton``): a linear recurrence, and whole time loops of cells.

Importing this package imports no Triton; its modules do, and the networks import them when ``backend="triton"`` asks for them.
With ``TRITON_INTERPRET=1`` in the environment before Python starts, Triton interprets the kernels on CPU tensors: very slowly,
and with the same results.
"""

from importlib.util import find_spec

import torch

from ..checks import check_choice

AUTO, TRITON, RECOMPUTE = "auto", "triton", "triton_recompute"
BACKENDS = (AUTO, TRITON, RECOMPUTE)
"""What computes a layer: the form that is the default on its device, never one of these kernels; the kernels; or the kernels
with the inputs to the gates computed again in the backward pass instead of kept."""

REMEDY = "choose_backend(network, 'auto') of rnn_lightning.recurrent chooses the form without kernels"


def check_backend(backend: str) -> None:
    """Refuse what is no backend of a layer.

    Raises:
        ValueError: naming those that there are.
    """
    check_choice("backend", backend, BACKENDS)


def check_usable(device: torch.device, backend: str) -> None:
    """Refuse kernels where they cannot run.

    Raises:
        ValueError: without Triton; on another ``device`` than a GPU, unless Triton interprets its kernels.
    """
    if find_spec("triton") is None:
        needed = "Triton, which is not installed: pip install 'rnn-lightning[triton]'"
        raise ValueError(f"backend={backend!r} needs {needed}; {REMEDY}")
    if device.type != "cuda":
        from .tiles import interpreted

        if not interpreted():
            raise ValueError(
                f"backend={backend!r} is for tensors on a GPU, and these are on the device {device.type!r}: move network and "
                f"inputs to 'cuda', or set TRITON_INTERPRET=1 before Python starts to try it, slowly, on the CPU; {REMEDY}"
            )
