"""The dashboard: the only room that knows MLflow.

What the stages tell it is written to a spool (`spool`) and delivered on another thread (`courier`): a dashboard that is away,
slow, locked or full decides nothing, and has all of it once it answers again. Everything shown there is also a file of a run's
folder, so the dashboard may be deleted and filled again by publishing.
MLflow takes seconds to import: no module here does so before it is asked to.
"""

from pipelines.tracking.courier import deliver_waiting, flush, held_back, shown_as
from pipelines.tracking.recording import (
    finish,
    lightning_logger,
    log_config,
    log_curves,
    log_data,
    log_files,
    log_images,
    log_metrics,
    log_model,
    log_training,
    recording,
    set_tags,
    start_run,
)
from pipelines.tracking.runs import mark_dead_runs_killed
from pipelines.tracking.store import open_experiment, open_store
from pipelines.tracking.tasks import runs_shown, task_tags

__all__ = [
    "deliver_waiting",
    "finish",
    "flush",
    "held_back",
    "lightning_logger",
    "log_config",
    "log_curves",
    "log_data",
    "log_files",
    "log_images",
    "log_metrics",
    "log_model",
    "log_training",
    "mark_dead_runs_killed",
    "open_experiment",
    "open_store",
    "recording",
    "runs_shown",
    "set_tags",
    "shown_as",
    "start_run",
    "task_tags",
]
