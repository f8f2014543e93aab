"""The system that an experiment names, and all keywords it gives it: checked before anything is read or built."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipelines.settings.keywords import bad_keywords, named, refuse
from pipelines.settings.schema import Experiment
from rnn_lightning.checks import shown

OF_STAGE = {"folder": "stages read data/processed/TASK", "seed": "it is the run's, seed="}
OF_STAGE |= {"epochs": "it is task.training.epochs"}
OF_NETWORK = {"input_size": "it is the width of what the network reads"}
OF_CORPUS = ("vocab_size", "target_vocab_size", "end", "tags", "num_tags", "num_characters", "labels")
OF_MODEL = {**dict.fromkeys(OF_CORPUS, "it is what the corpus has"), "rnn": "it is made of rnn and task.rnn"}
NETWORKS = ("encoder", "decoder")
BALANCED = "balanced"
"""What ``task.model.class_weights`` is where the training targets decide them."""


def check_system(experiment: Experiment) -> None:
    """Refuse keywords that the data module, the system, its networks, optimiser and schedule do not take.

    Raises:
        ValueError: a line for each.
    """
    refuse(_bad_settings(experiment))


def _bad_settings(experiment: Experiment) -> Iterator[str]:
    from rnn_lightning.characters import CHARACTER_ENCODERS
    from rnn_lightning.data.augment import AUGMENTATIONS
    from rnn_lightning.optimization import OPTIMIZERS, SCHEDULES
    from rnn_lightning.subsampling import PLAIN, SUBSAMPLINGS

    task, tables = experiment.task, {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "characters": CHARACTER_ENCODERS}
    data, model = task.data.model_extra or {}, dict(task.model.model_extra or {})
    if isinstance(given := model.get("class_weights"), str):
        model |= {"class_weights": None}  # the class takes numbers, which the targets will give
        yield from _bad_weights(given)
    yield from bad_keywords("task.data", task.data.cls(), data, OF_STAGE)
    augment = data.get("augment")
    for number, settings in enumerate(augment if isinstance(augment, list) else []):
        yield from _bad_entry(f"task.data.augment.{number}", AUGMENTATIONS, settings, first=0)
    yield from bad_keywords("task.model", task.model.cls(), model, OF_MODEL)
    networks = {"rnn": experiment.rnn, "task.rnn": task.rnn}
    networks |= {f"task.model.{name}": model[name] for name in NETWORKS if model.get(name)}
    for name, table in tables.items():
        if isinstance(settings := model.get(name), Mapping):
            yield from _bad_entry(f"task.model.{name}", table, settings, first=1)
            networks |= {f"task.model.{name}.rnn": settings["rnn"]} if settings.get("rnn") else {}
    if isinstance(settings := model.get("subsampling"), Mapping):
        yield from _bad_entry("task.model.subsampling", SUBSAMPLINGS, {"name": PLAIN, **settings}, first=1)
    for where, settings in networks.items():
        yield from _bad_network(where, settings)


def _bad_network(where: str, settings: Any) -> Iterator[str]:
    from rnn_lightning.recurrent import CELLS, build_network

    if not isinstance(settings, Mapping):
        yield f"{where} must be keywords of a network, {{cell: lstm, ...}}, not {shown(settings)}"
        return
    yield from bad_keywords(where, build_network, settings, OF_NETWORK)
    if isinstance(cell := settings.get("cell", "lstm"), str) and "." not in cell and cell not in CELLS:
        yield named(f"{where}.cell", cell, list(CELLS))


def _bad_weights(given: str) -> Iterator[str]:
    """What is wrong with the weights of classes by a word."""
    if given != BALANCED:
        yield f"task.model.class_weights must be {BALANCED}, or a number for each class, [a, b, ...], not {given!r}"


def _bad_entry(where: str, table: Mapping[str, Callable[..., Any]], settings: Any, first: int) -> Iterator[str]:
    """Lines on ``{name: ..., ...}``, an entry of a table with its keywords; ``first`` as in `bad_keywords`."""
    if not isinstance(settings, Mapping):
        yield f"{where} must be {{name: ..., ...}}, not {shown(settings)}"
        return
    name = settings.get("name", settings.get("kind"))
    if name not in [*table]:  # by equality: YAML may write what has no hash
        yield named(f"{where}.name", name, list(table))
        return
    keywords = {key: value for key, value in settings.items() if key not in ("name", "kind")}
    yield from bad_keywords(where, table[name], keywords, {}, first)
