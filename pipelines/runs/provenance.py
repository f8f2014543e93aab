"""Where a run comes from: its code, its data, its machine, and the command that makes it again."""

import copy
import hashlib
import json
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.runs.code import own_code, weights_hash
from pipelines.runs.computed import computed_in
from pipelines.runs.initial import source_of
from pipelines.settings.nested import changes
from pipelines.settings.places import IN_CLONE, PROJECT
from pipelines.settings.schema import DESCRIPTIVE_KEYS, Experiment
from pipelines.settings.seals import KEY, OPEN, read_sealed, write_sealed
from rnn_lightning.files import sha256
from rnn_lightning.processor import of_each

if TYPE_CHECKING:
    from rnn_lightning.recurrent import Architecture

MADE_OF = ("conf", "src", "pipelines")
"""Folders whose files decide a run, also those that git does not track."""
LOCKS = ("dvc.lock", "hub/dvc.lock")
"""What DVC writes as it goes: no change of code or settings."""
ROUNDING = (
    *("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS"),
    "NVIDIA_TF32_OVERRIDE",
)
"""Variables of the environment by which the libraries of products take other instructions: sums are rounded otherwise then."""

PARTS = {"convolution": "convolution", "mlp": "MLP"}
"""By the keyword of ``build_network``, what a block may have, as reports call it."""


def provenance(experiment: Experiment, seed: int, data: str) -> dict[str, Any]:
    """What is known of a run before it begins; ``data`` is the hash of its processed corpus.

    Raises:
        ValueError: for an unknown cell, or a backend that cannot compute here.
    """
    import torch

    from rnn_lightning.recurrent import CELLS, architecture_of

    name = experiment.rnn.get("cell")
    if name not in CELLS and "." not in str(name):
        raise ValueError(f"rnn.cell must be one of {sorted(CELLS)}, not {name!r}")
    keywords = {**experiment.rnn, **experiment.task.rnn}
    device = "cuda" if experiment.trainer.accelerator != "cpu" and torch.cuda.is_available() else "cpu"
    lock, trainer = PROJECT / "dvc.lock", experiment.trainer
    architecture = architecture_of(str(name))
    backend = kernels_of(keywords, device, architecture) or architecture.backend_on(device, keywords)
    return {
        "task": experiment.task_name,
        "rnn": experiment.rnn_name,
        "seed": seed,
        "name": experiment.run(seed).parent.name.removeprefix(experiment.rnn_name).removeprefix("-"),
        "label": label_of(architecture.label, keywords),
        "backend": backend,
        "unit": experiment.task.unit,
        "threads": trainer.threads,
        "precision": f"{trainer.precision}, {trainer.matmul_precision} matrix products",
        "hardware": hardware(trainer.accelerator),
        "versions": versions() | {"backend": backend, "processor": processor(trainer.accelerator)},
        "commit": commit(),
        "dvc_lock": sha256(lock) if lock.exists() else None,
        "data": data,
        "config": experiment.plain(seed),
        "command": shlex.join(["python", "-m", "pipelines.train", *experiment.overrides(seed)]),
        **({"own_code": code} if (code := own_code(experiment.rnn)) else {}),
        **({"init_from": source} if (source := source_of(experiment)) else {}),
    }


def label_of(cell: str, keywords: Mapping[str, Any]) -> str:
    """What reports call a network of these ``keywords`` of ``build_network``, whose cell has a label."""
    parts = [f"{'Bi' if keywords.get('bidirectional') else ''}{cell}"]
    if (block := keywords.get("block", "plain")) != "plain":
        within = " and ".join(called for name, called in PARTS.items() if keywords.get(name))
        parts.append(f"{block} blocks{' with ' if within else ''}{within}")
    parts += ["chrono"] if isinstance(keywords.get("forget_bias"), Mapping) else []
    return ", ".join(parts)


def kernels_of(keywords: Mapping[str, Any], device: str, architecture: "type[Architecture]") -> str | None:
    """The kernels that ``keywords`` of ``build_network`` ask for, which can compute the cell on the ``device``; ``None``: none.

    Raises:
        ValueError: where it cannot.
    """
    import torch

    from rnn_lightning.kernels import check_backend, check_usable

    if (backend := keywords.get("backend", "auto")) == "auto":
        return None
    check_backend(backend)
    if architecture.triton is not None:  # else the network itself refuses them
        check_usable(torch.device(device), backend)
    return backend


def run_tags(task: str, values: dict[str, Any]) -> dict[str, str]:
    """The tags by which the dashboard's table is searched and grouped, from what ``training.json`` holds."""
    names = ("rnn", "seed", "label", "hardware", "threads", "precision", "backend", "commit", "dvc_lock", "data")
    known = {name: str(values[name]) for name in names if values.get(name) is not None}
    return {"task": task} | known | ({"computed_in": said} if (said := computed_in(values.get("layers", {}))) else {})


def key_of(facts: dict[str, Any]) -> str:
    """A short hash of what decides the weights: configuration, data, initial weights and code; not the task's title and
    description, the search of its test or the sweep that found its values."""
    config = copy.deepcopy(facts["config"])
    for name in DESCRIPTIVE_KEYS:
        config["task"].pop(name)
    config["task"]["metric"].pop("search")
    config.pop("tuning", None)
    decisive = [config, facts["data"], weights_hash()]
    decisive += [facts["init_from"]["weights"]] if "init_from" in facts else []
    decisive += [facts["own_code"]] if "own_code" in facts else []
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:12]


def commit() -> str:
    """The commit of the working tree, with ``-dirty`` where a tracked file but DVC's locks has changed since, or a folder of
    `MADE_OF` has a file that git neither tracks nor ignores; of an installed package its version."""
    if not IN_CLONE:
        return f"rnn-lightning-{metadata.version('rnn-lightning')}"
    head = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", *(f":!{lock}" for lock in LOCKS))
    untracked = _git("ls-files", "--others", "--exclude-standard", "--", *MADE_OF)
    return f"{head}-dirty" if head and (changed or untracked) else head or "unknown"


def _git(*arguments: str) -> str:
    """What git prints; nothing where it fails or is not installed, or this is no checkout."""
    try:
        done = subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True, errors="replace", check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def versions() -> dict[str, str]:
    """What computes: Python, its packages for numbers, PyTorch's libraries of matrix products, the instructions of the
    processor (the set that PyTorch may use, and all for vectors that there are), and the variables that limit these."""
    import torch
    from torch.backends.cpu import get_cpu_capability

    packages = {name: metadata.version(name) for name in ("torch", "lightning", "numpy")}
    built = torch.__config__.show()
    libraries = {"": r"BLAS_INFO=(\w+)", "MKL ": r"Math Kernel Library Version (\S+)", "oneDNN ": r"(?:MKL-DNN|oneDNN) (v\S+)"}
    blas = ", ".join(f"{name}{found[1]}" for name, said in libraries.items() if (found := re.search(said, built)))
    capability = {"cpu_capability": get_cpu_capability(), "cpu_features": " ".join(sorted(cpu_features()))}
    rounding = " ".join(f"{name}={os.environ[name]}" for name in ROUNDING if os.environ.get(name))
    return {"python": platform.python_version(), **packages, "blas": blas, **capability, "variables": rounding}


def cpu_features() -> set[str]:
    """The instructions for vectors and matrices that the processor has, as Linux names them; empty elsewhere."""
    (flags, *_) = [*of_each("flags"), *of_each("Features"), ""]
    return {flag for flag in flags.split() if flag.startswith(("avx", "amx", "fma", "sse4", "asimd", "sve"))}


def note_environment(folder: Path, now: dict[str, str]) -> list[dict[str, str]]:
    """All environments that the training in ``folder`` was in, this one the last; another one than before is told of."""
    file = folder / "environments.json"
    again = "remove it, and the training goes on without what it says of earlier environments"
    known = read_sealed(file, ["environments"], again=again)["environments"] if file.exists() else []
    if known and known[-1] != now:
        different = changes(known[-1], now)
        print(f"warning: {folder} goes on in another environment ({different}): its numbers may differ", file=sys.stderr)
    if not known or known[-1] != now:
        write_sealed(file, json.dumps({KEY: OPEN, "environments": [*known, now]}, indent=2) + "\n")
        return [*known, now]
    return known


def hardware(accelerator: str) -> str:
    """The processor that trains; of a CPU also its instructions and cores.

    Raises:
        ValueError: where a graphics processor is asked for and there is none.
    """
    if accelerator == "gpu":
        return processor(accelerator)
    from torch.backends.cpu import get_cpu_capability  # which decides how sums are rounded

    return f"{processor(accelerator)}, {get_cpu_capability()}, {os.cpu_count()} cores"


def processor(accelerator: str) -> str:
    """The name of the processor that trains.

    Raises:
        ValueError: where a graphics processor is asked for and there is none.
    """
    if accelerator == "gpu":
        import torch

        if not torch.cuda.is_available():
            raise ValueError("trainer.accelerator is gpu, but PyTorch finds no graphics processor: take trainer=cpu")
        return torch.cuda.get_device_name()
    names = of_each("model name")
    return names[0] if names else platform.machine()
