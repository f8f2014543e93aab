"""Answer requests over HTTP by a finished run: ``python -m pipelines.serve run=runs/dates/lstm/1 port=5001``.

It is MLflow's scoring server in this process and environment. ``model=models:/ewt@best`` serves what the registry has in place
of a run's folder. A request is ``{"inputs": ["...", "..."], "params": {...}}``, sent to ``/invocations``; docs/serving.md has
one of each kind. Requests that are too large, or wrong, are refused with the reason. Ctrl-C ends it.
"""

import signal
import sys
from collections.abc import Sequence

from pydantic import Field, model_validator

from pipelines.runs.remarks import say_of_run
from pipelines.settings.base import Settings, validate
from pipelines.settings.compose import exit_on_user_error
from pipelines.settings.overrides import check_once, parse
from pipelines.settings.usage import keys_of
from rnn_lightning.hub import local_folder
from rnn_lightning.items.limits import LIMITS

NAMES = ("run=", "model=", "host=")
"""Words whose value is taken as it is written."""


class Serving(Settings):
    """What is served where, and how much of it at once."""

    run: str | None = Field(
        default=None, description="the folder of an evaluated run, such as runs/dates/gru/1, or hub:OWNER/NAME@REVISION"
    )
    model: str | None = Field(default=None, description="a model of the dashboard, such as models:/ewt@best")
    host: str = Field(default="127.0.0.1", description="the address to listen on; 0.0.0.0 is every one of this machine")
    port: int = Field(default=5001, ge=0, le=65_535)
    max_bytes: int = Field(default=8_000_000, ge=1)
    max_items: int = Field(default=LIMITS["max_items"], ge=1)
    max_steps: int = Field(default=LIMITS["max_steps"], ge=1)
    max_beam: int = Field(default=LIMITS["max_beam"], ge=1)

    @model_validator(mode="after")
    def _one_model(self) -> "Serving":
        if bool(self.run) == bool(self.model):
            raise ValueError("give either run=FOLDER, such as runs/dates/gru/1, or model=URI, such as models:/ewt@best")
        return self

    def limits(self) -> dict[str, int]:
        """What the model itself limits."""
        return {name: getattr(self, name) for name in LIMITS}


def read_words(arguments: Sequence[str]) -> Serving:
    """The settings KEY=VALUE of a command line.

    Raises:
        ValueError: for what is none, and one that is given twice.
    """
    check_once(arguments)
    given = dict(word.split("=", 1) for word in arguments if word.startswith(NAMES))
    others = [parse(word) for word in arguments if not word.startswith(NAMES)]
    return validate(Serving, given | {each.key_or_group: each.value() for each in others})


def serve(arguments: Sequence[str]) -> None:
    """Answer requests until the process is interrupted or ended."""
    settings = read_words(arguments)
    from pipelines.tracking.serving import ADDRESS, application, listening, opened, run_server

    opening = opened(settings.run, settings.model, settings.limits())
    with listening(settings.host, settings.port) as listener, opening as model:
        if settings.run:
            say_of_run(local_folder(settings.run))
        app = application(model, settings.max_bytes)
        host, port = listener.getsockname()[:2]
        shown = f"http://{f'[{host}]' if ':' in host else host}:{port}{ADDRESS}"
        print(f"{shown} answers by {settings.run or settings.model}; Ctrl-C ends it", file=sys.stderr, flush=True)
        run_server(app, listener)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # what is begun ends in order
    exit_on_user_error(lambda: serve(sys.argv[1:]), keys=lambda: keys_of(Serving), resumes=False)
