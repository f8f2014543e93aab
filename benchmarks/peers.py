"""Other libraries as contestants, where they are installed: JoeyNMT (Kreutzer et al. 2019, arXiv:1907.12484).

``pip install joeynmt`` beside this project. Its model has the sizes of `benchmarks.search`: an encoder of two bidirectional
LSTM layers, a decoder of two LSTM layers of 512 units, Luong attention, input feeding where asked for.
"""

import importlib.util
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

PADDING = 1
"""JoeyNMT's number of padding; 0, 2 and 3 are the unknown token, the beginning and the end."""


def joeynmt_is_there() -> bool:
    """Whether JoeyNMT is installed."""
    return importlib.util.find_spec("joeynmt") is not None


def joeynmt(vocabulary: int, *, input_feeding: bool = True) -> Any:
    """JoeyNMT's model over ``vocabulary`` tokens, with random weights, for training."""
    from joeynmt.model import build_model  # pyright: ignore[reportMissingImports]
    from joeynmt.vocabulary import Vocabulary  # pyright: ignore[reportMissingImports]

    special = {"unk": 0, "pad": PADDING, "bos": 2, "eos": 3}
    names = {f"{name}_token": f"<{name}>" for name in special} | {f"{name}_id": number for name, number in special.items()}
    symbols = SimpleNamespace(**names, sep_token=None, sep_id=None, lang_tags=[])
    tokens = Vocabulary([f"token{number}" for number in range(vocabulary - len(special))], symbols)
    layers: dict[str, Any] = {"type": "recurrent", "rnn_type": "lstm", "num_layers": 2, "embeddings": {"embedding_dim": 512}}
    decoder = {"attention": "luong", "init_hidden": "bridge", "input_feeding": input_feeding, "hidden_size": 512}
    settings = {"encoder": layers | {"hidden_size": 256, "bidirectional": True}, "decoder": layers | decoder}
    torch.manual_seed(0)
    model = build_model(settings, tokens, tokens)
    model.loss_function = ("crossentropy", 0.0)
    return model


def joeynmt_translations(model: Any, sources: Tensor, *, beam_size: int, steps: int) -> Tensor:
    """What its beam search finds for ``sources`` (B, S) in exactly so many steps."""
    from joeynmt.search import beam_search  # pyright: ignore[reportMissingImports]

    mask = torch.ones(len(sources), 1, sources.shape[1], dtype=torch.bool)
    lengths = torch.full((len(sources),), sources.shape[1])
    outputs, state, _, _ = model(return_type="encode", src=sources, src_length=lengths, src_mask=mask)
    found, _, _ = beam_search(
        model=model,
        beam_size=beam_size,
        encoder_output=outputs,
        encoder_hidden=state,
        src_mask=mask,
        max_output_length=steps,
        min_output_length=steps,
        alpha=-1,
    )
    return torch.as_tensor(found)


def joeynmt_loss(model: Any, sources: Tensor, source_lengths: Tensor, targets: Tensor, real: Tensor) -> Tensor:
    """Its loss per target token of a batch.

    Args:
        sources: (B, S), the longest first, with ``source_lengths`` (B,).
        targets: (B, T), of which those where ``real`` (B, T) is true count.
    """
    filled = targets.masked_fill(~real, PADDING)
    given = torch.cat([torch.full_like(filled[:, :1], 2), filled[:, :-1]], 1)
    mask = (torch.arange(sources.shape[1]) < source_lengths.unsqueeze(1)).unsqueeze(1)
    (loss, *_) = model(
        return_type="loss",
        src=sources,
        src_length=source_lengths,
        src_mask=mask,
        trg_input=given,
        trg=filled,
        trg_mask=real.unsqueeze(1),
    )
    return loss / real.sum()
