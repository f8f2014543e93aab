"""The dashboard: the only room that knows MLflow.

Everything shown there is also a file of a run's folder, so the dashboard may be deleted and filled again by publishing.
MLflow takes seconds to import: no module here does so before it is asked to.
"""

from pipelines.tracking.record import (
    is_newest,
    lightning_logger,
    log_curves,
    log_data,
    log_files,
    log_metrics,
    log_model,
    log_training,
    name_newest,
    tags_of_alias,
)
from pipelines.tracking.runs import finish, mark_dead_runs_killed, recording, set_tags, start_run, warn_if_tracking_fails
from pipelines.tracking.store import open_experiment, open_store
from pipelines.tracking.tasks import describe_task

__all__ = [
    "describe_task",
    "finish",
    "is_newest",
    "lightning_logger",
    "log_curves",
    "log_data",
    "log_files",
    "log_metrics",
    "log_model",
    "log_training",
    "mark_dead_runs_killed",
    "name_newest",
    "open_experiment",
    "open_store",
    "recording",
    "set_tags",
    "start_run",
    "tags_of_alias",
    "warn_if_tracking_fails",
]
