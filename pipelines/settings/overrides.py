"""The words of a command line that Hydra composes by, and those that it would take though they have no effect."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.settings.keywords import named
from pipelines.settings.schema import Experiment

SEARCHPATH = "hydra.searchpath="
"""Begins the override that adds folders to ``conf/``: ``hydra.searchpath=[file:///home/me/conf]``."""
GROUPS = ("task", "rnn", "trainer", "tuned")
"""Folders of ``conf/`` of which a command line chooses a file."""


def rewritten(overrides: Sequence[str]) -> list[str]:
    """The overrides for Hydra: values are set whether a file names their key or not, and the schema says which keys there are.

    Raises:
        ValueError: for what is no KEY=VALUE, or a setting of Hydra's own but ``hydra.searchpath``.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    made = []
    for override, parsed in zip(overrides, OverridesParser.create().parse_overrides(list(overrides)), strict=True):
        key = parsed.key_or_group
        if key.partition("/")[0].partition(".")[0] == "hydra" and not override.startswith(SEARCHPATH):
            raise ValueError(f"{override} has no effect here: of Hydra's own settings there is only {SEARCHPATH}[...]")
        value = not parsed.is_delete() and key not in GROUPS and not key.startswith("hydra") and "/" not in key
        made.append(f"++{override.lstrip('+')}" if value else override)
    return made


def check_choices(choices: Mapping[str, Any], overrides: Sequence[str]) -> None:
    """Refuse a tuned file that is not there, which Hydra would pass over, and more than one file of a folder.

    Raises:
        ValueError: naming those that there are, the nearest first.
    """
    from hydra.core.global_hydra import GlobalHydra

    for group in GROUPS:
        known = GlobalHydra.instance().config_loader().get_group_options(group)
        chosen, given = choices.get(group), any(override.startswith(f"{group}=") for override in overrides)
        if given and chosen not in known and not (group == "tuned" and chosen is None):
            raise ValueError(named(group, chosen, known))


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
