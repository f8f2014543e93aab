"""Settings of encoder-decoders: losses, scheduled sampling, and tokens that both sides share."""

from collections.abc import Mapping
from typing import Any

from ..checks import check_counts, check_number, check_probability, shown


def check_losses(label_smoothing: float, coverage_loss: float, *, copying: Any, attention: Any) -> None:
    """Refuse numbers outside their ranges, and losses of what is not there."""
    check_probability("label_smoothing", label_smoothing)
    check_number("coverage_loss", coverage_loss, least=0)
    if coverage_loss and attention is None:
        raise ValueError("coverage_loss counts what attention looks at: it needs an attention, not None")
    if label_smoothing and copying is not None:
        raise ValueError("label_smoothing gives each token a share, also those that cannot be copied: leave it or copying out")


def check_same_tokens(vocab_size: int | None, target_vocab_size: int, *, shared: bool, copying: Any, end: int) -> None:
    """Refuse what needs the same tokens on both sides where they differ, and unknown words that are read as ``end``."""
    if copying is not None and copying["unknown"] == end:
        raise ValueError(f"copying.unknown must be the token of unknown words, not {end}, which ends a target")
    for needed, what in ((shared, "shared embeddings need"), (copying is not None, "copying needs")):
        if needed and vocab_size != target_vocab_size:
            raise ValueError(f"{what} the same tokens on both sides, not {vocab_size} and {target_vocab_size}")


def check_sampling(settings: dict[str, float] | None) -> dict[str, float] | None:
    """Refuse a scheduled sampling that is not ``{"probability": 0..1, "steps": 1..}``."""
    if settings is None:
        return None
    if not isinstance(settings, Mapping) or set(settings) != {"probability", "steps"}:
        raise ValueError(f"scheduled_sampling must be {{'probability': 0..1, 'steps': at least 1}}, not {shown(settings)}")
    check_number("scheduled_sampling.probability", settings["probability"], least=0, most=1)
    steps: dict[str, Any] = {"scheduled_sampling.steps": settings["steps"]}
    check_counts(**steps)
    return settings
