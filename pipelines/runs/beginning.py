"""The first thing that a command does, with imports that take no time: it follows who started it."""

import os

STARTER = "PIPELINES_STARTER"
"""The variable that names the process which a command here has started another for, by its number."""
FOLLOWING = (STARTER, "DVC_STAGE", "LOCAL_RANK")
"""Variables of the processes that follow: ours, DVC's for its stages, Lightning's for its further processes."""


def follow_who_started() -> None:
    """Follow the starter if a variable of ``FOLLOWING`` says that a program was it."""
    if any(name in os.environ for name in FOLLOWING):
        from pipelines.runs.following import follow_starter

        follow_starter()
