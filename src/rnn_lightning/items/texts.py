"""Items that a text stands for: values in JSON, and the bytes of a file in base64."""

import base64
import json
from typing import Any

from ..checks import shown


def from_json(text: str, wanted: str) -> Any:
    """What JSON says.

    Raises:
        ValueError: where ``text`` is no JSON, with what is ``wanted``.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"it is no JSON of {wanted}") from None


def from_base64(text: str) -> bytes:
    """The bytes of a file.

    Raises:
        ValueError: where ``text`` is not in base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError(f"a file is given by its bytes in base64, not by {shown(text)}") from None
