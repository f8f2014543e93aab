"""Files of a corpus: its splits as arrays, and what was fetched, checked against the note that was made of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import files
from ..files import sha256, write_arrays
from .corpus import CorpusError, Pairs, Stream, to_arrays

SOURCE = "source.json"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of a corpus.

    Raises:
        CorpusError: where the file is missing or no JSON object.
    """
    try:
        return files.read_json(path)
    except (OSError, ValueError) as error:
        raise CorpusError(f"cannot read {path}: {' '.join(str(error).split())}") from error


def write_split(path: Path, split: Stream | Pairs) -> None:
    """Write the arrays under their field names; equal arrays give equal bytes."""
    write_arrays(path, to_arrays(split))


def verified_source(raw: Path, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What ``fetch`` noted in ``raw``, after a check that it is what was ``asked`` for, and of every file's hash against it.

    Raises:
        CorpusError: where another corpus was fetched, a file is missing or its bytes have changed.
    """
    source = read_json(raw / SOURCE)
    for name, value in asked.items():
        if source.get(name) != value:
            raise CorpusError(f"{raw / SOURCE} has {name} {source.get(name)!r}, not {value!r}; fetch the corpus again")
    for name, expected in source["files"].items():
        path = raw / name
        if not path.exists():
            raise CorpusError(f"{path} is missing; fetch the corpus again")
        if (got := sha256(path)) != expected:
            raise CorpusError(f"{path} is damaged: its SHA-256 is {got}, {SOURCE} says {expected}; fetch it again")
    return source
