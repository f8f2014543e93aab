"""The dashboard's page at a first visit: what it gives the browser, and that MLflow's own script reads it there."""

import json
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from mlflow import MlflowClient

from pipelines import tracking
from pipelines.tracking import page
from pipelines.tracking.tasks import STATE

ROOT = Path(__file__).resolve().parents[1]


def given(text: str) -> dict[str, object]:
    """What the script of the page sets, by key of the browser's storage."""
    (found,) = re.findall(r"Object\.entries\((\{.*\})\)\)", text)
    return {key: json.loads(value) for key, value in json.loads(found).items()}


def test_make_dashboard_serves_the_page() -> None:
    (named,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["mlflow.app"].items()
    module, _, function = named[1].partition(":")
    assert getattr(import_module(module), function) is page.create_app
    assert f"mlflow ui --app-name {named[0]} " in (ROOT / "Makefile").read_text()


def test_a_first_visit_shows_models_and_the_best_runs_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    number = tracking.open_experiment("words", tracking.runs_shown(["test/loss", "used/parameters"], "max", ["seed"]))
    for state in (None, "no JSON", "{"):
        other = tracking.open_experiment(f"of others {state}")
        if state is not None:
            MlflowClient().set_experiment_tag(other, STATE, state)
    from mlflow.server import app
    from mlflow.server.constants import BACKEND_STORE_URI_ENV_VAR

    monkeypatch.setenv(BACKEND_STORE_URI_ENV_VAR, f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setitem(app.view_functions, "serve", app.view_functions["serve"])
    page.create_app()
    answer = app.test_client().get("/")
    assert answer.mimetype == "text/html" and '<div id="root"' in answer.text
    assert answer.text.index("localStorage") < answer.text.index("<script defer"), "it comes before MLflow's own script"
    assert given(answer.text) == page.CHOSEN | {
        page.table_of(number): {
            "selectedColumns": ["metrics.`test/loss`", "metrics.`used/parameters`", "tags.`seed`"],
            "orderByKey": "metrics.`test/loss`",
            "orderByAsc": False,
        }
    }
    assert json.loads(MlflowClient().get_experiment(number).tags[STATE])


def test_no_name_ends_the_script() -> None:
    text = page.script({"key": "</script>"})
    assert text.count("</script>") == 1 and given(text) == {"key": "</script>"}


def test_mlflow_keeps_under_these_keys_what_a_visitor_has_chosen() -> None:
    import mlflow.server

    built = Path(mlflow.server.__file__).parent / "js/build/static/js"
    main = next(built.glob("main.*.js")).read_text(encoding="utf-8")
    for key in page.CHOSEN:
        name, version = key.rsplit("_v", 1)
        assert re.search(rf'key:"{re.escape(name)}",version:{version}\b', main), f"MLflow keeps {name} no more, or otherwise"
    for part in ('"MLflowLocalStorage"', '.version="1.1"', '.reactComponentStateKey="ReactComponentState"', '.join("-")'):
        assert part in main
    assert any('getStoreForComponent("ExperimentPage"' in file.read_text(encoding="utf-8") for file in built.glob("*.js"))
