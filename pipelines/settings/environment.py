"""What the environment may lack: a name for the user, and a home."""

import getpass
import os
import tempfile


def user_name() -> str:
    """The name of the user, or the number where it has none, as in a container that runs under any number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the second from Python 3.13 on
        return str(os.getuid())


def complete_environment() -> None:
    """Have the libraries find a name and a home: many ask for both, and end where there is none."""
    os.environ.setdefault("LOGNAME", user_name())
    if not os.path.isdir(os.path.expanduser("~")):
        os.environ["HOME"] = tempfile.gettempdir()
