"""Write the hashes of a folder's files: ``python -m pipelines.digest FOLDER FILE.json``.

The digests of a report's runs lie in one folder, which the report can depend on as a whole. Nothing but the standard library is
imported: the command runs once after every evaluation.
"""

import hashlib
import json
import sys
from pathlib import Path


def digest(folder: Path, file: Path) -> None:
    """``file`` holds, by path, the SHA-256 of every file below ``folder``; it is written beside and renamed.

    Raises:
        FileNotFoundError: where there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder: give one that a stage has made, such as runs/dates/lstm")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    hashes = {path.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.tmp")
    try:
        partial.write_text(json.dumps(hashes, indent=2) + "\n", encoding="utf-8")
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


if __name__ == "__main__":
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(__doc__)
        sys.exit()
    if len(sys.argv) != 3:
        print(f"error: give a folder and a file, FOLDER FILE.json, not {' '.join(sys.argv[1:]) or 'nothing'}", file=sys.stderr)
        sys.exit(2)
    try:
        digest(*map(Path, sys.argv[1:]))
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
