"""The words of a command line that Hydra composes by, and those that it would take though they have no effect."""

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.settings.keywords import named
from pipelines.settings.places import files_by_name
from pipelines.settings.schema import Experiment
from pipelines.settings.wording import TYPES
from rnn_lightning.checks import shown

SEARCHPATH = "hydra.searchpath="
"""Begins the override that adds folders to ``conf/``: ``hydra.searchpath=[file:///home/me/conf]``."""
FOLDER = "conf="
"""Begins the word that names a folder of task files of one's own: ``conf=mine`` adds ``mine/task/NAME.yaml``."""
GROUPS = ("task", "rnn", "trainer", "tuned")
"""Folders of ``conf/`` of which a command line chooses a file."""
FORMS = "a number, true, false, null, a word, [a, b] or {a: 1}"
"""Which values a command line can say."""


def located(overrides: Sequence[str]) -> list[str]:
    """The overrides with ``conf=FOLDER`` as Hydra writes it.

    Raises:
        ValueError: for a folder that is not there, or has a file that ``conf/`` has too.
    """
    return [_searched(word) if word.startswith(FOLDER) else word for word in overrides]


def own_folder(word: str) -> Path:
    """The folder of configuration of a ``word`` ``conf=FOLDER``.

    Raises:
        ValueError: where there is none.
    """
    path = Path(word.removeprefix(FOLDER)).expanduser().resolve()
    if not path.is_dir():
        raise ValueError(f"{word}: there is no such folder; it must have task/NAME.yaml, as conf/ has")
    return path


def _searched(word: str) -> str:
    path = own_folder(word)
    for group in GROUPS:
        both = files_by_name(path / group).keys() & files_of(group, [])
        if both:
            raise ValueError(f"{word}: {group}/{min(both)}.yaml is in conf/ too, which prevails: give it another name")
    return f"{SEARCHPATH}['file://{path}']"


def fetching(experiment: Experiment) -> str:
    """The command that fetches the data of an experiment, its task chosen as it was."""
    words = [word for word in experiment.command_line if word.startswith(("task=", "task.corpus.", FOLDER, SEARCHPATH))]
    return f"python -m pipelines.fetch {shlex.join(words)}"


def rewritten(overrides: Sequence[str]) -> list[str]:
    """The overrides for Hydra: values are set whether a file names their key or not, and the schema says which there are.

    Raises:
        ValueError: for what is no KEY=VALUE, several values of one key, a file that is not in ``conf/``, or a setting of
            Hydra's own but ``hydra.searchpath``.
    """
    made = []
    searched = [override for override in overrides if override.startswith(SEARCHPATH)]
    for override in overrides:
        if re.match(r"[+~]*hydra\b", override) and not override.startswith(SEARCHPATH):
            raise ValueError(f"{override} has no effect here: of Hydra's own settings there is only {SEARCHPATH}[...]")
        parsed = parse(override)
        if (key := parsed.key_or_group) in GROUPS:
            check_group(override, parsed, searched)
        value = key not in GROUPS and not parsed.is_delete() and not key.startswith("hydra")
        made.append(f"++{override.lstrip('+')}" if value else override)
    if not any(override.startswith("task=") for override in overrides):
        raise ValueError(f"task is missing: give task=NAME, one of {', '.join(choices_of('task', searched))}")
    return made


def unmerged(error: Exception) -> str | None:
    """What is wrong with an override that Hydra cannot set in the files' values, of which it says no reason; ``None`` where the
    ``error`` is another one."""
    _, is_override, override = str(error).partition("Error merging override ")
    if not is_override:
        return None
    parsed, cause = parse(override.lstrip("+")), error.__cause__
    key, value = parsed.key_or_group, parsed.value()
    there = {list: TYPES["array"], dict: TYPES["object"]}.get(getattr(cause, "object_type", None) or str)
    if there is not None and isinstance(value, list | dict):
        return f"{key} must be {there}, not {shown(value)}"
    reason = str(cause).partition("\n")[0]
    return f"{key} cannot be set to {shown(value)} ({reason}): write the list or the table above it as a whole"


def parse(override: str) -> Any:
    """The override as Hydra's parser reads it.

    Raises:
        ValueError: for what is no KEY=VALUE, and several values of one key.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    if override.startswith("-"):
        raise ValueError(f"{shown(override)} is no option: settings are KEY=VALUE, and --help shows them")
    key, equals, _ = override.partition("=")
    try:
        (parsed,) = OverridesParser.create().parse_overrides([override])
    except HydraException:
        parsed = None
    if parsed is None or not parsed.key_or_group or parsed.package is not None or "/" in parsed.key_or_group:
        quoted = f"; other text is quoted within the shell's quotes, as in \"{key}='it is, like this'\""
        text = quoted if key and equals else ""
        raise ValueError(f"{shown(override)} is no setting: write KEY=VALUE, VALUE as {FORMS}{text}")
    if parsed.is_sweep_override():
        name = key.lstrip("+")
        advice = {"seed": "; seeds=N trains the seeds 1 to N"}.get(name, "; a list is written as [a, b]" if "." in name else "")
        raise ValueError(
            f"{override} gives several values of {name}, and a run has one: give the command once for each{advice}"
        )
    return parsed


def check_group(override: str, parsed: Any, searched: Sequence[str]) -> None:
    """Refuse what chooses no file, or more than one, of a folder of ``conf/``, and of those in the overrides ``searched``.

    Raises:
        ValueError: naming the files that there are, the nearest first.
    """
    group, chosen = parsed.key_or_group, None if parsed.is_delete() else parsed.value()
    if chosen not in (known := choices_of(group, searched)):
        raise ValueError(named(group, chosen, known))
    if override.startswith("+"):
        raise ValueError(f"{override} has no effect: write {group}={chosen}")


def choices_of(group: str, searched: Sequence[str]) -> list[str]:
    """As `files_of`, for a group of which a file must be chosen.

    Raises:
        ValueError: where there is none.
    """
    if files := files_of(group, searched):
        return files
    advice = "take it from git again, or, where rnn-lightning is installed, remove it and let `rnn init` make it"
    raise ValueError(f"conf/{group} has no file NAME.yaml to choose: {advice}")


def files_of(group: str, searched: Sequence[str]) -> list[str]:
    """The names of the files of a folder of ``conf/``, with those that the overrides ``searched`` add."""
    from hydra.core.global_hydra import GlobalHydra

    loader = GlobalHydra.instance().config_loader()
    if searched:
        return loader.get_group_options(group, config_name="config", overrides=list(searched))
    places = [place.path or "" for place in loader.get_search_path().get_path()]  # Hydra would compose them to list them
    return sorted({name for place in places for name in files_by_name(Path(place.removeprefix("file://"), group))})


def check_once(overrides: Sequence[str]) -> None:
    """Refuse a key that is given twice: the later would prevail in silence.

    Raises:
        ValueError: naming both.
    """
    before: dict[str, str] = {}
    for override in overrides:
        key = override.lstrip("+~").partition("=")[0]
        if key in before:
            raise ValueError(f"{key} is given twice, {shown(before[key])} and {shown(override)}: give it once")
        before[key] = override


def check_finite(values: Any, where: str = "") -> None:
    """Refuse a number that is none or infinite, in any setting.

    Raises:
        ValueError: naming the key and the value.
    """
    if isinstance(values, Mapping | list):
        for key, value in values.items() if isinstance(values, Mapping) else enumerate(values):
            check_finite(value, f"{where}.{key}".lstrip("."))
    elif isinstance(values, float) and not math.isfinite(values):
        raise ValueError(f"{where} must be a finite number, not {values}")


def check_effects(experiment: Experiment, overrides: Sequence[str]) -> None:
    """Refuse settings that others prevail over.

    Raises:
        ValueError: naming both.
    """
    keys = [override.lstrip("+").partition("=")[0] for override in overrides]
    for key in keys:
        folder, _, name = key.rpartition(".")
        if folder == "rnn" and name in experiment.task.rnn and f"task.{key}" not in keys:
            prevailing = f"task.rnn.{name}, which is {experiment.task.rnn[name]!r}, prevails: set that"
            raise ValueError(f"{key} has no effect: {prevailing}, or leave it out")
        if key.partition(".")[0] == "tuning":
            raise ValueError(f"{key} has no effect: it is what a sweep writes into conf/tuned; leave it out")
    if experiment.seed is not None and experiment.seeds != 1:
        raise ValueError(f"seeds={experiment.seeds} has no effect beside seed={experiment.seed}: give one of them")
