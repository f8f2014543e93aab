"""Names in the dashboard: of metrics and parameters that come from data, in MLflow's letters; of tags that nobody reads."""

import hashlib
import re
from collections.abc import Mapping

LONGEST = 250
"""Characters of a name, as MLflow has it."""
HIDDEN = {"host", "pid", "pid_born", "stage", "place", "fingerprint", "commit", "dvc_lock"}
"""Tags that are no columns of tables: what a run is found by, and what the dashboard shows elsewhere."""
PREFIX = "mlflow.pipelines."
"""MLflow shows no tag whose name begins with its own."""
_REFUSED = re.compile(r"[^\w./: -]|_(?=U[0-9A-F]{4,6}_)")
_CODE = re.compile(r"_U([0-9A-F]{4,6})_")


def shown_name(name: str) -> str:
    """``name`` with each character that MLflow refuses as ``_U0028_``, its number in Unicode.

    A part between slashes that is empty or only dots is refused too. What is longer than MLflow's limit ends in a hash.
    """
    parts = _REFUSED.sub(_code, name).split("/")
    shown = "/".join(re.sub(r"\.", _code, part) if part in (".", "..") else part or "_U002F_" for part in parts)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 17]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def hidden(tags: Mapping[str, str]) -> dict[str, str]:
    """The ``tags``, those that nobody reads by names that MLflow does not show."""
    return {f"{PREFIX}{key}" if key in HIDDEN else key: value for key, value in tags.items()}


def tag(tags: Mapping[str, str], name: str) -> str | None:
    """A tag of a run in the dashboard, which an earlier version may have shown."""
    return tags.get(f"{PREFIX}{name}", tags.get(name))


def real_name(shown: str) -> str:
    """The name of which `shown_name` made ``shown``, unless that was longer than the limit or had an empty part."""
    return _CODE.sub(lambda found: chr(int(found[1], 16)), shown)


def _code(found: re.Match[str]) -> str:
    return f"_U{ord(found[0]):04X}_"
