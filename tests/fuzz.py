"""Wrong values for single arguments of the calls, and what a call makes of one: fine, clear, obscure, silent or a hang."""

import inspect
import math
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import torch
from calls import Call
from torch import Tensor

from rnn_lightning.laws import LawBroken


def nothing(*_: Any) -> None:
    """A function that answers nothing."""


ODD: tuple[Any, ...] = (
    math.nan,
    math.inf,
    -math.inf,
    -1,
    0,
    1,
    1.5,
    10**12,
    10**30,
    10**400,
    1e300,
    "no",
    "3",
    "",
    True,
    False,
    None,
)
ODD += ([], {}, (), b"x", [1, "a"], {"name": "none"}, [math.nan], object(), torch.tensor(2), torch.zeros(0), nothing)
FILLINGS: tuple[Any, ...] = (math.nan, math.inf, -math.inf, -1, 10**9, 1e38, 0)
CLEAR = (ValueError, TypeError, FloatingPointError, LawBroken)
SECONDS = 20
STEP_OF_A_TEST = "step"
OTHER_NAMES = {
    "given": "batch",
    "state": "rows|state",
    "batch": "batch|target|input|token",
    "lengths": "length",
    "required": "phrase",
    "phrases": "phrase",
    "prefixes": "prefix|length",
    "sequences": "sequence|token",
    "scheme": "scheme|tag",
    "system": "system|vocab_size",
    "parameters": "parameters|budget",
    "settings": "normalisation",
    "inputs": "input|token|word|character|emission|length",
    "sources": "token|length|input",
    "prompt": "prompt|token",
    "targets": "target|label",
    "target_lengths": "target_lengths|target",
    "log_probs": "log_prob|length|target|blank",
    "emissions": "emission|length|tags",
    "tokens": "token|length|state",
    "steps": "step",
    "first": "first|state|sentence|step",
    "predicted": "tags|predicted|length",
    "gold": "tags|gold|length",
    "rnn": "rnn|hidden_size|encoder",
    "tags": "tag",
    "num_tags": "tags|num_tags|constraints",
    "num_classes": "class",
    "characters": "character",
    "num_characters": "character",
    "input_size": "input_size|standardize|features",
    "vocab_size": "vocab_size|token|end",
    "constraints": "constraints",
    "max_length": "max_length|min_length|limit",
    "beam_size": "beam_size|groups|n_best",
    "seed": "seed",
    "standardize": "std|standardize",
    "n_best": "n_best|beam",
    "fusion": "fusion|language|step",
    "rules": "rule",
    "end": "end",
    "folder": "folder|missing|npz",
}


class Hang(BaseException):
    """A call took longer than ``SECONDS``."""


def wrong_values(value: Any, draws: Random) -> Any:
    """Something that stands where ``value`` should."""
    if isinstance(value, Tensor) and draws.random() < 0.8:
        return changed(value, draws)
    return draws.choice(ODD)


def changed(value: Tensor, draws: Random) -> Tensor:
    """``value`` with other numbers in some places, of another type, or of another shape."""
    way = draws.choice(["fill", "place", "dtype", "shape"])
    if way == "dtype":
        return value.to(draws.choice([torch.bool, torch.int32, torch.uint8, torch.float32, torch.bfloat16, torch.complex64]))
    if way == "shape":
        forms = [value.unsqueeze(0), value[:1], value[:0], value.flatten(), value[..., :-1], torch.cat([value, value])]
        return draws.choice([*forms, value.unsqueeze(-1), value.sum()])
    filling = draws.choice(FILLINGS)
    if not value.is_floating_point() and not math.isfinite(filling):
        return value.to(torch.float32) * filling
    number = int(min(filling, 2**62)) if not value.is_floating_point() else filling
    if way == "fill":
        return torch.full_like(value, number)
    return value.flatten().index_fill(0, torch.tensor([draws.randrange(max(value.numel() // 2, 1))]), number).view_as(value)


def outcome(name: str, call: Call, argument: str, value: Any) -> tuple[str, str]:
    """What becomes of ``call`` with ``value`` for ``argument``, and in words."""
    try:
        with bounded():
            result = call(**{argument: value})
    except Hang:
        return "hang", "no answer"
    except CLEAR as error:
        text = str(error)
        named = any(part in text for part in OTHER_NAMES.get(argument, argument).split("|"))
        clear = named and "\n" not in text and len(text) < 400
        return ("clear" if clear else "obscure"), f"{type(error).__name__}: {text}"
    except Exception as error:
        if STEP_OF_A_TEST in {frame.name for frame in traceback.extract_tb(error.__traceback__)[-1:]}:
            return "fine", ""  # a state that fits the batch, but not the model of the test
        return "obscure", f"{type(error).__name__}: {error}"
    reason = nonsense(name, call, argument, value, result)
    return ("silent", reason) if reason else ("fine", "")


def nonsense(name: str, call: Call, argument: str, value: Any, result: Any) -> str:
    """Why ``value`` should have been refused, or why ``result`` is no answer; empty where all is well."""
    right = call.arguments[argument]
    parameter = inspect.signature(call.function).parameters.get(argument)
    if value is None and parameter is not None and (parameter.default is None or "None" in str(parameter.annotation)):
        return ""
    if isinstance(right, Tensor):
        if not isinstance(value, Tensor) or value.is_floating_point() != right.is_floating_point() or value.dtype == torch.bool:
            return "another type was taken"
    elif right is not None and not callable(right) and wrong_type(right, value):
        return f"{value!r:.50} was taken"
    broken = any(bool(part.isnan().any()) for part in tensors(result))
    if any(not bool(part.isfinite().all()) for part in tensors(value)):  # what is not finite may stay so, where it shows
        vanished = bool(value.isnan().any()) and all(bool(part.isfinite().all()) for part in tensors(result))
        return "NaN has vanished" if vanished else ""
    return "the answer is NaN" if broken else ""


def wrong_type(right: Any, value: Any) -> bool:
    """Whether ``value`` is of another kind than ``right``, or a number that is not finite or no possible size."""
    if isinstance(right, bool) or isinstance(value, bool):
        return type(right) is not type(value)
    if isinstance(value, Tensor):
        return value.is_floating_point()
    if isinstance(right, int):
        return not isinstance(value, int) or value < 0 or value > 2**63
    if isinstance(right, float):
        return not isinstance(value, int | float) or not math.isfinite(value)
    if isinstance(right, list | tuple):
        return not isinstance(value, list | tuple)
    return isinstance(right, str | dict) and not isinstance(value, type(right))


def tensors(result: Any) -> Iterator[Tensor]:
    """The floating-point tensors in ``result``, if it is one or a tuple of them."""
    if isinstance(result, Tensor) and result.is_floating_point():
        yield result
    elif isinstance(result, tuple):
        for part in result:
            yield from tensors(part)


@contextmanager
def bounded() -> Iterator[None]:
    """A block that is ended after ``SECONDS``."""

    def end(*_: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
