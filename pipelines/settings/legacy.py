"""Keys of stored configurations that have other names today: the one place that knows the old ones."""

from collections.abc import Mapping
from typing import Any

RENAMED = {
    "task.metric.goal": "task.metric.mode",
    "task.model.characters.kind": "task.model.characters.name",
    "trainer.products": "trainer.matmul_precision",
    "trainer.every_seconds": "trainer.checkpoint_seconds",
}
MODES = {"minimise": "min", "maximise": "max"}


def modern(config: Mapping[str, Any]) -> dict[str, Any]:
    """A stored configuration by today's keys and values; one that has them already as it is."""
    return _translated(config, "")


def _translated(nested: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in nested.items():
        path = f"{prefix}{key}"
        name = RENAMED.get(path, path).rpartition(".")[2]
        made[name] = _translated(value, f"{path}.") if isinstance(value, Mapping) else _value(path, value)
    return made


def _value(path: str, value: Any) -> Any:
    return MODES.get(value, value) if path == "task.metric.goal" else value
