"""Backward passes written by hand refuse to be differentiated: PyTorch would leave terms out and say nothing."""

import torch


def check_first_derivative(name: str, remedy: str) -> None:
    """Refuse a second derivative, in the backward pass of ``name``.

    ``torch.autograd.function.once_differentiable`` refuses only where the gradient from outside has a gradient itself, and is
    silent where the tensors that the forward pass kept would have one.

    Raises:
        RuntimeError: where second derivatives are asked for (``create_graph=True``), naming the ``remedy``.
    """
    if torch.is_grad_enabled():
        raise RuntimeError(f"create_graph=True asks for second derivatives, which {name} does not have: {remedy}")
