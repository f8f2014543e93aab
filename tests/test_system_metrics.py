"""What MLflow's page of system metrics has of a training, and the kind of its experiment."""

from pathlib import Path

from run_folders import run_by_stages

from pipelines import tracking
from rnn_lightning.files import read_json

ADDING = [
    *("task=adding", "rnn=gru", "task.corpus.rows={train: 60, validation: 20, test: 20}"),
    "task.training={epochs: 1, clip: 1, validate_every: null}",
]
SYSTEM = ("cpu_utilization_percentage", "system_memory_usage_megabytes", "system_memory_usage_percentage")


def test_a_training_shows_the_use_of_the_machine_beside_its_curves(tmp_path: Path) -> None:
    with run_by_stages(tmp_path, ADDING) as folder:
        store = tracking.store.client()
        run = store.get_run(read_json(folder / "training.json")["mlflow_run_id"])
        used = {name: value for name, value in run.data.metrics.items() if name.startswith("system/")}
        assert used.keys() == {f"system/{name}" for name in SYSTEM} and 0 < used["system/system_memory_usage_percentage"] <= 100
        assert "system/" not in (folder / "curves.csv").read_text()
        kind = store.get_experiment(run.info.experiment_id).tags["mlflow.experimentKind"]
        assert kind == "custom_model_development"  # MLflow shows its runs, and not the traces of chats
