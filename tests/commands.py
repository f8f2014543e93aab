"""What the commands of a page ask for, checked without doing their work: settings compose, targets and runs are there."""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from documents import ROOT
from dvc.cli import parse_args

from pipelines.new import read_arguments
from pipelines.reproduce import find
from pipelines.results import read_results
from pipelines.settings.compose import CONF, compose
from pipelines.settings.grids import planned_runs, read_grids
from pipelines.settings.tasks import read_task

STAGES = {"fetch", "preprocess", "train", "evaluate"}


def check_python(arguments: list[str]) -> None:
    flag, module, *rest = arguments
    assert flag == "-m", arguments
    assert importlib.util.find_spec(module), f"there is no module {module}"
    check = MODULES.get(module) or (check_stage if module.removeprefix("pipelines.") in STAGES else None)
    assert check or module.startswith("benchmarks."), f"no check for python -m {module}"
    if check:
        check(rest)


def check_rnn(arguments: list[str]) -> None:
    """What ``rnn NAME`` runs is ``python -m pipelines.NAME``."""
    name, *rest = arguments
    if name != "--help":
        check_python(["-m", f"pipelines.{name}", *rest])


def check_stage(arguments: list[str]) -> None:
    """The command line composes, and its corpus can be made of its settings."""
    if any(word.startswith("run=") for word in arguments):
        from pipelines.measuring.elsewhere import read_words

        folder, other = read_words(arguments)
        assert folder.parts[0] == "runs" and len(folder.parts) == 4 and other.task.corpus.build()
    else:
        assert compose(arguments).task.corpus.build()


def check_sweep(arguments: list[str]) -> None:
    from pipelines.sweeping.arguments import read_arguments
    from pipelines.sweeping.settings import read_sweep

    order = read_arguments(arguments)
    assert read_sweep(order.sweep).space
    assert len(compose(["tuned=none", *order.overrides]).all_seeds()) == 1


def check_predict(arguments: list[str]) -> None:
    """Each run is one that the pipeline makes, and its kind takes the other arguments."""
    from pipelines.kinds import kind_of
    from pipelines.predict import folders_of, options_of, read_options
    from pipelines.settings.base import validate
    from rnn_lightning.predictors import PREDICTORS

    keywords = read_options(arguments)
    if str(keywords["run"]).startswith("hub:"):  # what it is, the Hub knows
        return
    for folder in folders_of(keywords.pop("run")):
        top, task, rnn, seed = Path(folder).parts
        assert top == "runs" and seed.isdigit()
        assert validate(options_of(PREDICTORS[kind_of(compose([f"task={task}", f"rnn={rnn}"])).predictor]), keywords)


def check_serve(arguments: list[str]) -> None:
    """The settings are ones that there are; a folder is one that the pipeline makes."""
    from pipelines.serve import read_words

    settings = read_words(arguments)
    top, task, rnn, seed = Path(settings.run or "runs/dates/lstm/1").parts
    assert top == "runs" and seed.isdigit() and compose([f"task={task}", f"rnn={rnn}"])


def check_export(arguments: list[str]) -> None:
    """The settings are ones that there are; the folder is one that the pipeline makes."""
    from pipelines.export import read_words

    top, task, rnn, seed = Path(read_words(arguments).run).parts
    assert top == "runs" and seed.isdigit() and compose([f"task={task}", f"rnn={rnn}"])


def check_share(arguments: list[str]) -> None:
    """The settings are ones that there are; the folder is one that the pipeline makes."""
    from pipelines.share import read_words
    from rnn_lightning.hub import check_repository

    settings = read_words(arguments)
    check_repository(settings.to)
    top, *_ = Path(settings.run).parts
    assert top in ("runs", "exports")


def check_runtime(arguments: list[str]) -> None:
    """The folder is named as `rnn export` names it, and the options are of the kind of its task."""
    import inspect

    from pipelines.kinds import kind_of
    from rnn_lightning.runtime import DEPLOYED
    from rnn_lightning.runtime.__main__ import read_option

    top, _, name = arguments[0].partition("/")
    task, rnn, seed = name.rsplit("-", 2)
    assert top == "exports" and seed.isdigit()
    kind = DEPLOYED[kind_of(compose([f"task={task}", f"rnn={rnn}"])).predictor]
    known = {"format", *inspect.signature(kind.load).parameters}
    assert {read_option(word)[0] for word in arguments[1:]} <= known


def check_microscope(arguments: list[str]) -> None:
    """The settings are ones that there are; the folders are ones that the pipeline makes."""
    from pipelines.microscope import read_words

    check_runs(read_words(arguments).run)


def check_demo(arguments: list[str]) -> None:
    """As `check_microscope`."""
    from pipelines.demo import read_words

    check_runs(read_words(arguments).run)


def check_runs(folders: list[str]) -> None:
    """They are ones that the pipeline makes."""
    for top, task, rnn, seed in (Path(folder).parts for folder in folders):
        assert top == "runs" and seed.isdigit() and compose([f"task={task}", f"rnn={rnn}"])


def check_reproduce(arguments: list[str]) -> None:
    find(arguments[0], None)


def check_new(arguments: list[str]) -> None:
    name, keys = read_arguments(arguments)
    assert name and "from" in keys


def check_compare(arguments: list[str]) -> None:
    tasks = [word.removeprefix("task=") for word in arguments if word.startswith("task=")]
    assert all(read_task(CONF, task) for task in tasks) if tasks else planned_runs(CONF, arguments)


def check_results(arguments: list[str]) -> None:
    assert all(read_results(ROOT / "results" / f"{task}.json") for task in arguments if task != "--check")


MODULES: dict[str, Callable[[list[str]], None]] = {
    "pipelines.sweep": check_sweep,
    "pipelines.predict": check_predict,
    "pipelines.serve": check_serve,
    "pipelines.export": check_export,
    "pipelines.share": check_share,
    "rnn_lightning.runtime": check_runtime,
    "pipelines.demo": check_demo,
    "pipelines.microscope": check_microscope,
    "pipelines.reproduce": check_reproduce,
    "pipelines.new": check_new,
    "pipelines.compare": check_compare,
    "pipelines.results": check_results,
}


def check_make(arguments: list[str]) -> None:
    """The target is there, and so is the report that GRID names."""
    subprocess.run(["make", "-n", *arguments], cwd=ROOT, check=True, capture_output=True)
    for grid in (argument.removeprefix("GRID=") for argument in arguments if argument.startswith("GRID=")):
        assert grid in read_grids(CONF), f"there is no grid {grid}"


@cache
def stages() -> set[str]:
    command = [sys.executable, "-m", "dvc", "stage", "list", "--all", "--name-only"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return {*listed, *(stage.partition("@")[0] for stage in listed)}


def check_dvc(arguments: list[str]) -> None:
    """DVC takes the command line, and its targets are stages."""
    options = parse_args(arguments)
    if arguments[0] == "repro":
        assert {*(options.targets or [])} <= stages()


def check_pip(arguments: list[str]) -> None:
    """What is installed in place has the extras that are asked for, and the constraints exist."""
    extras = [extra for group in re.findall(r"\.\[([\w,]+)\]", " ".join(arguments)) for extra in group.split(",")]
    pyproject = (ROOT / "pyproject.toml").read_text()
    assert arguments[0] in ("install", "wheel") and all(
        re.search(rf"^{extra} = \[", pyproject, re.MULTILINE) for extra in extras
    )
    assert "-c" not in arguments or (ROOT / arguments[arguments.index("-c") + 1]).exists()


def check_curl(arguments: list[str]) -> None:
    """A request to a model server: its JSON is one, and its parameters are of one kind of predictors."""
    from pipelines.tracking.finished import parameters_of
    from pipelines.tracking.requests import check_request, read_body
    from rnn_lightning.predictors import PREDICTORS

    quiet, address, *rest = arguments
    options = dict(zip(rest[::2], rest[1::2], strict=True))
    assert quiet == "-s" and address.endswith("/invocations") and options["-H"] == "Content-Type: application/json"
    if (body := options["-d"].encode()) != b"@-":
        given = {*read_body(body).get("params", {})}
        kinds = [{each["name"]: each["type"] for each in parameters_of(kind)} for kind in PREDICTORS.values()]
        check_request(body, next(kind for kind in kinds if given <= {*kind}))


def check_launcher(arguments: list[str]) -> None:
    """What is started behind ``--`` is checked as it is alone."""
    if "--" in arguments:
        program, *rest = arguments[arguments.index("--") + 1 :]
        PROGRAMS[program](rest)


def check_docker(arguments: list[str]) -> None:
    """There is a file to build from, and what is run mounts the folder of a run that the pipeline makes."""
    assert arguments[0] in ("build", "run") and (ROOT / "Dockerfile").exists()
    for mount in (word for word in arguments if word.endswith(":ro")):
        folder, inside, _ = mount.split(":")
        *_, task, rnn, seed = Path(folder).parts
        assert inside == "/run" and seed.isdigit() and compose([f"task={task}", f"rnn={rnn}"])


PROGRAMS: dict[str, Callable[[list[str]], None]] = {
    "python": check_python,
    "rnn": check_rnn,
    "make": check_make,
    "dvc": check_dvc,
    "pip": check_pip,
    "curl": check_curl,
    "docker": check_docker,
    "ray": check_launcher,
    "srun": check_launcher,
}
