"""Write the hashes of a folder's files: ``python -m pipelines.digest FOLDER FILE.json``.

The digests of a report's runs lie in one folder, which the report can depend on as a whole. Nothing but the standard library is
imported: the command runs once after every evaluation.
"""

import hashlib
import json
import sys
from pathlib import Path


def digest(folder: Path, file: Path) -> None:
    """``file`` holds, by path, the SHA-256 of every file below ``folder``."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    hashes = {path.as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(hashes, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("error: give FOLDER and FILE.json")
    digest(*map(Path, sys.argv[1:]))
