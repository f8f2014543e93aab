"""Text files, JSON or YAML, that state their own SHA-256 in a line: what has changed in them is found when they are read."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rnn_lightning.checks import shown
from rnn_lightning.files import DamagedError, read_json, write_text

KEY = "sha256"
OPEN = "0" * 64
"""The value of `KEY` in a text that is not sealed yet."""
LINE = re.compile(rb"""^ *"?sha256"?: ["']?([0-9a-f]{64})["']?,?\n""", re.MULTILINE)
BY_HAND = f"if it was changed by hand, take out its line {KEY}"


def write_sealed(path: Path, text: str) -> None:
    """Write ``text``, which has the value `OPEN` for `KEY` in a line of its own: the hash is that of all its bytes so."""
    write_text(path, text.replace(OPEN, hashlib.sha256(text.encode()).hexdigest(), 1))


def check_seal(path: Path, *, again: str) -> bool:
    """Whether the file states its SHA-256, which then is that of its bytes; files of earlier versions state none.

    Args:
        again: what makes the file again, for the message.

    Raises:
        DamagedError: where it states another one, or the name of it is not in a line as it was written.
    """
    text = path.read_bytes()
    stated = LINE.search(text)
    if stated is None:
        if KEY.encode() in text:
            raise DamagedError(f"{path} is damaged, its {KEY} is not in a line of its own: {again}; {BY_HAND}")
        return False
    actual = hashlib.sha256(text[: stated.start(1)] + OPEN.encode() + text[stated.end(1) :]).hexdigest()
    if actual.encode() != stated[1]:
        named = f"its SHA-256 is {actual[:12]}... and it says {stated[1][:12].decode()}..."
        raise DamagedError(f"{path} is damaged, {named}: {again}; {BY_HAND}")
    return True


def check_keys(path: Path, content: Mapping[str, Any], known: Iterable[str], *, sealed: bool, again: str) -> None:
    """Refuse a key that nothing writes, which may be a damaged `KEY`.

    Raises:
        DamagedError: naming the key.
    """
    if unknown := set(content) - set(known) - ({KEY} if sealed else set()):
        raise DamagedError(f"{path} is damaged, it has the key {shown(min(unknown, key=str))}, which nothing writes: {again}")


def read_sealed(path: Path, known: Iterable[str], *, again: str) -> dict[str, Any]:
    """The JSON object in a file that may state its SHA-256, without that; it has no keys but those ``known``.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where it is damaged, or no JSON object.
    """
    sealed = check_seal(path, again=again)
    try:
        content = read_json(path)
    except ValueError as error:
        raise DamagedError(f"{path} is damaged: {error}; {again}") from None
    check_keys(path, content, known, sealed=sealed, again=again)
    return {key: value for key, value in content.items() if key != KEY}
