"""What pydantic refuses, in the words of this project: which key, what it must be, and what came."""

from collections.abc import Mapping, Sequence
from typing import Any

from rnn_lightning.checks import shown

TYPES = {"integer": "a whole number", "number": "a number", "string": "text", "boolean": "true or false", "null": "null"}
TYPES |= {"array": "[a, b, ...]", "object": "{key: value, ...}"}
"""What a value may be, by its type in a schema of JSON."""
BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
"""The bounds of a number, by their names in a schema of JSON."""
REFUSED = {
    **dict.fromkeys(("int_type", "int_from_float", "int_parsing"), TYPES["integer"]),
    **dict.fromkeys(("float_type", "float_parsing"), TYPES["number"]),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "sequence_str"), TYPES["array"]),
    **dict.fromkeys(("dict_type", "mapping_type", "model_type", "model_attributes_type"), TYPES["object"]),
    **{"bool_type": TYPES["boolean"], "bool_parsing": TYPES["boolean"], "string_type": TYPES["string"]},
    **{"finite_number": "a finite number", "none_required": TYPES["null"], "literal_error": "{expected}"},
    **{"greater_than_equal": "at least {ge}", "greater_than": "above {gt}"},
    **{"less_than_equal": "at most {le}", "less_than": "below {lt}"},
}
"""What a value must be, by pydantic's name of the error; what is in braces is in the context of that."""
LENGTHS = {"too_short": "{min_length} or more", "too_long": "{max_length} or fewer"}
"""How many entries a list must have, likewise."""


def refusal(place: Sequence[str | int], errors: Sequence[Mapping[str, Any]], called: str | None = None) -> str:
    """The line on a value that pydantic refuses: with one error, or with one for each type that it may have.

    Args:
        place: the keys above each other that have the value, and numbers of entries of lists.
        called: what the line calls it; none: by its place.
    """
    value: Any = errors[0]["input"]
    key = called or ".".join(map(str, place))
    words = [_allowed(error) for error in errors]
    known = [word for word in words if word is not None]
    if len(known) < len(words):
        return f"{key}: {'; or '.join(dict.fromkeys(error['msg'] for error in errors))} (got {shown(value)})"
    if errors[0]["type"] in LENGTHS:
        return f"{key} must have {known[0]} entries, not {len(value)}"
    is_text = known == ["text"] and type(value) in (int, float, bool)
    advice = f': quote it, as in "{_quoted(place, value)}"' if is_text else ""
    return f"{key} must be {' or '.join(dict.fromkeys(known))}, not {shown(value)}{advice}"


def _quoted(place: Sequence[str | int], value: Any) -> str:
    """How a command line sets a text: an entry of a list with the whole list, since entries have no keys there."""
    ends = next((number for number, part in enumerate(place) if isinstance(part, int)), len(place))
    text = f"'{value}'"
    for part in reversed(place[ends:]):
        text = f"[{text}]" if isinstance(part, int) else f"{{{part}: {text}}}"
    return f"{'.'.join(map(str, place[:ends]))}={text}"


def _allowed(error: Mapping[str, Any]) -> str | None:
    """What a value must be that an ``error`` of pydantic's is of; ``None`` for one that brings words of its own."""
    form = (REFUSED | LENGTHS).get(error["type"])
    bounds = {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in error.get("ctx", {}).items()
    }
    return None if form is None else form.replace(TYPES["object"], f"{{{TYPES['object']}}}").format(**bounds)
