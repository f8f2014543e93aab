"""Post-training quantization of a network's weights to 16 or 8 bits, for inference on the CPU.

Decoding reads every weight again for every token, so that where rows are few its speed is that of memory.
"""

import copy
import warnings
from typing import TypeVar

from torch import nn

from .checks import check_choice, shown

WEIGHTS = ("float16", "int8")
Network = TypeVar("Network", bound=nn.Module)


def compressed(network: Network, weights: str) -> Network:
    """A copy of ``network`` with quantized weights, for inference on the CPU (PyTorch's dynamic quantization).

    "float16" rounds the weights and computes in float32. "int8" rounds the weights row by row, and what they are multiplied
    with by the largest number of the batch: so a row's result depends, in its last digits, on the rows beside it. Linear
    layers, LSTM and GRU are compressed; embeddings, the Elman network and cells that run step by step stay as they are.

    Raises:
        ValueError: for another format.
    """
    check_choice("weights", weights, WEIGHTS)
    if not isinstance(network, nn.Module):
        raise ValueError(f"network must be a torch.nn.Module, not {shown(network)}")
    from torch.ao.quantization.qconfig import float16_dynamic_qconfig, per_channel_dynamic_qconfig
    from torch.ao.quantization.quantize import quantize_dynamic

    settings = {"float16": float16_dynamic_qconfig, "int8": per_channel_dynamic_qconfig}[weights]
    plain = copy.deepcopy(network).cpu().float().eval()
    with warnings.catch_warnings():
        # torch announces that its successor will live in another package, which has no recurrent layers.
        warnings.simplefilter("ignore")
        return quantize_dynamic(plain, {kind: settings for kind in (nn.Linear, nn.LSTM, nn.GRU)}, inplace=True)
