"""Requests to a model server: what one may be, and in one line why another is refused."""

import json
from collections.abc import Mapping
from typing import Any

from rnn_lightning.checks import LARGEST_NUMBER, is_whole, shown

EXAMPLE = '{"inputs": ["...", "..."]}'
KEYS = ("inputs", "params")
WORDS = {"long": "a whole number", "double": "a finite number", "boolean": "true or false", "string": "text"}
"""The types of parameters, and what a value of each is."""


def check_request(body: bytes, parameters: Mapping[str, str]) -> None:
    """Refuse what is no request: JSON of ``inputs``, a list of strings, and ``params``, which may be left out.

    Args:
        body: as it came.
        parameters: the types of those that the model takes, by name.

    Raises:
        ValueError: saying what came, and what is allowed.
    """
    request = read_body(body)
    if not isinstance(request, dict):
        raise ValueError(f"the request must be an object, {EXAMPLE}, not {shown(request)}")
    if unknown := [key for key in request if key not in KEYS]:
        raise ValueError(f"a request has inputs and params, and no {shown(unknown[0])}")
    inputs = request.get("inputs")
    if not isinstance(inputs, list):
        raise ValueError(f"inputs must be a list of strings, {EXAMPLE}, not {shown(inputs)}")
    for number, item in enumerate(inputs):
        if not isinstance(item, str):
            raise ValueError(f"inputs: item {number} must be a string, not {shown(item)}")
        if not is_text(item):
            raise ValueError(f"inputs: item {number} is no text: it has half of a surrogate pair")
    check_params(request.get("params", {}), parameters)


def is_text(value: Any) -> bool:
    """Whether a value is no string that JSON can write and UTF-8 cannot."""
    return not isinstance(value, str) or value.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in value)


def read_body(body: bytes) -> Any:
    """What the JSON of a request says.

    Raises:
        ValueError: where it is none.
    """
    if not body.strip():
        raise ValueError(f"the request is empty: send {EXAMPLE}")
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant, object_pairs_hook=_each_once)
    except UnicodeDecodeError as error:
        raise ValueError(f"the request is not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise ValueError(f"the request is nested too deeply: send {EXAMPLE}") from None
    except ValueError as error:
        raise ValueError(f"the request is no JSON: {error}") from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    once = dict(pairs)
    if len(once) < len(pairs):
        raise ValueError(f"a key is given twice; the keys are {', '.join(map(shown, once))}")
    return once


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no value of JSON")


def check_params(params: Any, parameters: Mapping[str, str]) -> None:
    """Refuse ``params`` that the model does not take, or not with these values; null leaves one as it is.

    Raises:
        ValueError: naming the first of them.
    """
    if not isinstance(params, dict):
        raise ValueError(f"params must be an object, not {shown(params)}")
    for name, value in params.items():
        if name not in parameters:
            known = f"only {', '.join(parameters)}" if parameters else "none at all"
            raise ValueError(f"params: this model takes no {shown(name)}, {known}")
        if not is_text(value):
            raise ValueError(f"params: {name} is no text: it has half of a surrogate pair")
        if value is not None and not _fits(value, parameters[name]):
            raise ValueError(f"params: {name} must be {WORDS[parameters[name]]}, not {shown(value)}")


def _fits(value: Any, kind: str) -> bool:
    if kind == "long":
        return type(value) is int and is_whole(value, -(2**63), 2**63 - 1)
    if kind == "double":
        return type(value) in (int, float) and abs(value) <= LARGEST_NUMBER
    return type(value) is (bool if kind == "boolean" else str)
