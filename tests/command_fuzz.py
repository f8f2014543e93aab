"""Random command lines, and what is known of how each must end.

A line is made of one that is right and one change. Where the change is wrong for certain, the line must be refused by words
that name what is wrong; where it is right for certain, the line must end well; else either will do, if what is said is clear.
"""

import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from command_damage import SWEEPS, damaged_line, sweep_file
from command_values import KEYS, LATE, MEMORY, Kind

REFUSED, DONE, EITHER, TOLD = "refused", "done", "either", "told"
"""Ends of a command: with exit code 2 and what is wrong by name, with 0, with one of them; with one of them and by name."""
TASKS = ("adding", "nested", "dates", "strokes", "foresight")
STAGES = ("fetch", "preprocess", "train", "evaluate")
REQUIRED = ("task.training", "task.metric", "task.corpus", "task.data", "task.model", "task.title", "trainer.threads", "rnn")


class Line(NamedTuple):
    """A command line; ``names`` are words that a refusal must have one of, ``damage`` is done to the project before."""

    command: str
    words: tuple[str, ...]
    end: str = EITHER
    names: tuple[str, ...] = ()
    damage: Callable[[Path], None] | None = None


def base(draw: random.Random, command: str = "") -> tuple[str, list[str]]:
    """A stage and its settings, which are right."""
    return command or draw.choice(STAGES), [f"task={draw.choice(TASKS)}", "rnn=lstm", "seed=1"]


def with_key(words: list[str], key: str, text: str) -> tuple[str, ...]:
    """The words with the key set, in place of an earlier value."""
    return (*(word for word in words if not word.startswith(f"{key}=")), f"{key}={text}")


def wrong_value(draw: random.Random) -> Line:
    """A value of another type, or out of its range; where a constructor knows the range, stages that build nothing need not."""
    key = draw.choice(sorted(KEYS))
    kind: Kind = KEYS[key]
    text = draw.choice(kind.wrong)
    command, words = base(draw)
    if kind.task:
        words[0] = f"task={kind.task}"
    late = (key, text) in LATE and command != "train"
    return Line(
        command, with_key(words, key, text), EITHER if late else REFUSED, (key, f"{key}={text}"[:40], key.split(".")[-1])
    )


def right_value(draw: random.Random) -> Line:
    """A value that is allowed; the run of another one may not be there to be evaluated."""
    key = draw.choice([key for key, kind in sorted(KEYS.items()) if kind.right])
    command, words = base(draw)
    if KEYS[key].task:
        words[0] = f"task={KEYS[key].task}"
    end = DONE if command == "fetch" and not key.startswith("task.corpus") else EITHER
    return Line(command, with_key(words, key, draw.choice(KEYS[key].right)), end)


def misspelled(draw: random.Random) -> Line:
    """A key with a letter too many, too few, or two of them exchanged."""
    key = draw.choice([key for key in sorted(KEYS) if not KEYS[key].task and len(key.split(".")[-1]) > 2])
    folder, _, name = key.rpartition(".")
    at = draw.randrange(1, max(len(name) - 1, 2))
    changed = draw.choice([name[:at] + name[at + 1 :], name[:at] + name[at] + name[at:], name[:at] + "x" + name[at:]])
    command, words = base(draw)
    wrong = f"{folder}.{changed}".lstrip(".")
    if wrong in KEYS or wrong in ("seeds", "seed"):
        return misspelled(draw)
    return Line(
        command, (*words, f"{draw.choice(['', '+', '++'])}{wrong}={draw.choice(KEYS[key].right or ['1'])}"), REFUSED, (wrong,)
    )


def doubled(draw: random.Random) -> Line:
    """A key with two values."""
    command, words = base(draw)
    key = draw.choice([key for key in sorted(KEYS) if not KEYS[key].task and len(KEYS[key].right) > 1])
    first, second = draw.sample(KEYS[key].right, 2)
    return Line(command, (*words, f"{key}={first}", f"{draw.choice(['', '+', '++'])}{key}={second}"), REFUSED, (key,))


def supplied(draw: random.Random) -> Line:
    """A key that a stage gives itself, or that another prevails over."""
    key = draw.choice(["task_name", "rnn_name", "run_name", "command_line", "task.model.rnn", "task.data.folder"])
    key = draw.choice([key, "task.data.epochs", "rnn.input_size", "task.rnn.input_size", "tuning.sweep", "hydra.run.dir"])
    command, words = base(draw)
    return Line(
        command, (*words, f"{draw.choice(['', '+'])}{key}={draw.choice(['3', 'x', '[1]', '{a: 1}', 'null'])}"), REFUSED, (key,)
    )


def missing(draw: random.Random) -> Line:
    """A command without what it cannot do without."""
    choices = [Line(stage, ("rnn=lstm", "seed=1"), REFUSED, ("task is missing",)) for stage in STAGES]
    choices += [Line(stage, ("task=adding", f"~{key}"), REFUSED, (key,)) for stage in STAGES for key in REQUIRED]
    choices += [Line("sweep", ("task=adding", "seed=1", "sweep=basic"), REFUSED, ("trials is missing",))]
    choices += [Line("sweep", ("task=adding", "seed=1", "trials=2"), REFUSED, ("sweep is missing",))]
    choices += [Line("predict", (), REFUSED, ("run=FOLDER",)), Line("compare", (), REFUSED, ("name of one grid",))]
    choices += [
        Line("digest", (), REFUSED, ("FOLDER",)),
        Line("reproduce", (), REFUSED, ("run",)),
        Line("plan", (), REFUSED, ("code",)),
    ]
    return draw.choice(choices)


def noise(draw: random.Random) -> Line:
    """Signs that mean something to a shell, to YAML, to Hydra or to nobody."""
    signs = [
        "=",
        "'",
        '"',
        "\\",
        "$",
        "{",
        "}",
        "[",
        "]",
        ",",
        "é",
        "語",
        "\n",
        "?",
        "#",
        "%",
        "-",
        "~",
        "a",
        "1",
        ":",
        "\x00"[:0],
    ]
    text = "".join(draw.choice(signs) for _ in range(draw.randrange(1, 9)))
    command = draw.choice(
        [
            *(*STAGES, "sweep", "predict", "serve", "export", "microscope", "compare", "repro"),
            *("plan", "grid", "publish", "results", "reproduce", "digest"),
        ]
    )
    words = ["task=adding", "seed=1"] if command in STAGES else []
    if command == "sweep":
        words = ["task=adding", "sweep=basic", "trials=1"]
    return Line(command, (*words, text), REFUSED, ())


def grids(draw: random.Random) -> Line:
    """Names that are none of a grid, a task or a sweep."""
    name = draw.choice(
        ["nosuch", "../conf", "", "generatedd", "é", "a\nb", "x" * 300, "generated text", "task=", "task=nosuch", "-x"]
    )
    command = draw.choice(["compare", "repro", "results", "reproduce", "plan", "digest", "sweep", "publish", "grid"])
    words = {"sweep": ("task=adding", "trials=1", f"sweep={name}"), "digest": (name, "out.json")}.get(command, (name,))
    return Line(command, words, REFUSED, ())


def sweeps(draw: random.Random) -> Line:
    """Sweeps that are wrong in their file, or in what is asked of them."""
    if draw.random() < 0.4:
        name = draw.choice(sorted(SWEEPS))
        words = ("task=adding", "seed=1", f"sweep={name}", "trials=2")
        return Line("sweep", words, REFUSED, (f"conf/sweep/{name}.yaml",), sweep_file(name))
    key, values = draw.choice(
        [
            ("trials", ("0", "-1", "nan", "1e3", "few", "1000000000000", "", "[1]", "1.5", "true")),
            ("workers", ("0", "-2", "many", "1000000", "inf", "")),
            ("engine", ("spark", "", "null", "1")),
            ("force", ("no way", "maybe", "2", "[]", "")),
            ("seeds", ("2", "0", "x")),
            ("task.training.clip", ("0.5",)),
            ("storage", ("nonsense", "sqlite://///", "http://x", "")),
        ]
    )
    right = {"sweep": "basic", "trials": "1", "task": "adding"}
    words = {**right, key: draw.choice(values)}
    return Line("sweep", tuple(f"{name}={value}" for name, value in words.items()), REFUSED, (key.rstrip("s"),))


def predictions(draw: random.Random) -> Line:
    """Options that a predictor does not have, or not so."""
    task = draw.choice(TASKS)
    key, values = draw.choice(
        [
            ("batch_size", ("0", "-1", "nan", "1.5", "many", "true", "[]", "1000000000000000000000000")),
            ("format", ("xml", "1", "null", "[]")),
            ("nosuch", ("1", "", "[]")),
            ("beam", ("3",)),
            ("batchsize", ("3",)),
        ]
    )
    if task == "dates":
        own = [
            ("beam_size", ("0", "-1", "100000000", "nan", "x")),
            ("n_best", ("0", "nan", "7000000000")),
            ("scores", ("no", "1")),
        ]
        key, values = draw.choice([(key, values), *own, ("max_length", ("-5", "0.5")), ("diversity", ("-1", "inf"))])
    if task == "nested":
        key, values = draw.choice(
            [(key, values), ("temperature", ("-1", "nan", "hot")), ("length", ("-1", "nan")), ("score", ("yes",))]
        )
    return Line("predict", (f"run=runs/{task}/lstm/1", f"{key}={draw.choice(values)}"), REFUSED, (key,))


def folders(draw: random.Random) -> Line:
    """Folders that hold no run."""
    name = draw.choice(
        ["nosuch", "runs", "runs/adding", "conf/config.yaml", "/", "", "'a?b#c%d'", "'a\nb'", "null", "5", "[1]", "é", ".."]
    )
    return draw.choice(
        [
            Line("predict", (f"run={name}",), REFUSED, ("run", "folder")),
            Line("digest", (f"no/{name}", "x.json"), REFUSED, ("folder",)),
            Line("train", ("task=adding", "seed=1", f"hydra.searchpath=[file:///nosuch/{name}]"), EITHER),
        ]
    )


def memory(draw: random.Random) -> Line:
    """What would take more memory than is allowed, or than there is."""
    command, *words = draw.choice(sorted(MEMORY)).split()
    names = MEMORY[" ".join([command, *words])]
    act = sweep_file("endless") if "sweep=endless" in words else None
    return Line(command, tuple(words), REFUSED if names else EITHER, (names,) if names else (), act)


def damage(draw: random.Random) -> Line:
    command, words, names, end, act = damaged_line(draw)
    return Line(command, words, end, names, act)


MAKERS: dict[Callable[[random.Random], Line], int] = {
    wrong_value: 30, right_value: 8, misspelled: 10, doubled: 6, supplied: 5, missing: 4, noise: 10, grids: 5, sweeps: 6,
    predictions: 6, folders: 4, memory: 6, damage: 12,
}  # fmt: skip
"""What makes a line, and how often."""


def lines(count: int, seed: int) -> list[Line]:
    draw = random.Random(seed)
    makers = draw.choices(list(MAKERS), list(MAKERS.values()), k=count)
    return [maker(draw) for maker in makers]
