"""The precision that each layer computes in, measured: autocast decides it for each operation, and no setting says it.

Under ``bf16-mixed`` a matrix product is of bfloat16, and a gate that multiplies it by a state of float32 is of float32.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

PRODUCTS = {
    *("mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "dot", "convolution"),
    *("mkldnn_rnn_layer", "_cudnn_rnn", "miopen_rnn", "_linear_pointwise"),
}
"""Operations of PyTorch that are matrix products, or whole layers of them."""
OTHERS = {"native_layer_norm", "log_sigmoid_forward", "cumsum", "_softmax", "_log_softmax"}
"""Operations that compute and are neither products nor by element."""
COPIES = {"clone", "where", "masked_fill", "masked_fill_"}
"""Operations by element that compute nothing."""
OUTSIDE = "loss"
"""What is computed outside of every layer."""
Layers = dict[str, dict[str, list[str]]]
"""By layer, the floating types of its ``products`` and of its ``others``."""


class LayerPrecision(TorchDispatchMode):
    """Notes, as long as it is entered, in which floating types the layers of ``model`` compute their forward pass.

    A layer is a module with parameters; what it computes itself counts, and not what those within it do. The numbers that the
    model computes are the same with it and without.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._layers = {name: layer for name, layer in model.named_modules() if name and any(True for _ in layer.parameters())}
        self._products: dict[str, set[torch.dtype]] = defaultdict(set)
        self._others: dict[str, set[torch.dtype]] = defaultdict(set)
        self._names, self._inside = [*self._layers, OUTSIDE], [OUTSIDE]
        self._hooks: list[Any] = []

    def __enter__(self) -> "LayerPrecision":
        for name, layer in self._layers.items():
            self._hooks += [
                layer.register_forward_pre_hook(self._entering(name)),
                layer.register_forward_hook(self._leave, always_call=True),
            ]
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def _entering(self, name: str) -> Callable[[nn.Module, Any], None]:
        return lambda layer, inputs: self._inside.append(name)

    def _leave(self, layer: nn.Module, inputs: Any, outputs: Any) -> None:
        self._inside.pop()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__.partition(".")[0]
        computed = self._products if name in PRODUCTS else self._others if _computes(func, name) else None
        if computed is not None:
            given = [each.dtype for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor) and _is_real(each)]
            computed[self._inside[-1]].update([max(given, key=lambda dtype: dtype.itemsize)] if given else [])
        return func(*args, **(kwargs or {}))

    @property
    def layers(self) -> Layers:
        """By name, the types that each layer computed its ``products`` in, and all else (``others``); those that did nothing
        but look up or copy are left out."""
        made = {name: {"products": _names(self._products[name]), "others": _names(self._others[name])} for name in self._names}
        return {name: types for name, types in made.items() if any(types.values())}


def _computes(func: Any, name: str) -> bool:
    return name in OTHERS or (torch.Tag.pointwise in func.tags and name not in COPIES)


def _is_real(tensor: Tensor) -> bool:
    """Whether it is of a floating type, and no single number that takes the type of what it stands beside."""
    return tensor.is_floating_point() and tensor.dim() > 0


def _names(types: Iterable[torch.dtype]) -> list[str]:
    return sorted(str(dtype).removeprefix("torch.") for dtype in types)
