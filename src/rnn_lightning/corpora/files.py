"""Files of a corpus: its splits as arrays, and the check of raw files against the hashes in ``source.json``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import files
from ..archives import write_arrays
from ..files import SUMS, DamagedError, check_sums, sha256
from .corpus import CorpusError, Split, to_arrays

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


def write_split(path: Path, split: Split) -> None:
    """Write the arrays of a split under their field names; equal arrays give equal bytes."""
    write_arrays(path, to_arrays(split))


def verified_source(raw: Path, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The content of ``source.json`` in ``raw``, checked against ``spec``, and every file's SHA-256 checked against it.

    Raises:
        CorpusError: where another corpus was fetched, a file is missing or its bytes have changed.
    """
    if not (raw / SOURCE).exists():
        raise CorpusError(f"{raw} has no data: fetch the corpus first")
    try:
        if (raw / SUMS).exists():
            check_sums(raw, again="fetch the corpus again")
    except DamagedError as error:
        raise CorpusError(str(error)) from None
    source = read_json(raw / SOURCE)
    for name, value in spec.items():
        if source.get(name) != value:
            raise CorpusError(f"{raw / SOURCE} has {name} {source.get(name)!r}, not {value!r}; fetch the corpus again")
    for name, expected in source["files"].items():
        path = raw / name
        if not path.exists():
            raise CorpusError(f"{path} is missing; fetch the corpus again")
        if (actual := sha256(path)) != expected:
            raise CorpusError(f"{path} is damaged: its SHA-256 is {actual}, {SOURCE} says {expected}; fetch it again")
    return source
