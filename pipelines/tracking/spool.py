"""What waits for the dashboard: files of JSON lines that are only added to, one for each process and run.

A file is named after when it was begun, so that files in the order of their names are in the order of the work. The process
that writes one holds a lock on it; a file whose lock is free is of a process that is gone, and anyone may deliver it.
"""

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

from rnn_lightning.files import flush, read_json

FOLDER = Path("work/tracking")


class Entry(NamedTuple):
    """One thing to tell: its number in the file, when it happened (ms), which action, and the action's arguments."""

    number: int
    at: int
    action: str
    arguments: dict[str, Any]


class Spool:
    """The file to which this process writes what the dashboard is to know of one run."""

    def __init__(self, run: str) -> None:
        self.file = (FOLDER / f"{time.time_ns()}-{run}.jsonl").absolute()
        self._handle: int | None = None
        self._count = 0
        self._unwritten = b""

    def write(self, action: str, arguments: dict[str, Any]) -> None:
        """Add an entry.

        Raises:
            OSError: where the disk does not take it; the next entry that it takes brings this one along.
        """
        entry = {"number": self._count, "at": int(time.time() * 1000), "action": action, "arguments": arguments}
        self._count += 1
        self._unwritten += json.dumps(entry).encode() + b"\n"
        if self._handle is None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        waiting, self._unwritten = self._unwritten, b"\n" + self._unwritten  # a line that is written in part is ended first
        while waiting:
            waiting = waiting[os.write(self._handle, waiting) :]
        self._unwritten = b""

    def sync(self) -> None:
        """Have the system put all entries on the disk."""
        if self.file.exists():
            flush(self.file)

    def close(self) -> None:
        """Free the lock: the file is anyone's to deliver."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def run_of(file: Path) -> str:
    """The run that a spool is about."""
    return file.stem.partition("-")[2]


def waiting_files() -> list[Path]:
    """The spools of this project, oldest first."""
    return sorted(FOLDER.absolute().glob("*.jsonl"), key=lambda file: (len(file.name), file.name))


def read_entries(file: Path, first: int = 0) -> list[Entry]:
    """The entries from number ``first`` on; a line that a process did not live to finish is none."""
    entries = {}
    for line in file.read_bytes().split(b"\n")[:-1]:
        try:
            entry = Entry(**json.loads(line))
        except (ValueError, TypeError):
            continue
        entries[entry.number] = entry
    return [entry for number, entry in sorted(entries.items()) if number >= first]


class Delivered(NamedTuple):
    """How far a spool is delivered to a store: the number of the next entry, and the id of the run there."""

    following: int = 0
    run_id: str | None = None

    @classmethod
    def of(cls, file: Path, store: str) -> "Delivered":
        """What the note beside the spool says; nothing is delivered where it is missing, damaged or of another ``store``."""
        try:
            noted = read_json(_note(file))
            return cls(int(noted["following"]), noted["run_id"]) if noted["store"] == store else cls()
        except (OSError, ValueError, KeyError):
            return cls()

    def keep(self, file: Path, store: str) -> None:
        """Note it beside the spool; without the note entries are delivered again, which changes nothing."""
        partial = _note(file).with_suffix(".partial")
        partial.write_text(json.dumps({"following": self.following, "run_id": self.run_id, "store": store}))
        partial.replace(_note(file))


def discard(file: Path) -> None:
    """Delete a spool that is delivered."""
    file.unlink(missing_ok=True)
    _note(file).unlink(missing_ok=True)


def _note(file: Path) -> Path:
    return file.with_suffix(".delivered")


def lock_of(file: Path) -> int | None:
    """A lock on the spool of a process that is gone; ``None`` where another process has it, or the file is gone."""
    try:
        handle = os.open(file, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
