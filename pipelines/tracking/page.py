"""The dashboard's page at a first visit: runs and models in the sidebar, each task's runs best first, no assistant in the way.

``mlflow ui --app-name rnn`` serves it. MLflow keeps what a visitor has chosen in the browser; what has not been chosen yet is
given here before its own script begins.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.tracking.tasks import STATE

if TYPE_CHECKING:
    from fastapi import FastAPI
    from flask import Response

CHOSEN = {
    "mlflow.workflowType_v1": "machine_learning",
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,
}
"""What the browser keeps under MLflow's keys: the sidebar is of models and not of chats, and the assistant has been seen."""
SCRIPT = """<script>
for (const [key, value] of Object.entries({chosen})) if (localStorage.getItem(key) === null) localStorage.setItem(key, value);
if (!location.hash) location.replace("#/experiments");
</script>"""


def create_app() -> "FastAPI":
    """MLflow's server with that page in the place of its own."""
    from mlflow.server import app
    from mlflow.server.fastapi_app import create_fastapi_app

    app.view_functions["serve"] = page
    return create_fastapi_app(app)


def page() -> "Response":
    """MLflow's page, behind a script that fills in what the visitor has not chosen."""
    from mlflow.server import app

    served = (Path(str(app.static_folder)) / "index.html").read_text(encoding="utf-8")
    before, head, after = served.partition("<head>")
    return app.response_class(f"{before}{head}{script(chosen())}{after}", headers={"Cache-Control": "no-cache"})


def script(values: dict[str, Any]) -> str:
    """The script that sets the keys that the browser does not have."""
    written = json.dumps({key: json.dumps(value) for key, value in values.items()})
    return SCRIPT.replace("{chosen}", written.replace("<", "\\u003c"))


def chosen() -> dict[str, Any]:
    """By key of the browser's storage, what a visitor begins with: for each experiment that has one, the view of its runs."""
    from mlflow import MlflowClient
    from mlflow.server.constants import BACKEND_STORE_URI_ENV_VAR

    values: dict[str, Any] = dict(CHOSEN)
    for experiment in MlflowClient(os.environ[BACKEND_STORE_URI_ENV_VAR]).search_experiments():
        with suppress(KeyError, ValueError):  # of an experiment without a view, or with one that is no JSON, MLflow's own view
            values[table_of(experiment.experiment_id)] = json.loads(experiment.tags[STATE])
    return values


def table_of(experiment_id: str) -> str:
    """The key under which MLflow's page keeps how the table of an experiment's runs is shown."""
    return f'MLflowLocalStorage-1.1-ExperimentPage-["{experiment_id}"]-ReactComponentState'
