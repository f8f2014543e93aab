"""Speed of CTC prefix beam search, beside a straightforward one, without and with n-grams.

    python -m benchmarks.ctc [--pairs 3]      writes benchmarks/ctc.json

16 rows of 200 steps over 80 labels, as peaked as those of a recogniser, a beam of 16, n-grams of order 3, one thread. The
straightforward search is that of Hannun et al. (2014, arXiv:1408.2873) as tutorials write it: row by row, prefixes in
dictionaries. Both find the same labels in double precision, which is checked first; then they are timed in turn, in single
precision and processor time, so that other work on the machine counts little; and so is ours with a cut of 1e-4.
"""

import argparse
import math
from collections import defaultdict
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.timing import processor_seconds
from pipelines.runs.provenance import commit, hardware
from rnn_lightning import NGram, ShallowFusion, ctc_beam_search
from rnn_lightning.files import write_json

ROWS, STEPS, LABELS, BEAM, ORDER, BLANK = 16, 200, 80, 16, 3, 0
CUT = 1e-4
WEIGHT, BONUS = 0.5, 1.0
IMPOSSIBLE = -math.inf
Prefix = tuple[int, ...]


class Language(NamedTuple):
    """n-grams as plain lists: ``log_probs[state][label]``, and the next state ``following[state][label]``."""

    log_probs: list[list[float]]
    following: list[list[int]]


class Scores(NamedTuple):
    """Log-probabilities of a prefix's paths that end in a blank, and in its last label; the n-grams' score and state."""

    blank: float
    label: float
    lm_score: float
    lm_state: int


def posteriors(sharpness: float = 6.0) -> Tensor:
    """Log-probabilities (16, 200, 80), the blank's the likeliest at most steps."""
    draws = torch.Generator().manual_seed(0)
    scores = sharpness * torch.randn(ROWS, STEPS, LABELS, generator=draws, dtype=torch.float64)
    scores[:, :, BLANK] += 3 * sharpness
    return scores.log_softmax(2)


def language() -> NGram:
    """n-grams of label sequences drawn at random, some labels likelier than others."""
    draws = torch.Generator().manual_seed(1)
    likely = 1 / torch.arange(1, LABELS, dtype=torch.float64)
    texts = [(1 + torch.multinomial(likely, 30, replacement=True, generator=draws)).tolist() for _ in range(500)]
    return NGram(texts, vocab_size=LABELS, order=ORDER, end=BLANK)


def logaddexp(one: float, other: float) -> float:
    """log(exp(one) + exp(other))."""
    high, low = (one, other) if one > other else (other, one)
    return high if low == IMPOSSIBLE else high + math.log1p(math.exp(low - high))


def straightforward(rows: list[list[list[float]]], grams: Language | None) -> list[tuple[Prefix, float]]:
    """The best labels of each row and their score."""
    return [search_row(row, grams) for row in rows]


def search_row(row: list[list[float]], grams: Language | None) -> tuple[Prefix, float]:
    """The best labels of one row and their score."""
    beam: dict[Prefix, Scores] = {(): Scores(0.0, IMPOSSIBLE, 0.0, grams.following[0][BLANK] if grams else 0)}
    for emissions in row:
        extensions: dict[Prefix, list[float]] = defaultdict(lambda: [IMPOSSIBLE, IMPOSSIBLE])
        for prefix, (blank, label, _, _) in beam.items():
            extend(extensions, prefix, blank, label, emissions)
        of_lm = {prefix: beam[prefix][2:] if prefix in beam else lm_score(beam, prefix, grams) for prefix in extensions}
        ranked = sorted(extensions, key=lambda prefix: -(logaddexp(*extensions[prefix]) + of_lm[prefix][0]))[:BEAM]
        beam = {prefix: Scores._make([*extensions[prefix], *of_lm[prefix]]) for prefix in ranked}
    ends = {prefix: logaddexp(blank, label) + of_lm for prefix, (blank, label, of_lm, _) in beam.items()}
    if grams:
        ends = {prefix: score + WEIGHT * grams.log_probs[beam[prefix].lm_state][BLANK] for prefix, score in ends.items()}
    return max(ends.items(), key=lambda pair: pair[1])


def extend(extensions: dict[Prefix, list[float]], prefix: Prefix, blank: float, label: float, emissions: list[float]) -> None:
    """Add to ``extensions`` those that a step of ``emissions`` makes of ``prefix``."""
    total = logaddexp(blank, label)
    same = extensions[prefix]
    same[0] = logaddexp(same[0], total + emissions[BLANK])
    last = prefix[-1] if prefix else BLANK
    if prefix:
        same[1] = logaddexp(same[1], label + emissions[last])
    for following in range(LABELS):
        if following != BLANK:
            longer = extensions[*prefix, following]
            longer[1] = logaddexp(longer[1], (blank if following == last else total) + emissions[following])


def lm_score(beam: dict[Prefix, Scores], prefix: Prefix, grams: Language | None) -> tuple[float, int]:
    """The n-grams' score of a ``prefix`` that is new in the beam, and their state."""
    if grams is None:
        return 0.0, 0
    stem, label = beam[prefix[:-1]], prefix[-1]
    return stem.lm_score + WEIGHT * grams.log_probs[stem.lm_state][label] + BONUS, grams.following[stem.lm_state][label]


def compare(counted: NGram | None, pairs: int) -> dict[str, float | str]:
    """Times of both searches, and their ratio, the medians over ``pairs``.

    Raises:
        AssertionError: where their results differ.
    """
    exact = posteriors()
    fusion = ShallowFusion(counted.step, counted.start, WEIGHT, BONUS) if counted else None
    grams = Language(counted.log_probabilities.tolist(), counted.following.tolist()) if counted else None
    found = ctc_beam_search(exact, beam_size=BEAM, blank=BLANK, fusion=fusion)
    for row, (labels, score) in enumerate(straightforward(exact.tolist(), grams)):
        assert tuple(found.labels[row, 0, : found.lengths[row, 0]].tolist()) == labels, f"row {row} differs"
        assert math.isclose(found.scores[row, 0].item(), score, rel_tol=1e-9), f"the score of row {row} differs"
    single = exact.float()
    plain = single.tolist()
    search = partial(ctc_beam_search, single, beam_size=BEAM, blank=BLANK, fusion=fusion)
    forms = (search, partial(search, cut=CUT), partial(straightforward, plain, grams))
    times = [[processor_seconds(form) for form in forms] for _ in range(pairs)]
    ours, quick, theirs = (median(column) for column in zip(*times, strict=True))
    same = (search().labels == search(cut=CUT).labels).all(2).double().mean().item()
    name = f"{ORDER}-grams" if counted else "alone"
    ratio = median(other / one for one, _, other in times)
    length = found.lengths.double().mean().item()
    print(f"{name}: {ROWS} rows in {ours:.2f} s, straightforward {theirs:.2f} s, ratio {ratio:.1f}; {length:.0f} labels a row")
    cutting = {"cut_seconds": quick, "cut_ratio": median(one / cut for one, cut, _ in times), "cut_finds_the_same": same}
    speeds = {"seconds": ours, "straightforward_seconds": theirs, "ratio": ratio}
    return {"search": name, **speeds, "labels_a_row": length, **cutting}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    pairs = parser.parse_args().pairs
    torch.set_num_threads(1)
    rows = [compare(counted, pairs) for counted in (None, language())]
    sizes = {"rows": ROWS, "steps": STEPS, "labels": LABELS, "beam_size": BEAM, "pairs": pairs}
    results = {"sizes": sizes, "searches": rows, "hardware": hardware("cpu"), "commit": commit()}
    write_json(Path(__file__).with_suffix(".json"), results)


if __name__ == "__main__":
    main()
