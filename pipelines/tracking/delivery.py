"""From a spool to the dashboard: each entry once, in order, whatever came of an earlier attempt."""

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from pipelines.tracking.record import Point, log_config, log_curves, log_data, log_files, log_images, log_metrics, log_model
from pipelines.tracking.runs import Superseded, begin, find_run, finish, mark_dead_runs_killed, set_tags
from pipelines.tracking.spool import Delivered, Entry, discard, lock_of, read_entries, run_of, waiting_files
from pipelines.tracking.store import store_uri

REFUSALS = {"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS", "INVALID_STATE"}
"""MLflow's words for what it will never take; anything else may go better another time."""


class NotYet(ConnectionError):
    """A run whose beginning waits in another spool."""


def deliver_all(own: Sequence[Path], tick: Callable[[], None]) -> tuple[int, dict[str, str | None]]:
    """Deliver every spool, oldest first: the ``own`` of this process, and those of processes that are gone, which it deletes.

    Returns how many entries that were, and by run its id in the dashboard. ``tick`` is called whenever the dashboard answers.

    Raises:
        Exception: whatever a store, a disk or a network may raise; what is delivered by then is noted.
    """
    count, ids, left, early = 0, {}, False, None
    for file in sorted({*own, *waiting_files()}, key=lambda file: int(file.stem.partition("-")[0])):
        lock = None if file in own else lock_of(file)
        if lock is None and file not in own:
            continue
        try:
            delivered, ids[run_of(file)] = deliver(file, tick)
            count += delivered
            if lock is not None:
                discard(file)
                left = True
        except NotYet as error:
            early = error
        finally:
            if lock is not None:
                os.close(lock)
    if left:
        mark_dead_runs_killed()
    if early:
        raise early
    return count, ids


def deliver(file: Path, tick: Callable[[], None]) -> tuple[int, str | None]:
    """Tell the dashboard what a spool has that it does not know; returns how much that was, and the id of the run there.

    An entry that MLflow refuses for what it says costs a line on stderr.
    """
    store = hashlib.sha256(store_uri().encode()).hexdigest()[:16]
    done, count = Delivered.of(file, store), 0
    for batch in _batches(read_entries(file, done.following)):
        following, run_id = batch[-1].number + 1, done.run_id
        try:
            run_id = _tell(batch, run_id, file)
        except Superseded:
            following = sys.maxsize
        except Exception as error:
            if not _is_refusal(error):
                raise
            print(f"warning: the dashboard refuses {batch[0].action} of {file.name}: {_line(error)}", file=sys.stderr)
        done = Delivered(following, run_id)
        done.keep(file, store)
        count += len(batch)
        tick()
        if following == sys.maxsize:
            break
    return count, done.run_id


def _batches(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The entries in order, those of curves that follow each other together."""
    grouped = groupby(entries, lambda entry: entry.action == "log_curves")
    return [batch for curves, some in grouped for batch in ([list(some)] if curves else [[entry] for entry in some])]


def _tell(batch: Sequence[Entry], run_id: str | None, file: Path) -> str:
    """Perform the action of a batch; returns the id of its run."""
    first = batch[0]
    if first.action == "begin":
        return _begin(first, file)
    run_id = run_id or _found(run_of(file), file)
    _ACTIONS[first.action](run_id, batch)
    return run_id


def _begin(entry: Entry, file: Path) -> str:
    arguments = dict(entry.arguments)
    parent = arguments.pop("parent")
    if parent:
        arguments["tags"] |= {"mlflow.parentRunId": _found(parent, file)}
    return begin(entry.at, **arguments)


def _found(run: str, file: Path) -> str:
    """The id of a run that an earlier entry began.

    Raises:
        NotYet: where that entry waits in another spool.
        LookupError: where there is no such run, and none to come.
    """
    run_id = find_run(run)
    if run_id is not None:
        return run_id
    if any(run_of(other) == run for other in waiting_files() if other != file):
        raise NotYet(f"the run {run} is not in the dashboard yet")
    raise LookupError(f"the dashboard has no run {run}")


def _is_refusal(error: Exception) -> bool:
    from mlflow.exceptions import MlflowException

    return isinstance(error, (LookupError, TypeError)) or (isinstance(error, MlflowException) and error.error_code in REFUSALS)


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _log_curves(run_id: str, batch: Sequence[Entry]) -> None:
    points = [Point(metric, step, value, entry.at) for entry in batch for metric, step, value in entry.arguments["points"]]
    log_curves(run_id, points)


def _log_files(run_id: str, files: Sequence[str], folder: str | None) -> None:
    """Attach the files that are still there."""
    log_files(run_id, [path for path in map(Path, files) if path.exists()], folder)


def _log_model(run_id: str, arguments: dict[str, Any]) -> None:
    """Store the model, unless a later one has taken its folder."""
    files = {name: Path(path) for name, path in arguments["files"].items()}
    if all(path.exists() for path in files.values()):
        log_model(run_id, **{**arguments, "served": Path(arguments["served"]), "files": files})


_ACTIONS: dict[str, Callable[[str, Sequence[Entry]], None]] = {
    "log_curves": _log_curves,
    "log_metrics": lambda run_id, batch: log_metrics(run_id, batch[0].arguments["metrics"], batch[0].at),
    "log_data": lambda run_id, batch: log_data(run_id, batch[0].arguments["card"]),
    "log_config": lambda run_id, batch: log_config(run_id, batch[0].arguments["config"]),
    "log_images": lambda run_id, batch: log_images(run_id, batch[0].arguments["files"]),
    "log_files": lambda run_id, batch: _log_files(run_id, **batch[0].arguments),
    "log_model": lambda run_id, batch: _log_model(run_id, batch[0].arguments),
    "set_tags": lambda run_id, batch: set_tags(run_id, batch[0].arguments["tags"]),
    "finish": lambda run_id, batch: finish(run_id, batch[0].at, **batch[0].arguments),
}
