"""A sweep whose trials run in its own process, in a project's folder: ``python -m inline_sweep``, for `faults`."""

import signal
import sys
from collections.abc import Collection
from pathlib import Path

from pipelines.settings.compose import exit_on_user_error
from pipelines.sweep import sweep
from pipelines.sweeping import outcome, runner, settings
from pipelines.sweeping.engines import Engine, Job
from pipelines.sweeping.trial import TrialSpec, run_trial

GRID = "space:\n  task.training.clip: {choices: [0.5, 1.0]}\nsampler: {name: grid}\npruner: {name: none}\n"


class Inline(Engine):
    """A trial is over when it is started."""

    def start(self, spec: TrialSpec) -> Job:
        handler = signal.getsignal(signal.SIGINT)
        run_trial(spec)
        signal.signal(signal.SIGINT, handler)
        return Job(lambda: False, lambda: "stopped, and said why", None)

    def wait(self, jobs: Collection[Job], seconds: float) -> None:
        """All are over."""

    def end(self, jobs: Collection[Job]) -> None:
        """None is left."""


if __name__ == "__main__":
    outcome.CONF = settings.CONF = Path.cwd() / "swept"
    runner.make_engine = lambda *_: Inline()
    exit_on_user_error(lambda: sweep(sys.argv[1:]))
