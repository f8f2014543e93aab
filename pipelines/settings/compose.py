"""From a command line to checked settings: Hydra composes ``conf/``, pydantic checks what no constructor would."""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.settings.base import NOT_SET, validate
from pipelines.settings.collector import collect_seldom
from pipelines.settings.composition import composition
from pipelines.settings.endings import end
from pipelines.settings.environment import complete_environment
from pipelines.settings.grids import DEFAULT_TRAINER, usual_trainer
from pipelines.settings.interrupts import INTERRUPTED, begin_work, was_interrupted
from pipelines.settings.keywords import bad_keywords, refuse
from pipelines.settings.nested import flatten, short_hash
from pipelines.settings.overrides import FOLDER, GROUPS, SEARCHPATH, check_effects, check_finite, check_once
from pipelines.settings.places import CONF
from pipelines.settings.schema import Experiment
from pipelines.settings.usage import ASKS, help_of_main, keys_of_experiment

DATA = ("repository", "config", "files")
"""Settings of a corpus that say what data it is of."""
OF_STAGE = ("seed", "seeds", "workers", "engine")
"""Keys of a command line that no system takes."""
OF_NO_FILE = tuple(f"{key}=" for key in OF_STAGE)
"""How overrides begin that change no setting of the files."""


def compose(overrides: Sequence[str]) -> Experiment:
    """The experiment that ``overrides`` (``task=adding rnn=lstm seed=2 task.training.clip=0``) make of ``conf/``.

    Raises:
        ValueError: one line an error, naming the key, the value and what is allowed.
    """
    experiment = _of_other_data(_composed(overrides), overrides)
    corpus = experiment.task.corpus
    refuse(bad_keywords("task.corpus", corpus.cls(), corpus.model_extra or {}, {}))
    return experiment.model_copy(update=_folder_names(experiment, overrides))


def _of_other_data(experiment: Experiment, overrides: Sequence[str]) -> Experiment:
    """The experiment, whose title names the data that the command line sets, and whose references are none of other data's."""
    keys = {override.lstrip("+").partition("=")[0] for override in overrides}
    corpus = experiment.task.corpus.model_extra or {}
    other = [str(corpus.get(key)) for key in DATA if f"task.corpus.{key}" in keys]
    if not other:
        return experiment
    changes: dict[str, Any] = {}
    if "task.title" not in keys:
        changes["title"] = f"{experiment.task.title}: {', '.join(other)}"
    if "task.references" not in keys:
        changes["references"] = [reference for reference in experiment.task.references if reference.value is None]
    return experiment.model_copy(update={"task": experiment.task.model_copy(update=changes)})


def _composed(overrides: Sequence[str]) -> Experiment:
    values, choices = composition(CONF, overrides)
    check_finite(values)
    if set_by_stage := [name for name in NOT_SET if name in values and name != "tuning"]:
        raise ValueError(f"{set_by_stage[0]} cannot be set: it follows from the other settings; leave it out")
    names = {"task_name": choices["task"], "rnn_name": choices["rnn"]}
    experiment = validate(Experiment, {**values, **names, "command_line": list(overrides)})
    check_effects(experiment, overrides)
    return experiment


def _folder_names(experiment: Experiment, overrides: Sequence[str]) -> dict[str, str]:
    """The folders of the experiment's training and run: by the name that is given, else by what differs from the files."""
    rnn = experiment.rnn_name
    if experiment.name is not None:
        named = f"{rnn}-{experiment.name}"
        searched = any(override.lstrip("+~").startswith("task.metric.search") for override in overrides)
        return {
            "trained_name": named,
            "run_name": f"{named}-{short_hash(experiment.task.metric.search)}" if searched else named,
        }
    kept = [override for override in overrides if override.startswith(("task=", "rnn=", FOLDER, SEARCHPATH))]
    trainer = f"trainer={usual_trainer(CONF, experiment)}"
    others = {override for override in overrides if not override.startswith(OF_NO_FILE)}.difference(kept)
    if others == {trainer} or (not others and trainer == f"trainer={DEFAULT_TRAINER}"):
        return dict.fromkeys(("trained_name", "run_name"), rnn)  # all is as in the files
    usual = _composed([*kept, trainer])
    names = {}
    for key, searched in {"trained_name": False, "run_name": True}.items():
        own, files = (flatten(one.decisive(searched=searched)) for one in (experiment, usual))
        different = {name: own.get(name) for name in own.keys() | files.keys() if own.get(name) != files.get(name)}
        names[key] = f"{rnn}-{short_hash(different)}" if different else rnn
    return names


def run_stage(
    function: Callable[[Experiment], None],
    *,
    has_nothing_to_do: Callable[[Experiment], bool] | None = None,
    on_clusters: bool = False,
) -> None:
    """Run a stage on the command line's experiment, if ``has_nothing_to_do`` does not say, in less time, that all is done;
    ``on_clusters``: it takes ``engine``."""

    def run() -> None:
        experiment = compose_once(sys.argv[1:])
        if experiment.engine != "local" and not on_clusters:
            raise ValueError(f"engine={experiment.engine} is for preprocess and sweep: leave it out")
        if has_nothing_to_do is None or not has_nothing_to_do(experiment):
            check_given(experiment, sys.argv[1:])
            function(experiment)

    exit_on_user_error(run, keys=lambda: keys_of_experiment(CONF))


def compose_once(words: Sequence[str]) -> Experiment:
    """The experiment of a person's command line, which gives each key once.

    Raises:
        ValueError: as `compose`, and for a key that is given twice.
    """
    check_once(words)
    return compose(words)


def check_given(experiment: Experiment, words: Sequence[str]) -> None:
    """Refuse settings among the words of a command line that the system or the data module does not take: at every stage.

    Raises:
        ValueError: a line for each.
    """
    if any(word.partition("=")[0] not in (*GROUPS, *OF_STAGE) for word in words):
        # by name: which code checks them is nothing that the stage is made of, as DVC asks
        importlib.import_module("pipelines.training.keywords").check_system(experiment)


def exit_on_user_error(
    action: Callable[[], None], *, keys: Callable[[], Mapping[str, str]] = dict, resumes: bool = True
) -> None:
    """Run ``action``; what the user can mend is one line an error on stderr, and exit code 2; Ctrl-C one line and 130.

    ``--help`` prints what the command does and its ``keys``, by name what each may be, and runs nothing. ``resumes``: the same
    command goes on where Ctrl-C has ended it.
    """
    begin_work()
    collect_seldom()
    try:
        if any(word in ASKS for word in sys.argv[1:]):
            print(help_of_main(keys()))
        else:
            complete_environment()
            action()
        sys.stdout.flush()
    except BaseException as error:
        if was_interrupted(error):
            more = "; the same command goes on with what is not done yet" if resumes else ""
            print(f"interrupted{more}", file=sys.stderr)
            raise SystemExit(INTERRUPTED) from None
        end(error)
        raise


def no_arguments(result: Path) -> Path:
    """``result``, for a command that takes no arguments.

    Raises:
        ValueError: where the command line has some.
    """
    if sys.argv[1:]:
        raise ValueError(f"this command takes no arguments, not {' '.join(sys.argv[1:])}")
    return result
