"""A network prepared for inference on the CPU: weights laid out once for its products, or rounded to 16 or 8 bits.

Decoding reads every weight again for every token, so that where rows are few its speed is that of memory.
"""

import copy
import warnings
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from .checks import check_choice, shown
from .packed import PackedWeight
from .products import Linear
from .recurrent import choose_backend, fused_layers

WEIGHTS = ("float32", "bfloat16", "float16", "int8")
Network = TypeVar("Network", bound=nn.Module)
Layer = TypeVar("Layer", bound=nn.Module)


def prepared(network: Network, weights: str = "float32") -> Network:
    """A copy of ``network`` for inference on the CPU, in evaluation mode; it can be neither trained nor stored.

    Elman, LSTM and GRU layers that read one step compute one product, as decoding asks of them. ``weights`` says how the
    weights of linear layers and of such steps are stored and multiplied:

    * "float32": laid out once in the order in which oneDNN reads them. Results are those of ``network`` but for rounding.
    * "bfloat16": the same, with weights and inputs rounded to 8 bits of mantissa.
    * "float16": weights rounded, products in float32 (PyTorch's dynamic quantization, which rounds LSTM and GRU as a whole).
    * "int8": weights rounded row by row, and inputs by the largest number of the batch, so that a row's result depends, in its
      last digits, on the rows beside it (dynamic quantization).

    Embeddings and cells that run step by step stay as they are.

    Raises:
        ValueError: for another format, or what is no network.
    """
    check_choice("weights", weights, WEIGHTS)
    if not isinstance(network, nn.Module):
        raise ValueError(f"network must be a torch.nn.Module, not {shown(network)}")
    plain = copy.deepcopy(network).cpu().float().eval().requires_grad_(False)
    choose_backend(plain, "auto")
    _replace(plain, Linear, Linear.plain)
    for part in fused_layers(plain):
        part.join_weights()
    if weights in ("float16", "int8"):
        return _quantized(plain, weights)
    _replace(plain, nn.Linear, lambda layer: PackedLinear(layer, getattr(torch, weights)))
    return plain


def _quantized(network: Network, weights: str) -> Network:
    from torch.ao.quantization.qconfig import float16_dynamic_qconfig, per_channel_dynamic_qconfig
    from torch.ao.quantization.quantize import quantize_dynamic

    settings = {"float16": float16_dynamic_qconfig, "int8": per_channel_dynamic_qconfig}[weights]
    with warnings.catch_warnings():
        # torch announces that its successor will live in another package, which has no recurrent layers.
        warnings.simplefilter("ignore")
        return quantize_dynamic(network, {kind: settings for kind in (nn.Linear, nn.LSTM, nn.GRU)}, inplace=True)


def _replace(network: nn.Module, kind: type[Layer], make: Callable[[Layer], nn.Module]) -> None:
    """Put ``make(layer)`` in the place of each layer that is of ``kind`` itself."""
    for module in list(network.modules()):
        for name, part in list(module.named_children()):
            if type(part) is kind:
                setattr(module, name, make(part))


class PackedLinear(nn.Module):
    """A linear layer whose weight is stored in ``dtype`` as a `PackedWeight`; its outputs are float32."""

    def __init__(self, layer: nn.Linear, dtype: torch.dtype) -> None:
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.weight = PackedWeight(layer.weight.detach().to(dtype))
        self.bias = None if layer.bias is None else layer.bias.detach().to(dtype)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.weight.product(inputs.to(self.weight.dtype).contiguous(), self.bias).float()
