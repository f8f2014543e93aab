"""Files that the settings of a search name: their content is part of the settings, so that another one makes another run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnn_lightning.files import sha256


def with_content(search: Mapping[str, Any]) -> dict[str, Any]:
    """The ``search`` of a test, in which ``fusion`` has the SHA-256 of its ``arpa`` file; as it is where it has one already, or
    there is no such file."""
    fusion = search.get("fusion")
    if not isinstance(fusion, Mapping) or "sha256" in fusion or not _is_file(fusion.get("arpa")):
        return dict(search)
    return {**search, "fusion": {**fusion, "sha256": sha256(Path(fusion["arpa"]))}}


def check_content(key: str, fusion: Mapping[str, Any]) -> None:
    """Refuse the ``arpa`` file of a ``fusion`` that is no file, or another one than its ``sha256`` says.

    Raises:
        ValueError: naming ``key`` and the file.
    """
    if not _is_file(file := fusion["arpa"]):
        raise ValueError(f"{key}.arpa must be a file in the ARPA format, and {file} is no file")
    known, now = fusion.get("sha256"), sha256(Path(file))
    if known not in (None, now):
        advice = "give that file, or leave sha256 out"
        raise ValueError(f"{key}.arpa: {file} has the SHA-256 {now[:12]}..., and {str(known)[:12]}... is asked for: {advice}")


def _is_file(name: Any) -> bool:
    return isinstance(name, str) and Path(name).is_file()
