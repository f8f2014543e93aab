"""Who may import whom: the directions of the library's rooms and of those of pipelines/."""

from collections.abc import Iterator
from pathlib import Path

from house import LIBRARY, ROOT, at_import, imports_of, none, package_of, python_files, room_of, room_of_file

MAY_IMPORT: dict[str, set[str]] = {
    "sliced": set(),
    "workers": set(),
    "archives": {"sliced"},
    "leftovers": set(),
    "files": {"leftovers"},
    "pieces": {"files"},
    "mapped": {"pieces", "sliced"},
    "checks": set(),
    "registry": {"checks"},
    "optimization": {"checks", "registry"},
    "symbols": set(),
    "quantiles": {"checks"},
    "label_names": set(),
    "sequences": {"checks", "symbols"},
    "processes": {"sequences"},
    "layer_precision": set(),
    "progress": set(),
    "regularize": {"checks", "sequences"},
    "derivatives": set(),
    "hub": {"checks"},
    "output_layer": {"derivatives", "products", "sequences"},
    "standardize": {"checks"},
    "pen": {"checks"},
    "audio": set(),
    "kernels": {"checks", "derivatives", "sequences"},
    "recurrent": {
        *{"checks", "derivatives", "files", "kernels", "leftovers", "products", "registry", "sequences"},
        *{"processor", "regularize"},
    },
    "attention": {"checks", "products", "registry", "sequences"},
    "copying": {"attention", "checks", "products", "sequences"},
    "loop_products": {"derivatives", "packed", "products", "recurrent"},
    "decoder": {"checks", "copying", "loop_products", "products", "sequences", "regularize", "recurrent", "attention"},
    "exporting": set(),
    "characters": {"checks", "exporting", "registry", "sequences", "recurrent"},
    "vectors": {"files"},
    "search": {"checks", "registry", "sequences"},
    "pictures": {"checks", "exporting", "sequences"},
    "subsampling": {"checks", "exporting", "pictures", "registry", "sequences"},
    "ngram": {"checks", "sequences"},
    "arpa": {"files"},
    "back_off": {"arpa", "checks", "ngram", "sequences"},
    "ctc": {"checks", "sequences"},
    "transducer": {"checks", "ctc", "sequences"},
    "tag_schemes": {"checks"},
    "crf": {"checks", "derivatives", "sequences", "tag_schemes"},
    "metrics": {"sequences", "tag_schemes"},
    "forecast_metrics": {"checks"},
    "budget": {"checks", "sequences", "recurrent"},
    "packed": set(),
    "processor": set(),
    "products": {"packed", "processor"},
    "inference": {"checks", "recurrent", "packed", "products"},
    "laws": {"checks", "sequences"},
    "microscope": {"checks", "sequences", "recurrent", "optimization", "systems"},
    "data": {"checks", "files", "mapped", "pieces", "sliced", "registry", "sequences", "processes", "progress", "pen"},
    "corpora": {
        *{"archives", "files", "leftovers", "pieces", "sliced", "workers", "symbols", "vectors", "pen", "audio", "tag_schemes"},
    },
    "models": {
        *{"checks", "files", "hub", "symbols", "sequences", "regularize", "recurrent", "attention", "decoder"},
        *{"characters", "copying"},
        *{"exporting", "label_names", "optimization", "quantiles", "transducer"},
        *{"registry", "search", "ctc", "crf", "tag_schemes", "standardize", "subsampling", "output_layer", "products"},
    },
    "systems": {
        *{
            "checks",
            "files",
            "hub",
            "leftovers",
            "symbols",
            "sequences",
            "processes",
            "progress",
            "recurrent",
            "models",
            "copying",
        },
        *{"search", "ctc", "metrics", "forecast_metrics", "output_layer", "label_names", "optimization", "quantiles"},
        *{"transducer"},
    },
    "items": {"audio", "checks", "corpora", "files", "quantiles", "tag_schemes", "label_names", "registry", "symbols"},
    "predictors": {"checks", "corpora", "files", "hub", "inference", "items", "models", "recurrent", "search", "sequences"},
    "export": {
        "attention",
        "checks",
        "decoder",
        "files",
        "hub",
        "items",
        "laws",
        "models",
        "predictors",
        "recurrent",
        "runtime",
        "sequences",
    },
    "runtime": {"checks", "corpora", "files", "items", "label_names"},
}
"""Each room of the library with those it may import; the package itself may import all but corpora."""
PACKAGE_MAY_IMPORT = set(MAY_IMPORT) - {"corpora"}

COMMANDS = {
    *{"fetch", "preprocess", "train", "evaluate", "compare", "sweep", "predict", "serve", "export", "share"},
    *{"microscope", "demo"},
    *{"__main__", "init", "new", "publish", "results", "repro", "reproduce", "digest", "grid", "plan"},
}
"""Modules of pipelines/ that are run, ``python -m pipelines.NAME``; they may import any room."""
ROOMS_MAY_IMPORT: dict[str, set[str]] = {
    "display": set(),
    "settings": {"display"},
    "runs": {"settings"},
    "tracking": {"display", "settings", "runs"},
    "kinds": {"display", "settings", "runs", "tracking"},
    "training": {"display", "settings", "runs", "tracking", "kinds"},
    "measuring": {"settings", "runs", "tracking", "kinds", "training"},
    "comparing": {"display", "settings", "runs", "tracking"},
    "documenting": {"display", "settings", "runs", "comparing"},
    "sweeping": {"display", "settings", "runs", "tracking", "kinds", "training"},
    "trying": {"display", "settings", "runs", "tracking"},
}
"""Each room of pipelines/ with those it may import. No training imports a report."""
ROOT_MAY_IMPORT = {"runs", "settings"}
"""What ``pipelines/__init__.py`` imports, which every command runs before itself."""
COMMANDS_MAY_IMPORT: dict[str, set[str]] = {
    "repro": {"grid", "results"},
    "reproduce": {"results"},
}
"""Commands that another command calls."""

PIPELINE_TOOLS = {"hydra", "omegaconf", "mlflow", "optuna", "dvc", "pydantic"}
CORPUS_TOOLS = {"datasets", "tokenizers"}
LIGHTNING = {"lightning", "pytorch_lightning"}
LIGHTNING_ROOMS = {"systems", "data", "microscope"}
CORPUS_ROOMS = {"corpora", "items", "predictors"}
KNOWS_MLFLOW = ("pipelines/tracking",)


def test_a_room_of_the_library_imports_only_the_rooms_below_it() -> None:
    none(line for path in python_files("src") for line in _library_violations(path))


def _library_violations(path: str) -> Iterator[str]:
    own = room_of_file(path)
    allowed = PACKAGE_MAY_IMPORT if own == "" else {own, *MAY_IMPORT.get(own, set())}
    if own not in {"", *MAY_IMPORT}:
        yield f"{path} is in no room: give {own!r} its line in MAY_IMPORT"
    for module, node in imports_of(path):
        top = module.split(".")[0]
        tools = top == "pipelines" or top in PIPELINE_TOOLS or (top in LIGHTNING and own not in LIGHTNING_ROOMS)
        early = top in CORPUS_TOOLS and (own not in CORPUS_ROOMS or node in at_import(path))
        if tools or early or (top == LIBRARY and room_of(module) not in allowed):
            yield f"{path}:{node.lineno} imports {module}"


def test_a_room_of_pipelines_imports_only_the_rooms_below_it() -> None:
    none(line for path in python_files("pipelines") for line in _pipeline_violations(path))


def _pipeline_violations(path: str) -> Iterator[str]:
    own = room_of_file(path)
    if own == "":
        allowed = {"", *ROOT_MAY_IMPORT}
    elif own in COMMANDS:
        allowed = {*ROOMS_MAY_IMPORT, *COMMANDS_MAY_IMPORT.get(own, set())}
    else:
        allowed = {own, *ROOMS_MAY_IMPORT.get(own, set())}
    if own not in {"", *COMMANDS, *ROOMS_MAY_IMPORT}:
        yield f"{path} is no command and in no room: give {own!r} its line in COMMANDS or ROOMS_MAY_IMPORT"
    for module, node in imports_of(path):
        names = [module] if module != "pipelines" else [f"pipelines.{alias.name}" for alias in getattr(node, "names", [])]
        for name in names:
            if name.startswith("pipelines.") and room_of(name) not in allowed:
                yield f"{path}:{node.lineno} imports {name}"


def test_every_room_and_command_of_these_lists_exists() -> None:
    library = {room_of_file(path) for path in python_files("src")} - {""}
    pipelines = {room_of_file(path) for path in python_files("pipelines")} - {""}
    assert library == set(MAY_IMPORT)
    assert pipelines == COMMANDS | set(ROOMS_MAY_IMPORT)
    for allowed, known in ((MAY_IMPORT, library), (ROOMS_MAY_IMPORT, pipelines), (COMMANDS_MAY_IMPORT, pipelines)):
        none(f"{own} may import {other}, which does not exist" for own in allowed for other in allowed[own] - known)
    assert all((ROOT / path).exists() for path in KNOWS_MLFLOW)


def test_a_room_of_the_library_imports_only_what_it_needs() -> None:
    """An entry of MAY_IMPORT that nothing uses any more goes."""
    used: dict[str, set[str]] = {}
    for path in python_files("src"):
        used.setdefault(room_of_file(path), set()).update(
            room_of(module) for module, _ in imports_of(path) if module.startswith(f"{LIBRARY}.")
        )
    none(f"{own} needs no {sorted(unused)}" for own in MAY_IMPORT if (unused := MAY_IMPORT[own] - used.get(own, set())))


def test_one_place_knows_mlflow() -> None:
    paths = [path for path in python_files("pipelines", "benchmarks") if not path.startswith(KNOWS_MLFLOW)]
    imported = ((path, node.lineno) for path in paths for module, node in imports_of(path) if module.split(".")[0] == "mlflow")
    none(f"{path}:{line} imports mlflow" for path, line in imported)


def test_no_module_imports_itself_through_others() -> None:
    files = python_files("src", "pipelines")
    modules = {".".join([*package_of(path), Path(path).stem]).removesuffix(".__init__"): path for path in files}
    imported = {
        name: {module for module, node in imports_of(path) if module in modules and node in at_import(path)}
        for name, path in modules.items()
    }
    none(f"{name} imports itself through others" for name in modules if name in _reached(imported, name))


def _reached(imported: dict[str, set[str]], name: str) -> set[str]:
    waiting, reached = list(imported[name]), set[str]()
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += imported[module]
    return reached
