"""Files of runs, trainings and corpora, damaged in ways that disks and people have, and commands that read them."""

import random
from collections.abc import Callable
from pathlib import Path

RUN_FILES = ("training.json", "metrics.json", "curves.csv", "model.ckpt", "predictor.json", "SHA256SUMS")
DATA_FILES = ("card.json", "corpus.json", "train.npz", "validation.npz", "SHA256SUMS")
TASKS = ("adding", "nested", "dates", "strokes", "foresight")


def delete(file: Path) -> None:
    file.unlink()


def halve(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip(file: Path) -> None:
    contents = bytearray(file.read_bytes())
    contents[len(contents) // 3] ^= 4
    file.write_bytes(contents)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def other(file: Path) -> None:
    file.write_bytes(b'[{"a": null}]\n')


def fold(file: Path) -> None:
    file.unlink()
    file.mkdir()


def torn(file: Path) -> None:
    file.write_text("a: {b: [1\n")


def latin(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\n# \xe9\n")


SWEEPS = {
    "endless": "space: {task.training.clip: {low: 1, high: 1000000000000, step: 1}}\nsampler: {name: grid}\n",
    "backwards": "space: {task.training.clip: {low: 5, high: 1}}\n",
    "empty": "space: {}\n",
    "nothing": "",
    "torn": "space: {task.training.clip: {low: 1\n",
    "list": "- 1\n",
}
"""Sweeps that are wrong, by their names."""


def sweep_file(name: str) -> Callable[[Path], None]:
    """Writes the sweep of that name."""

    def act(project: Path) -> None:
        (project / "conf" / "sweep" / f"{name}.yaml").write_text(SWEEPS[name])

    return act


CONF_FILES = ("config.yaml", "grid.yaml", "task/adding.yaml", "rnn/lstm.yaml", "trainer/cpu.yaml", "sweep/basic.yaml")
WAYS = (delete, halve, flip, empty, other, fold)
Damaged = tuple[str, tuple[str, ...], tuple[str, ...], str, Callable[[Path], None]]


def damaged_conf(draw: random.Random) -> Damaged:
    """As `damaged_line`, of the settings; it is a command that reads each of them."""
    name, way = draw.choice(CONF_FILES), draw.choice((torn, latin, other, empty, fold))
    sweep = ("task=adding", "rnn=lstm", "trainer=cpu", "seed=1", "sweep=basic", "trials=0", "task.title=Mine")
    command, words = ("grid", ()) if name == "grid.yaml" else ("sweep", sweep)
    names = ("conf", name, "there is no such setting", "task is missing", "rnn must", "trials")
    return command, words, names, "refused", lambda project: way(project / "conf" / name)


def damaged_line(draw: random.Random) -> Damaged:
    """A command, its words, the names of which it must say one, how it must end, and the damage to the project."""
    if draw.random() < 0.3:
        return damaged_conf(draw)
    task, way = draw.choice(TASKS), draw.choice(WAYS)
    settings = (f"task={task}", "rnn=lstm", "seed=1")
    kind = draw.choice(["run", "run", "trained", "data"])
    if kind == "data":
        name = draw.choice(DATA_FILES)
        command = draw.choice(["train", "evaluate"])
        again = ("task.training.clip=0.5",) if command == "train" else ()  # else it is trained already
        file, words, end = f"data/processed/{task}/{name}", (*settings, *again), "refused"
        if (name == "SHA256SUMS" and way is delete) or (command, name) in (
            ("evaluate", "train.npz"),
            ("evaluate", "validation.npz"),
        ):
            end = "either"
        names = (name, "SHA256SUMS", f"data/processed/{task}")
    elif kind == "trained":
        name = draw.choice([name for name in RUN_FILES if name not in ("metrics.json", "predictor.json")])
        file, command, words, names = (
            f"trained/{task}/lstm/1/{name}",
            "evaluate",
            settings,
            (name, "SHA256SUMS", "no finished training"),
        )
        end = "either" if name == "SHA256SUMS" else "refused"
    else:
        name = draw.choice(RUN_FILES)
        file, names = f"runs/{task}/lstm/1/{name}", (name, f"{task}/lstm/1", "SHA256SUMS")
        command, words = draw.choice([
            ("predict", (f"run=runs/{task}/lstm/1",)), ("compare", (f"task={task}",)), ("results", (task,)), ("publish", ()),
            ("reproduce", (f"runs/{task}/lstm/1",)), ("digest", (f"runs/{task}/lstm", "x.json")),
        ])  # fmt: skip
        read = {"predict": ("model.ckpt", "predictor.json")}.get(command, ("training.json", "metrics.json", "curves.csv"))
        end = "refused" if command == "predict" else "told"
        if name not in read or command == "digest":
            end = "either"
    return command, words, names, end, lambda project: way(project / file)
