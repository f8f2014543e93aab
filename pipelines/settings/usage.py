"""What ``--help`` prints of a command: what it does, the keys that it takes, and what these may be."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pipelines.settings.base import NOT_SET
from pipelines.settings.overrides import GROUPS
from pipelines.settings.places import files_by_name
from pipelines.settings.schema import Experiment
from pipelines.settings.wording import BOUNDS, TYPES

ASKS = ("-h", "--help")
CLASSES = {"corpus": "corpus", "data": "data module", "model": "system"}


def help_of_main(keys: Mapping[str, str]) -> str:
    """What the running command's docstring says, and a line for each of its ``keys``."""
    text = (sys.modules["__main__"].__doc__ or "").strip().replace("``", "`")
    width = max(map(len, keys), default=0)
    lines = [f"  {key:{width}}  {allowed}" for key, allowed in keys.items()]
    return "\n".join([text, *(["", "Keys, as KEY=VALUE, and what they may be:", *lines] if lines else [])])


def keys_of_experiment(conf: Path) -> dict[str, str]:
    """What a stage may be told: files of ``conf``, and all keys with what is allowed."""
    files = {group: [*files_by_name(conf / group)] for group in GROUPS}
    keys = {"conf": "a folder of task files of your own, task/NAME.yaml, beside conf/"}
    keys |= {group: f"one of {', '.join(names)}" for group, names in files.items()}
    for name, what in CLASSES.items():
        keys[f"task.{name}.KEY"] = (
            f"a keyword of the {what} that conf/task/NAME.yaml names; an unknown one is told which there are"
        )
    keys["rnn.KEY"] = "a keyword of the network: hidden_size, num_layers, dropout, bidirectional, ..."
    return keys | keys_of(Experiment)


def keys_of(kind: type[BaseModel]) -> dict[str, str]:
    """The keys of the settings ``kind``, those within others by their full names, and what each may be."""
    schema = kind.model_json_schema()
    return dict(_keys(schema, schema.get("$defs", {}), ""))


def _keys(schema: Mapping[str, Any], known: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in schema["properties"].items():
        inner = known[value["$ref"].rpartition("/")[2]] if "$ref" in value else value
        if inner.get("additionalProperties") is False:
            yield from _keys(inner, known, f"{prefix}{name}.")
        elif name not in NOT_SET and name != "rnn" and (prefix != "task." or name not in CLASSES):
            yield f"{prefix}{name}", allowed(value)


def allowed(schema: Mapping[str, Any]) -> str:
    """What a value may be, in words."""
    if "anyOf" in schema:
        return " or ".join(allowed(each) for each in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return " or ".join(map(str, schema.get("enum", [schema.get("const")])))
    bounds = [f"{words} {schema[bound]}" for bound, words in BOUNDS.items() if bound in schema]
    kind = TYPES.get(schema.get("type", ""), "{key: value, ...}")
    return " ".join([schema.get("description", kind), " and ".join(bounds)]).strip()
