"""The peephole and the layer-normalised LSTM as people write them, a cell in plain PyTorch and a loop over it, and the minimal
GRU as it was published, in log space.

They share the parameters of the package's own cells. Shapes: B rows, T steps, F features in, H hidden units.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def peephole_step(cell: Any, features: Tensor, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """The output and memory cell (B, H) after a step of `rnn_lightning.recurrent.PeepholeLSTM`."""
    products = F.linear(features, cell.input_weight, cell.bias) + F.linear(hidden, cell.recurrent_weight)
    in_gate, keep, out_gate, candidate = products.chunk(4, 1)
    in_gate = torch.sigmoid(in_gate + cell.input_peephole * memory)
    keep = torch.sigmoid(keep + cell.forget_peephole * memory)
    memory = keep * memory + in_gate * torch.tanh(candidate)
    return torch.sigmoid(out_gate + cell.output_peephole * memory) * torch.tanh(memory), memory


def layer_norm_step(cell: Any, features: Tensor, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """The output and memory cell (B, H) after a step of `rnn_lightning.recurrent.LayerNormLSTM`."""
    from_inputs, from_hidden = F.linear(features, cell.input_weight), F.linear(hidden, cell.recurrent_weight)
    gates = F.layer_norm(from_inputs, from_inputs.shape[1:], cell.input_gain, cell.bias)
    gates = gates + F.layer_norm(from_hidden, from_hidden.shape[1:], cell.recurrent_gain)
    in_gate, keep, out_gate, candidate = gates.chunk(4, 1)
    memory = torch.sigmoid(keep) * memory + torch.sigmoid(in_gate) * torch.tanh(candidate)
    normal = F.layer_norm(memory, memory.shape[1:], cell.cell_gain, cell.cell_bias)
    return torch.sigmoid(out_gate) * torch.tanh(normal), memory


STEPS = {"peephole_lstm": peephole_step, "layernorm_lstm": layer_norm_step}


def loop(name: str, cell: Any, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """The outputs (B, T, H) for ``inputs`` (B, T, F), and the last memory cell (B, H)."""
    hidden, memory = cell.start(inputs)
    outputs = []
    for features in inputs.unbind(1):
        hidden, memory = STEPS[name](cell, features, hidden, memory)
        outputs.append(hidden)
    return torch.stack(outputs, 1), memory


def min_gru_in_log_space(cell: Any, inputs: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """The outputs (B, T, H) of the minimal GRU (Feng et al. 2024, appendix B) for ``inputs`` (B, T, F) and a state (B, H) above
    0, and the last of them, with the parameters of `rnn_lightning.recurrent.MinGRU`."""
    update, candidate = F.linear(inputs, cell.input_weight, cell.bias).chunk(2, -1)
    log_candidate = torch.where(candidate >= 0, (candidate.relu() + 0.5).log(), -F.softplus(-candidate))
    log_values = torch.cat([start.log().unsqueeze(1), -F.softplus(-update) + log_candidate], 1)
    log_products = F.pad((-F.softplus(update)).cumsum(1), (0, 0, 1, 0))
    outputs = (log_products + (log_values - log_products).logcumsumexp(1)).exp()[:, 1:]
    return outputs, outputs[:, -1]
