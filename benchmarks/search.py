"""Speed of beam search, beside a straightforward one and the machine's own rate of matrix products.

    python -m benchmarks.search [--batch 1 32] [--pairs 3]    writes benchmarks/search.json

The model is that of the published comparisons: an encoder of two bidirectional layers, a decoder of two layers of 512 units,
Luong attention with input feeding, 8,000 tokens, sources of 14 tokens, exactly 20 steps, the last of them the end, beam 5, one
thread. Both searches find the same in double precision; in single, random weights leave too many hypotheses as good. The
search is timed with the network as it is and `prepared` in each format (what that costs in quality, `benchmarks.compression`
measures). JoeyNMT's search is timed beside them where it is installed (`benchmarks.peers`).
"""

import argparse
import copy
from functools import partial

import torch
from torch import Tensor

from benchmarks.peers import joeynmt, joeynmt_is_there, joeynmt_translations
from benchmarks.timing import in_turn, processor_seconds, store
from rnn_lightning import Seq2Seq
from rnn_lightning.inference import WEIGHTS, prepared
from rnn_lightning.sequences import map_state

VOCABULARY, SOURCE, STEPS, BEAM, END = 8_000, 14, 20, 5, 0


def model(*, input_feeding: bool = True) -> Seq2Seq:
    """The model of the published comparisons, with random weights."""
    torch.manual_seed(0)
    rnn = {"cell": "lstm", "num_layers": 2}
    return Seq2Seq(
        VOCABULARY,
        VOCABULARY,
        rnn,
        end=END,
        encoder={"bidirectional": True, "hidden_size": 256},
        decoder={"hidden_size": 512},
        embedding_size=512,
        attention="general",
        input_feeding=input_feeding,
    ).eval()


def straightforward(system: Seq2Seq, sources: Tensor) -> Tensor:
    """A batched beam as tutorials write it: the source repeated for every hypothesis, all steps on all rows."""
    rows = len(sources)
    repeated = sources.repeat_interleave(BEAM, 0)
    memory = system.encode(repeated)
    state, tokens = system.decoder.start(memory), torch.full((rows * BEAM,), END)
    totals = torch.tensor([0.0, *[-torch.inf] * (BEAM - 1)]).repeat(rows, 1)  # (B, K)
    tokens_so_far = torch.empty(rows * BEAM, 0, dtype=torch.int64)
    for _ in range(STEPS - 1):
        log_probs, state = system.decoder.step(memory, tokens, state)
        log_probs[:, END] = -torch.inf
        ranks = (totals.unsqueeze(2) + log_probs.view(rows, BEAM, -1)).flatten(1)
        totals, cells = ranks.topk(BEAM)
        chosen = (cells // VOCABULARY + torch.arange(rows).unsqueeze(1) * BEAM).flatten()
        tokens = (cells % VOCABULARY).flatten()
        state = map_state(lambda leaf, chosen=chosen: leaf[chosen], state)
        tokens_so_far = torch.cat([tokens_so_far[chosen], tokens.unsqueeze(1)], 1)
    log_probs, _ = system.decoder.step(memory, tokens, state)
    best = (totals + log_probs[:, END].view(rows, BEAM)).argmax(1)
    return tokens_so_far.view(rows, BEAM, -1)[torch.arange(rows), best]


def ours(system: Seq2Seq, sources: Tensor) -> Tensor:
    """The same search by ``Seq2Seq.translate``."""
    return system.translate(sources, beam_size=BEAM, min_length=STEPS, max_length=STEPS).tokens[:, 0, : STEPS - 1]


def product_rate() -> float:
    """GFLOP/s of a float32 product of 1024 x 1024 matrices."""
    left, right = torch.randn(1024, 1024), torch.randn(1024, 1024)
    return 2 * 1024**3 / min(processor_seconds(lambda: left @ right) for _ in range(5)) / 1e9


@torch.no_grad()
def compare(system: Seq2Seq, sources: Tensor, pairs: int) -> dict[str, float]:
    """Sentences a second of every form over ``sources`` (B, S), in turn, ``pairs`` times."""
    exact = copy.deepcopy(system).double()
    assert torch.equal(straightforward(exact, sources[:4]), ours(exact, sources[:4])), "the two searches disagree"
    forms = {"straightforward": partial(straightforward, system), "plain": partial(ours, system)}
    forms |= {weights: partial(ours, prepared(system, weights)) for weights in WEIGHTS}
    if joeynmt_is_there():
        forms["joeynmt"] = partial(joeynmt_translations, joeynmt(VOCABULARY).eval(), beam_size=BEAM, steps=STEPS)
    timed = {name: partial(form, sources) for name, form in forms.items()}
    speeds = {name: len(sources) / spread.median for name, spread in in_turn(timed, rounds=pairs).items()}
    return {"batch": len(sources), "product_gflops": product_rate(), **speeds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    system, rows = model(), []
    for batch in options.batch:
        rows.append(compare(system, torch.randint(1, VOCABULARY, (batch, SOURCE)), options.pairs))
        rounded = {name: round(value, 2) for name, value in rows[-1].items()}
        print(", ".join(f"{name} {value:g}" for name, value in rounded.items()), flush=True)
    store(__file__, {"sentences_per_second": rows})


if __name__ == "__main__":
    main()
