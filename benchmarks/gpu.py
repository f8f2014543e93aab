"""What a GPU has to show, in one script of some minutes that needs the core of the library alone.

    PYTHONPATH=src:. python -m benchmarks.gpu [--short]      writes benchmarks/gpu.json

The laws of reading for every cell on the device; the rows of `benchmarks.recurrence` there; padded rows beside packed ones;
kernels in Triton beside cuDNN and loops (`benchmarks.kernels`); a training step of every system in single precision and
bfloat16; decoding; tokens a second and memory of a word model of 2 x 650 units. Without a GPU it runs on the CPU, which shows
that it is right.
"""

import argparse
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks import kernels, recurrence
from benchmarks.recurrence import DEVICE, Row
from benchmarks.timing import in_turn
from rnn_lightning import (
    Batch,
    CTCRecognizer,
    FrameClassifier,
    LanguageModel,
    Seq2Seq,
    SequenceClassifier,
    System,
    Tagger,
    check_invariance,
)
from rnn_lightning.files import write_json
from rnn_lightning.recurrent import CELLS, build_network
from rnn_lightning.recurrent.fused import Fused

LABELS = ["-", *"abcdefghijklmnopqrstuvwxyz"]


def laws() -> list[Row]:
    """The worst difference that each cell shows in the laws of reading, in double precision on the device."""
    rows: list[Row] = []
    for cell in CELLS:
        for bidirectional in (False, True):
            network = build_network(cell, 5, 16, 2, bidirectional=bidirectional).to(DEVICE)
            gaps = check_invariance(network, inputs=torch.randn(4, 9, 5, device=DEVICE))
            rows.append({"cell": cell, "bidirectional": bidirectional, "worst": max(gaps.values())})
    return rows


def systems(units: int) -> dict[str, System]:
    """A system of each kind, of two layers."""
    rnn: dict[str, Any] = {"cell": "lstm", "hidden_size": units, "num_layers": 2}
    both = {**rnn, "bidirectional": True}
    return {
        "language model": LanguageModel(10_000, rnn, units, tied=True),
        "tagger": Tagger(10_000, 20, both, output="crf", tags=[str(tag) for tag in range(20)]),
        "frame classifier": FrameClassifier(both, 39, [str(name) for name in range(40)]),
        "sequence classifier": SequenceClassifier(rnn, 39, num_classes=10),
        "recogniser": CTCRecognizer(both, 39, LABELS),
        "translation": Seq2Seq(10_000, 10_000, rnn, end=1, embedding_size=units, attention="general", input_feeding=True),
    }


def batch_for(name: str, rows: int, steps: int) -> Batch:
    """A batch of random rows for the system ``name``."""
    draws = torch.Generator().manual_seed(0)
    lengths = torch.randint(steps // 2, steps + 1, (rows,), generator=draws)
    tokens = torch.randint(2, 10_000, (rows, steps), generator=draws)
    features = torch.randn(rows, steps, 39, generator=draws)
    classes = torch.randint(20, (rows, steps), generator=draws)
    if name == "language model":
        return Batch(tokens, None, tokens)
    if name == "tagger":
        return Batch(tokens, lengths, classes)
    if name == "frame classifier":
        return Batch(features, lengths, classes)
    if name == "sequence classifier":
        return Batch(features, lengths, classes[:, 0] % 10)
    if name == "recogniser":
        return Batch(features, lengths, 1 + classes[:, : steps // 5], lengths // 6)
    return Batch(tokens, lengths, torch.cat([tokens[:, 1:], torch.ones_like(tokens[:, :1])], 1))


def step_of(system: System, batch: Batch, precision: str) -> Callable[[], None]:
    """A training step by Adam, the gradient clipped."""
    optimizer, there = torch.optim.Adam(system.parameters()), batch.to(torch.device(DEVICE))

    def run() -> None:
        optimizer.zero_grad()
        with torch.autocast(DEVICE, torch.bfloat16, enabled=precision == "bf16"):
            loss, _ = system.loss_on(there, "train")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(system.parameters(), 1.0)
        optimizer.step()

    return run


def training_steps(units: int, rows: int, steps: int) -> list[Row]:
    """Milliseconds and memory of a step of each system, in single precision and by autocast to bfloat16."""
    found: list[Row] = []
    for name, system in systems(units).items():
        placed, batch = system.to(DEVICE).train(), batch_for(name, rows, steps)
        forms = {precision: step_of(placed, batch, precision) for precision in ("float32", "bf16")}
        _forget_peak()
        times = in_turn(forms, rounds=5)
        for precision, spread in times.items():
            sizes = {"system": name, "precision": precision, "rows": rows, "steps": steps, "units": units}
            found.append(sizes | {"milliseconds": 1000 * spread.median, "peak_mb": _peak_mb()})
            print(f"{name}, {precision}: {1000 * spread.median:.1f} ms, {_peak_mb()} MB", flush=True)
    return found


def padded_beside_packed(sizes: list[tuple[int, int, int]]) -> list[Row]:
    """On a GPU rows of unlike lengths are packed; what padded groups would take."""
    rows: list[Row] = []
    for cell in ("lstm", "gru", "elman"):
        for steps, count, units in sizes:
            network = build_network(cell, units, units, bidirectional=True).to(DEVICE)
            inputs = torch.randn(count, steps, units, device=DEVICE)
            lengths = torch.randint(steps // 2, steps + 1, (count,))

            def read(groups: Any, network: Any = network, inputs: Tensor = inputs, lengths: Tensor = lengths) -> None:
                with patch.object(Fused, "_groups", groups), patch.object(Fused, "at_once", False):
                    recurrence.training(network, inputs, lengths)()

            forms = {
                "packed": lambda read=read: read(lambda *_: []),
                "padded": lambda read=read, count=count: read(lambda *_: [list(range(count))]),
            }
            times = {f"{name}_milliseconds": 1000 * spread.median for name, spread in in_turn(forms, rounds=5).items()}
            rows.append({"cell": cell, "steps": steps, "rows": count, "units": units, **times})
    return rows


@torch.no_grad()
def decoding(units: int, steps: int) -> list[Row]:
    """Sentences a second of beam search, beam 5, and tokens a second of a continuation."""
    found, made = [], systems(units)
    translation: Any = made["translation"].to(DEVICE).eval()
    for rows in (1, 32):
        sources = torch.randint(2, 10_000, (rows, 14), device=DEVICE)
        search = {"beam_size": 5, "min_length": steps, "max_length": steps}
        taken = in_turn({"beam": lambda sources=sources, search=search: translation.translate(sources, **search)}, rounds=3)
        found.append({"what": "translation", "batch": rows, "sentences_per_second": rows / taken["beam"].median})
    return found


def word_model(units: int, rows: int = 20, steps: int = 35, vocabulary: int = 33_278) -> list[Row]:
    """Tokens a second and memory of a word model of WikiText-2's size in training."""
    found: list[Row] = []
    rnn = {"cell": "lstm", "hidden_size": units, "num_layers": 2}
    system = LanguageModel(vocabulary, rnn, units, tied=True).to(DEVICE).train()
    tokens = torch.randint(vocabulary, (rows, steps))
    for precision in ("float32", "bf16"):
        _forget_peak()
        taken = in_turn({"step": step_of(system, Batch(tokens, None, tokens), precision)}, rounds=5)["step"].median
        found.append({"units": units, "precision": precision, "tokens_per_second": rows * steps / taken, "peak_mb": _peak_mb()})
    return found


def _forget_peak() -> None:
    if DEVICE == "cuda":
        torch.cuda.reset_peak_memory_stats()


def _peak_mb() -> int | None:
    return torch.cuda.max_memory_allocated() // 2**20 if DEVICE == "cuda" else None


def measure(*, short: bool) -> Row:
    """All parts."""
    units, rows, steps = (8, 2, 10) if short else (512, 32, 100)
    results: Row = {"laws": laws(), "training_steps": training_steps(units, rows, steps)}
    sizes = [(6, 2, 8)] if short else [(35, 16, 256), (400, 64, 512), (1000, 16, 512)]
    results["padded_beside_packed"] = padded_beside_packed(sizes)
    results["kernels"] = kernels.measure(short=short)
    results["decoding"] = decoding(units, 3 if short else 20)
    results["word_model"] = word_model(8, 2, 5, 50) if short else word_model(650)
    results["rows"], results["growth"] = recurrence.measure(short=short)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="small sizes, as on a CPU")
    parser.add_argument("--into", type=Path, default=Path(__file__).with_suffix(".json"), help="the file that is written")
    options = parser.parse_args()
    torch.set_num_threads(1)
    name = torch.cuda.get_device_name() if DEVICE == "cuda" else platform.machine()
    results = measure(short=options.short or DEVICE == "cpu")
    write_json(options.into, results | {"hardware": name, "torch": torch.__version__})


if __name__ == "__main__":
    main()
