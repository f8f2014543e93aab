"""Stage: measure trained networks on the test split, and show the finished runs in the dashboard.

``python -m pipelines.evaluate task=dates rnn=gru seed=1``: with the settings of the training, its ``name`` among them.

``python -m pipelines.evaluate run=runs/ewt/bilstm/1 on=sequoia`` measures a finished run on the test split of another task's
corpus (``on`` may also be a task file), which is fetched before; further words are settings of that task.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.measuring.measure import finite, load_trained, measure, shown
from pipelines.settings.compose import exit_on_user_error, run_stage
from pipelines.settings.schema import Experiment

ELSEWHERE = ("run=", "on=")
"""Words that measure a finished run on another corpus."""


def evaluate(experiment: Experiment) -> None:
    """Complete every seed's run folder with ``metrics.json``, and publish the run with its model."""
    from pipelines.runs.cards import card_of
    from pipelines.training.building import of_card
    from pipelines.training.keywords import check_system

    check_system(experiment)
    card = card_of(experiment)
    of_card(experiment, card)
    for seed in experiment.all_seeds():
        evaluate_one(experiment, seed, card)


def evaluate_one(experiment: Experiment, seed: int, card: dict[str, Any]) -> None:
    """Make the run folder of one seed and publish it; waits for another process that does so, until it has published."""
    from pipelines import tracking
    from pipelines.runs.folders import read_run
    from pipelines.runs.processes import made_alone
    from pipelines.settings.tasks import task_of
    from pipelines.tracking.finished import publish_model, publish_run

    folder = experiment.run(seed)
    check_data(experiment.trained(seed), card)
    check_settings(experiment, seed)
    with made_alone(folder, f"the evaluation of {folder}"):
        metrics = complete_run(experiment, seed, card)
        print(f"{folder}: {shown(metrics)}")
        run_id = publish_run(folder, read_run(folder), task_of(experiment, card), card)
        publish_model(run_id, folder, processed=experiment.processed())
        tracking.flush()


def complete_run(experiment: Experiment, seed: int, card: dict[str, Any]) -> dict[str, float]:
    """Make the run folder of one seed; returns the metrics."""
    from pipelines.kinds import kind_of
    from pipelines.measuring.search import note_search
    from rnn_lightning.files import check_sums, whole_folder, write_json

    with whole_folder(experiment.run(seed), sums=True) as partial:
        for file in experiment.trained(seed).iterdir():
            shutil.copy(file, partial)
        check_sums(partial, again="train again")
        system = load_trained(experiment, partial)
        note_search(experiment, seed, system, partial)
        metrics = measure(experiment, system, partial)
        check_measured(experiment, metrics)
        kind_of(experiment).write_predictor(experiment, card, partial)
        write_json(partial / "metrics.json", {name: finite(value) for name, value in metrics.items()})
    return metrics


def check_measured(experiment: Experiment, metrics: dict[str, float]) -> None:
    """Refuse a run that lacks the metric that judges it, as one that a language model was fused with has no loss.

    Raises:
        ValueError: naming those that were measured.
    """
    if (name := experiment.task.metric.name) not in metrics:
        raise ValueError(f"task.metric.name is {name}, and the test measures {', '.join(metrics)}: set it to one of these")


def check_data(trained: Path, card: dict[str, Any]) -> None:
    """Refuse to measure a model that is damaged, or on other data than it has learnt from.

    Raises:
        ValueError: naming the file, or both data.
        FileNotFoundError: where nothing is trained.
    """
    from rnn_lightning.files import check_sums, read_json

    if not (trained / "training.json").exists():
        again = "`python -m pipelines.train` with the same settings first"
        raise FileNotFoundError(f"{trained} has no finished training: {again}")
    check_sums(trained, again="train again")
    learnt, here = read_json(trained / "training.json")["data"], card["sha256"]["all"]
    if learnt != here:
        raise ValueError(f"{trained} was trained on data {learnt[:12]}, and {here[:12]} is what is there now: train again")


def check_settings(experiment: Experiment, seed: int) -> None:
    """Refuse a training that a ``name`` finds and that has other settings: a name brings none along.

    Raises:
        ValueError: naming what differs.
    """
    from pipelines.settings.legacy import modern
    from pipelines.settings.nested import changes, flatten
    from rnn_lightning.files import read_json

    folder = experiment.trained(seed)
    if experiment.name is None:
        return
    asked, known = flatten(experiment.decisive(searched=False)), flatten(modern(read_json(folder / "training.json")["config"]))
    if different := changes({key: known.get(key) for key in asked}, asked):
        advice = "a name brings no settings along: give those of the training here too"
        raise ValueError(f"name={experiment.name}: {folder} has a training of other settings ({different}); {advice}")


def main(words: Sequence[str]) -> None:
    """Evaluate the experiment of the ``words``, or measure a run on another corpus, where they name one."""
    if any(word.startswith(ELSEWHERE) for word in words):
        from pipelines.measuring.elsewhere import measure_elsewhere

        exit_on_user_error(lambda: measure_elsewhere(words))
    else:
        run_stage(evaluate)


if __name__ == "__main__":
    main(sys.argv[1:])
