"""Names of metrics and parameters that come from data, in the letters that MLflow takes."""

import hashlib
import re

LONGEST = 250
"""Characters of a name, as MLflow has it."""
_REFUSED = re.compile(r"[^\w./: -]|_(?=U[0-9A-F]{4,6}_)")
_CODE = re.compile(r"_U([0-9A-F]{4,6})_")


def shown_name(name: str) -> str:
    """``name`` with each character that MLflow refuses as ``_U0028_``, its number in Unicode.

    A part between slashes that is empty or only dots is refused too. What is longer than MLflow's limit ends in a hash.
    """
    parts = _REFUSED.sub(_code, name).split("/")
    shown = "/".join(re.sub(r"\.", _code, part) if part in (".", "..") else part or "_U002F_" for part in parts)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 17]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def real_name(shown: str) -> str:
    """The name of which `shown_name` made ``shown``, unless that was longer than the limit or had an empty part."""
    return _CODE.sub(lambda found: chr(int(found[1], 16)), shown)


def _code(found: re.Match[str]) -> str:
    return f"_U{ord(found[0]):04X}_"
