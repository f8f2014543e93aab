"""How the test of a run searches, in the run's record: it may be set for the evaluation alone, and may name other runs."""

import shlex
from pathlib import Path
from typing import Any

from pipelines.kinds import kind_of
from pipelines.runs.partners import check_different, partners_of, together
from pipelines.settings.schema import Experiment
from rnn_lightning.files import read_json, sha256, write_json
from rnn_lightning.predictors import CHECKPOINT


def note_search(experiment: Experiment, seed: int, system: Any, folder: Path) -> None:
    """Have ``training.json`` in the run's ``folder``, as the training left it, say how its test searches: the search, the name
    and the command of the run that has it, and the runs that it searches with.

    Raises:
        ValueError: for a search that ``system`` cannot do, or a run that does not fit.
    """
    facts, search = read_json(folder / "training.json"), experiment.task.metric.search
    metric = facts["config"]["task"]["metric"]
    partners = partners_of(search, facts["data"])
    if metric.get("search", {}) != search:
        data = experiment.task.data.build(folder=experiment.processed())
        kind_of(experiment).check_search(experiment, system, data)
        metric["search"] = search
        facts["name"] = experiment.run(seed).parent.name.removeprefix(experiment.rnn_name).removeprefix("-")
        facts["command"] = shlex.join(["python", "-m", "pipelines.train", *experiment.overrides(seed)])
    if partners:
        check_different(sha256(folder / CHECKPOINT), partners)
        facts |= together(facts, partners)
    write_json(folder / "training.json", facts)
