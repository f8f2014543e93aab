"""Retries of a download: which failures are transient, and one line on those that are not."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from .corpus import CorpusError

Result = TypeVar("Result")
BUSY = (408, 425, 429)
"""HTTP statuses below 500 that are transient."""


class Source(Protocol):
    """What is downloaded, by its text, and how often it is tried with which first pause in seconds."""

    @property
    def tries(self) -> int: ...

    @property
    def wait(self) -> float: ...


def with_retries(action: Callable[[bool | None], Result], source: Source) -> Result:
    """Retry with exponential backoff: the result of ``action``, repeated while its error is transient.

    ``action`` receives whether the Hub answered at the last try, ``None`` at the first.
    """
    answered: bool | None = None
    for attempt in range(1, source.tries + 1):
        try:
            return action(answered)
        except Exception as error:
            cause = _network_failure(error)
            if cause is None or not _is_transient(cause):
                raise CorpusError(f"{source}: {_explanation(error)}") from error
            if attempt == source.tries:
                raise CorpusError(_unreachable(source, cause)) from error
            answered = _status(cause) is not None
            pause = source.wait * 2 ** (attempt - 1)
            log(f"{source}: {_first_line(cause)}; try {attempt + 1} of {source.tries} in {pause:g} s")
            time.sleep(pause)
    raise AssertionError("tries is at least 1")


def _network_failure(error: BaseException) -> BaseException | None:
    """The network error in the exception chain of ``error``, if there is one."""
    from huggingface_hub.errors import HfHubHTTPError

    transport = HfHubHTTPError.__mro__[1]  # the HTTP library's own base class; which library differs by version
    return next(
        (link for link in _exception_chain(error) if isinstance(link, transport | ConnectionError | TimeoutError)), None
    )


def _exception_chain(error: BaseException | None) -> Iterator[BaseException]:
    """``error`` and, in turn, the exceptions that each was raised from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_transient(failure: BaseException) -> bool:
    """Whether a retry may succeed: no answer, a server error, or a status of `BUSY`."""
    status = _status(failure)
    return status is None or status >= 500 or status in BUSY


def _status(failure: BaseException) -> int | None:
    """The HTTP status of the Hub's answer, ``None`` where it did not answer."""
    return getattr(getattr(failure, "response", None), "status_code", None)


def _explanation(error: Exception) -> str:
    """One line on a permanent failure."""
    from huggingface_hub.errors import RemoteEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

    known = {
        RevisionNotFoundError: "no such revision; revision must be a branch, a tag or a commit of that repository",
        RepositoryNotFoundError: "no such data set; repository must be ORGANISATION/NAME, public or open to your HF_TOKEN",
        RemoteEntryNotFoundError: "it has no README.md, so no data card to tell its licence",
    }
    for link in _exception_chain(error):
        for kind, text in known.items():
            if isinstance(link, kind):
                return text
    return _first_line(error)


def _unreachable(source: Source, cause: BaseException) -> str:
    """One line on a Hub that could not be reached in any try."""
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    return (
        f"{source}: not to be had from {endpoint} in {source.tries} tries ({_first_line(cause)}), nor whole in the cache; "
        "check the network, set HF_ENDPOINT to a mirror, or HF_HOME to a cache that has it"
    )


def _first_line(error: BaseException) -> str:
    """The first line of the error's message, cut to 300 characters."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].strip()[:300]


def log(line: str) -> None:
    """Print a line of progress to standard error."""
    print(f"fetch: {line}", file=sys.stderr, flush=True)
