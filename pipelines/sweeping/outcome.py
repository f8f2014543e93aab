"""What is kept of a sweep: the best values for later runs, its model in the registry, tables and figures."""

import csv
import warnings
from pathlib import Path
from typing import Any

import optuna
from matplotlib import pyplot as plt
from omegaconf import OmegaConf
from optuna.trial import FrozenTrial, TrialState

from pipelines import tracking
from pipelines.display.numbers import number
from pipelines.display.plotting import LOOK, drawing, save
from pipelines.kinds import kind_of
from pipelines.runs.cards import card_of
from pipelines.runs.processes import remove_leftovers
from pipelines.settings.compose import CONF, compose
from pipelines.settings.schema import Experiment
from pipelines.settings.seals import KEY, OPEN, check_seal, write_sealed
from pipelines.settings.tuned import AGAIN, Finding, budget_of
from pipelines.settings.yaml_files import read_yaml
from pipelines.sweeping.settings import Sweep, assigned
from pipelines.sweeping.study import FOLDER, counted
from pipelines.tracking.finished import publish_model
from pipelines.tracking.record import Registration
from rnn_lightning.files import DamagedError, written_beside

REPORTS, ALIAS, FINDING = Path("reports/sweeps"), "best", "finding"


def keep(study: optuna.Study, sweep: Sweep, experiment: Experiment, run_id: str, name: str, *, force: bool) -> list[str]:
    """Keep the best trial where none better is kept, or with ``force``; returns lines that say what it is and where all lies.

    Raises:
        ValueError: where no trial is complete.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not complete:
        raise ValueError(f"no trial of sweep {name} is complete; the study says why: {_reasons(study)}")
    best = best_trial(study)
    folder = REPORTS / name
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    files = [
        write_trials(study, sweep, folder / "trials.csv"),
        *draw(study, sweep, folder, experiment.task.metric.monitor),
    ]
    finding = finding_of(best, experiment)
    tuned, lines_of_file = keep_values(study, best, experiment, name, finding, force=force)
    tracking.log_files(run_id, [*files, tuned])
    values = ", ".join(f"{key} {value}" for key, value in best.params.items())
    found = f"best of {len(complete)} complete trials: {best.number}, {number(best.values[0])} on validation, {values}"
    tracking.set_tags(run_id, {"mlflow.note.content": found})
    return [
        found,
        lines_of_file,
        f"{folder} has the trials and the figures",
        register(best, experiment, finding, force=force),
    ]


def finding_of(best: FrozenTrial, experiment: Experiment) -> Finding:
    """What the best trial found, with the budget that it had, which the sweep may have varied."""
    given = [*experiment.command_line, *(assigned(key, value) for key, value in best.params.items())]
    metric = experiment.task.metric
    return Finding(
        metric=metric.monitor,
        mode=metric.mode,
        value=best.values[0],
        data=card_of(experiment)["sha256"]["all"],
        budget=budget_of(compose(given)),
        overrides=[override for override in experiment.command_line if override != "tuned=none"],
    )


def best_trial(study: optuna.Study) -> FrozenTrial:
    """The complete trial of the best quality; of several objectives, the first is the quality."""
    minimise = study.directions[0] == optuna.study.StudyDirection.MINIMIZE
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return min(complete, key=lambda trial: trial.values[0] if minimise else -trial.values[0])


def _reasons(study: optuna.Study) -> str:
    return (
        "; ".join(sorted({trial.user_attrs.get("reason", trial.state.name.lower()) for trial in study.trials})) or "no trials"
    )


def write_trials(study: optuna.Study, sweep: Sweep, file: Path) -> Path:
    """All trials, a row each: number, state, values, parameters."""
    with written_beside(file) as partial, partial.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["trial", "state", *sweep.objectives, *sweep.space])
        for trial in study.get_trials(deepcopy=False):
            values = trial.values or [""] * len(sweep.objectives)
            writer.writerow(
                [trial.number, trial.state.name.lower(), *values, *(trial.params.get(key, "") for key in sweep.space)]
            )
    return file


def tuned_file(experiment: Experiment) -> Path:
    """Where the values of a sweep are kept."""
    return CONF / "tuned" / f"{experiment.task_name}-{experiment.rnn_name}.yaml"


def keep_values(
    study: optuna.Study, best: FrozenTrial, experiment: Experiment, name: str, finding: Finding, *, force: bool
) -> tuple[Path, str]:
    """Write ``conf/tuned/TASK-RNN.yaml`` unless a better one is there; the file, and a line that says which it has."""
    file = tuned_file(experiment)
    shown = file.relative_to(CONF.parent)
    remove_leftovers(file)
    if not force and (reason := _why_kept(file, (name, best.number, finding.value), finding)):
        return file, f"{shown} stays as it is: {reason} (force=true replaces it)"
    write_tuned(file, study, best, name, finding)
    return file, f"{shown} has its values, which later runs take up (tuned=none leaves them out)"


def _why_kept(file: Path, own: tuple[str, int, float], finding: Finding) -> str:
    """Why a tuned file stays, empty if ``finding`` takes its place: there is none, it is its ``own``, or it is worse."""
    try:
        if file.exists() and not check_seal(file, again=AGAIN):
            return "its values may have been changed by hand, it states no SHA-256"
    except DamagedError as error:
        return str(error)
    there: Any = read_yaml(file) if file.exists() else {}
    known = there.get("tuning")
    same = known is not None and (known.get("sweep"), known.get("best"), known.get("value")) == own
    return "" if same else finding.why_not(known)


def write_tuned(file: Path, study: optuna.Study, best: FrozenTrial, name: str, finding: Finding) -> None:
    """What every run of that task and architecture composes; says what was tried for it, and with what."""
    config = OmegaConf.create({})
    for key, value in best.params.items():
        OmegaConf.update(config, key, value, force_add=True)
    over = [trial.state for trial in counted(study)]
    tried = {"trials": len(over), "pruned": over.count(TrialState.PRUNED), "best": best.number, "varied": list(best.params)}
    config["tuning"] = {"sweep": name, **tried, **finding.model_dump(mode="json"), KEY: OPEN}
    header = f"# @package _global_\n# Found by sweep {name}: trial {best.number}, {finding.metric} {number(finding.value)}.\n"
    write_sealed(file, header + OmegaConf.to_yaml(config))


def register(best: FrozenTrial, experiment: Experiment, finding: Finding, *, force: bool) -> str:
    """Make the best trial's model, unless it is, the newest version of ``TASK-RNN`` in the registry, under the alias ``best``.

    Where that names a better one it stays. Returns a line that says which it has.
    """
    name = f"{experiment.task_name}-{experiment.rnn_name}"
    run_id, folder = best.user_attrs["run"], Path(best.user_attrs[FOLDER])
    if not folder.exists():
        return f"the model registry has no new {name}@{ALIAS}: {folder} of the best trial is on another machine"
    kind_of(experiment).write_predictor(experiment, card_of(experiment), folder)
    place = Registration(name, ALIAS, finding.model_dump(mode="json"), force)
    publish_model(run_id, folder, place, processed=experiment.processed())
    return f"the model registry gets it as {name}@{ALIAS}, unless that names a better one"


def draw(study: optuna.Study, sweep: Sweep, folder: Path, metric: str) -> list[Path]:
    """Optuna's figures of the study, as far as it has enough trials for each."""
    plots: Any = optuna.visualization.matplotlib
    alone = len(sweep.objectives) == 1  # a target turns the colours of Optuna's plots round, so only what needs one has it
    quality = {"target": None if alone else lambda trial: trial.values[0], "target_name": metric}
    wanted = {
        "history": lambda: plots.plot_optimization_history(study, **quality),
        "parallel": lambda: plots.plot_parallel_coordinate(study, **quality),
        "slices": lambda: plots.plot_slice(study, **quality),
        "importance": lambda: plots.plot_param_importances(study, **quality),
    }
    if alone:
        wanted["curves"] = lambda: plots.plot_intermediate_values(study)
    elif len(sweep.objectives) <= 3:
        wanted["front"] = lambda: plots.plot_pareto_front(study, target_names=[metric, *sweep.objectives[1:]])
    drawn = []
    for name, plot in wanted.items():
        file = folder / f"{name}.png"
        with drawing(file, look=LOOK | {"text.parse_math": True}):  # for powers of ten; the names are those of settings
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    plot()
            except (ValueError, RuntimeError):  # an importance needs two values of a parameter, and some plots two trials
                continue
            figure = plt.gcf()
            figure.set_size_inches(10, 5.5)
            if name == "curves":
                figure.axes[0].set_ylabel(metric)
            save(figure, file)
        drawn += [file] if file.exists() else []
    return drawn
