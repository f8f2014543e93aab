"""What tokens, features and class targets must be: checks that name the first wrong one and its place.

They look at values, and so are made on the CPU; on a device they would wait for it.

Shapes: B rows, T steps, F features.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ..checks import check_counts
from ..sequences import IGNORED, Batch, check_lengths, check_memory, check_tensors, fill_padding
from ..standardize import Standardize


def first_layer(input_size: int, vocab_size: int | None, standardize: Mapping[str, Sequence[float]] | None) -> nn.Module:
    """What brings a step to the ``input_size`` features that a network reads: features standardised, or, with ``vocab_size``,
    the embedding of tokens.

    Raises:
        ValueError: for a size that is no whole number above 0 or needs more memory than there is, or ``standardize`` of tokens.
    """
    check_counts(input_size=input_size)
    if vocab_size is None:
        return Standardize(input_size, standardize)
    check_counts(vocab_size=vocab_size)
    check_memory(vocab_size=vocab_size, input_size=input_size)
    if standardize is not None:
        raise ValueError("standardize is for features; tokens have none, so give it or vocab_size")
    return nn.Embedding(vocab_size, input_size)


def check_tokens(name: str, tokens: Tensor, size: int, *, lengths: Tensor | None = None, also: int | None = None) -> None:
    """Refuse ``tokens`` that are not int64 of shape (B, T), each real one of 0..``size`` - 1 or ``also``.

    Raises:
        ValueError: naming the first wrong one and its place; ``name`` is what they are.
    """
    check_tensors(**{f"{name}s": tokens})
    if tokens.dtype != torch.int64 or tokens.dim() != 2:
        raise ValueError(f"{name}s must be int64 of shape (B, T), not {tokens.dtype} of shape {tuple(tokens.shape)}")
    check_range(name, tokens, size, lengths=lengths, also=also)


def check_range(name: str, numbers: Tensor, size: int, *, lengths: Tensor | None = None, also: int | None = None) -> None:
    """Refuse ``numbers`` (B, T, ...) of which a real one is not of 0..``size`` - 1 or ``also``; ``name`` is what they are.

    Raises:
        ValueError: naming the first wrong one and its place.
    """
    if lengths is None and (not numbers.numel() or within(numbers, size)):
        return
    outside = real_only((numbers < 0) | (numbers >= size), lengths)
    wrong = (outside if also is None else outside & (numbers != also)).nonzero()
    if len(wrong):
        first = wrong[0].tolist()
        raise ValueError(f"{name} {int(numbers[tuple(first)])} in row {first[0]}, step {first[1]}: {name}s are 0..{size - 1}")


def within(numbers: Tensor, size: int) -> bool:
    """Whether all ``numbers``, of which there are some, are of 0..``size`` - 1, the padding too."""
    least, greatest = torch.stack(numbers.aminmax()).tolist()
    return least >= 0 and greatest < size


def check_features(features: Tensor, lengths: Tensor | None, size: int) -> None:
    """Refuse ``features`` that are not floats of shape (B, T, ``size``), finite on the real steps.

    Raises:
        ValueError: naming the first step that is not finite, or the shape.
    """
    check_tensors(inputs=features)
    if features.dim() != 3 or features.shape[2] != size or not features.is_floating_point():
        shape = f"(B, T, {size})"
        raise ValueError(f"inputs must be floats of shape {shape}, not {features.dtype} of shape {tuple(features.shape)}")
    wrong = real_only(~torch.isfinite(features), lengths).nonzero()
    if len(wrong):
        row, step, feature = wrong[0].tolist()
        raise ValueError(
            f"the input at row {row}, step {step} is {features[row, step, feature].item()}; features must be finite"
        )


def real_only(wrong: Tensor, lengths: Tensor | None) -> Tensor:
    """``wrong`` (B, T, ...), false behind each row's length; lengths that do not fit are refused."""
    if lengths is not None:
        check_lengths(lengths, wrong)
    return fill_padding(wrong, lengths)


def check_no_target_lengths(batch: Batch) -> None:
    """Refuse target lengths other than the lengths of the inputs, which have a target a step.

    Raises:
        ValueError: saying so.
    """
    if batch.target_lengths is not None:
        lengths = torch.full((len(batch.inputs),), batch.inputs.shape[1]) if batch.lengths is None else batch.lengths
        if not torch.equal(batch.target_lengths.long(), lengths.long()):
            raise ValueError("target_lengths must be the lengths here, where every step has a target: leave them out")


def real_targets(targets: Tensor, lengths: Tensor | None, size: int, name: str = "lengths") -> Tensor:
    """``targets`` (B, T), ``IGNORED`` behind each row's length; on the CPU each is checked to be one of 0..``size`` - 1.

    ``name`` is that of the lengths in an error.

    Raises:
        ValueError: for a target outside the vocabulary.
    """
    check_tensors(targets=targets)
    if lengths is not None and targets.dim() > 1:
        check_lengths(lengths, targets, name)
    targets = fill_padding(targets, lengths, IGNORED)
    if targets.device.type == "cpu":
        check_tokens("target", targets, size, also=IGNORED)
    return targets
