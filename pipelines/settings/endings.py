"""How a command ends with an error that the user can mend: lines that say what came and what to do, and exit code 2."""

import errno
import os
import signal
import sys
from pathlib import Path

from rnn_lightning.leftovers import with_final_names

UNPRINTED = (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EFBIG)
"""How standard output fails: its reader has gone, or its disk is full or fails."""
ADVICE = {
    errno.EACCES: "is not permitted to this user: change its permissions, or name another place",
    errno.EPERM: "is not permitted to this user: change its permissions, or name another place",
    errno.EROFS: "lies on a disk that is read-only: name another place",
    errno.ENOSPC: "cannot be written, its disk is full: remove what is not needed, and run the command again",
    errno.EDQUOT: "cannot be written, this user's quota is used up: remove what is not needed, and run the command again",
    errno.ENOENT: "does not exist",
    errno.EISDIR: "is a folder where a file is needed: name a file, or move the folder",
    errno.ENAMETOOLONG: "has too long a name: name a shorter one",
}
"""What is wrong with a file of which the operating system says so, and what to do."""
NEEDS_FOLDER = "is a file where a folder is needed: move the file, or name another place"
LEADS_NOWHERE = "is a link to what does not exist: remove the link, or make what it leads to"


def end(error: BaseException) -> None:
    """End the command in lines that say what is wrong, if ``error`` is what the user can mend, and return if not."""
    _end_with_output(error)
    if isinstance(error, ValueError | OSError | FloatingPointError):
        for line in with_final_names(of_file(error) if isinstance(error, OSError) else str(error)).splitlines():
            print(f"error: {line}", file=sys.stderr)
        raise SystemExit(2) from None
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "allocate" in str(error)):  # as PyTorch says it
        advice = "take a smaller batch or network; trainer.memory_limit_gb refuses what is over it before it is begun"
        print(f"error: there is not enough memory: {advice}", file=sys.stderr)
        raise SystemExit(2) from None


def of_file(error: OSError) -> str:
    """What the operating system says of a file, in words and with what to do; an ``error`` of other words by these."""
    name = error.filename
    if not isinstance(name, str | os.PathLike) or error.errno is None:
        return str(error)
    path = Path(name)
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        above = next((each for each in (path, *path.parents) if os.path.lexists(each) and not each.is_dir()), None)
        if above is None:
            return f"{path}: {error.strerror}"
        return f"{above} {NEEDS_FOLDER if above.exists() else LEADS_NOWHERE}"
    return f"{path} {ADVICE[error.errno]}" if error.errno in ADVICE else f"{path}: {error.strerror}"


def _end_with_output(error: BaseException) -> None:
    """End the command if ``error`` is that it cannot print: silently where the reader has gone (``| head``), else in a line."""
    if not isinstance(error, OSError) or error.filename is not None or error.errno not in UNPRINTED:
        return
    try:
        os.write(sys.stdout.fileno(), b"\n")
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python still has to print
        if isinstance(error, BrokenPipeError):
            raise SystemExit(128 + signal.SIGPIPE) from None
        print(f"error: standard output cannot be written: {error.strerror}", file=sys.stderr)
        raise SystemExit(2) from None
