"""Preprocessing and training on corpora of many sizes: ``python -m benchmarks.large`` writes benchmarks/large.json.

What that file has already is not measured again: it may be stopped at any time.

The training rows of WikiText-2 (times 1 to 64), of Multi30k, English EWT and CLINC150 (times 1 to 16), which
``pipelines.fetch`` has brought to ``data/raw``, are repeated. Of each command: the seconds by the clock, the processor time of
all its processes, and the most memory that these hold at once, sampled: private pages and the process's share of others.
Exponents are those of processor time, which other work on the machine changes little. Of the beginning of a training: from the
check of the corpus to the first steps.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from pipelines.runs.provenance import commit, hardware
from pipelines.settings.compose import exit_on_user_error
from pipelines.settings.places import PROJECT
from rnn_lightning.files import read_json, sha256, write_json, write_sums

SIZES = {"wikitext2": (1, 4, 16, 64), "multi30k_en_de": (1, 4, 16), "ewt": (1, 4, 16), "clinc": (1, 4, 16)}
WORKERS = (1, 2)
MOST_WITH_TWO = 16
"""The largest size that two workers take on too."""
PAUSE = 0.25
"""Seconds between two looks at the memory: to add it up takes milliseconds."""
PLACE = Path("large").absolute()
STEPS = 50
BEGIN = """
import json, resource, sys, time
import lightning
from pipelines.runs.cards import card_of
from pipelines.settings.compose import compose
from pipelines.training.building import build_system

class Clock(lightning.Callback):
    def on_train_batch_end(self, *_):
        if "first_step" not in told:
            told.update(first_step=time.perf_counter() - begin, processor=time.process_time() - processor)

experiment, told = compose(sys.argv[2:]), {}
begin, processor = time.perf_counter(), time.process_time()
card, data = card_of(experiment), experiment.task.data.build(folder=experiment.processed())
system = build_system(experiment, card, planned=data.planned_steps())
quiet = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, accelerator="cpu")
trainer = lightning.Trainer(max_steps=int(sys.argv[1]), limit_val_batches=2, callbacks=[Clock()], **quiet)
trainer.fit(system, data)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(told | {"peak_mb": peak, "batches": data.planned_steps()}))
"""


def multiply(source: Path, target: Path, times: int) -> None:
    """The fetched folder ``source`` with its training rows ``times`` times over."""
    from pyarrow import parquet

    target.mkdir(parents=True)
    for split in ("validation", "test"):
        (target / f"{split}.parquet").write_bytes((source / f"{split}.parquet").read_bytes())
    table = parquet.read_table(source / "train.parquet")
    with parquet.ParquetWriter(target / "train.parquet", table.schema) as writer:
        for _ in range(times):
            writer.write_table(table)
    content = read_json(source / "source.json")
    content["files"]["train.parquet"] = sha256(target / "train.parquet")
    write_json(target / "source.json", content)
    write_sums(target)


def measure(command: Sequence[str], place: Path) -> dict[str, float]:
    """Run a command of the pipeline in ``place``; what it and its processes take."""
    began, before, peak = time.perf_counter(), os.times(), 0.0
    with psutil.Popen([sys.executable, "-m", *command], cwd=place, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, held(process))
            time.sleep(PAUSE)
    if process.returncode:
        raise SystemExit(f"{command} ended with exit code {process.returncode}")
    after = os.times()
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    return {"seconds": time.perf_counter() - began, "processor_seconds": processor, "peak_mb": peak / 2**20}


def held(process: psutil.Process) -> float:
    """The bytes of memory of a process and its descendants."""
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_full_info().pss
        except psutil.Error:  # it has just ended
            continue
    return total


def preprocess(task: str, times: int) -> dict[str, Any]:
    """Preprocess a corpus of a size, with each number of workers."""
    folder, row = PLACE / f"{task}-{times}", {}
    multiply(Path("data/raw") / task, folder / "data/raw" / task, times)
    (folder / "conf").symlink_to(PROJECT / "conf")
    for workers in WORKERS[: 2 if times <= MOST_WITH_TWO else 1]:
        row[f"workers_{workers}"] = measure(["pipelines.preprocess", f"task={task}", f"workers={workers}"], folder)
        (folder / "work/preprocessed" / task).with_suffix(".json").unlink(missing_ok=True)
    row["processed_mb"] = (folder / "data/processed" / task / "train.npz").stat().st_size / 1e6
    row["load_average"] = os.getloadavg()[0]
    return row


def begin(task: str, times: int) -> dict[str, float]:
    """The first steps of a training."""
    command = [sys.executable, "-c", BEGIN, str(STEPS), f"task={task}", "rnn=lstm"]
    folder = PLACE / f"{task}-{times}"
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def exponent(rows: Mapping[str, Any]) -> float:
    """The slope of processor time over size, both logarithmic, by least squares."""
    sizes = [int(times) for times in rows]
    return float(np.polyfit(np.log(sizes), np.log([row["workers_1"]["processor_seconds"] for row in rows.values()]), 1)[0])


def summary(rows: Mapping[str, Any], begun: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked of all sizes together."""
    first, last = begun.values()
    both = [row for row in rows.values() if "workers_2" in row]
    return {
        "exponent": exponent(rows),
        "exponent_of_the_largest_two": exponent(dict(list(rows.items())[-2:])),
        "peak_mb": max(row[name]["peak_mb"] for row in rows.values() for name in row if name.startswith("workers")),
        "two_workers_are_faster": both[-1]["workers_1"]["seconds"] / both[-1]["workers_2"]["seconds"],
        "begins_later_by_seconds": last["first_step"] - first["first_step"],
        "takes_more_mb": last["peak_mb"] - first["peak_mb"],
    }


def study(task: str, goes: int, results: dict[str, Any], file: Path) -> None:
    """Measure what ``results`` lack, and write them to ``file`` as they come."""
    of_task = results.setdefault(task, {"preprocess": {}})
    rows, ends = of_task["preprocess"], (SIZES[task][0], SIZES[task][-1])
    for times in SIZES[task]:
        kept = times not in ends or (PLACE / f"{task}-{times}/data/processed" / task).exists()
        if str(times) not in rows or not kept:
            shutil.rmtree(PLACE / f"{task}-{times}", ignore_errors=True)
            rows[str(times)] = preprocess(task, times)
            print(task, times, rows[str(times)], flush=True)
            write_json(file, results)
    begun = {str(times): [begin(task, times) for _ in range(goes)] for times in ends}
    of_task["training"] = {times: {key: min(one[key] for one in some) for key in some[0]} for times, some in begun.items()}
    of_task["summary"] = summary(rows, of_task["training"])
    write_json(file, results | {"hardware": hardware("cpu"), "commit": commit()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=list(SIZES))
    parser.add_argument("--goes", type=int, default=3, help="trainings begun of each size, of which the best counts")
    options = parser.parse_args()
    file = Path(__file__).with_suffix(".json")
    results = read_json(file) if file.exists() else {}
    for task in options.tasks:
        study(task, options.goes, results, file)
    shutil.rmtree(PLACE)


if __name__ == "__main__":
    exit_on_user_error(main)
