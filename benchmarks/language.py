"""Speed of a word model with a softmax and with an adaptive one: training steps, and the scores of a text.

    python -m benchmarks.language

The model is that of the task wikitext2: 33,278 words, two layers of 200 units, tied; batches of 20 rows of 35 steps, SGD,
gradients clipped. A text is 8 batches of 32 lines of 25 words. Words are drawn by Zipf's law, about as often as those of
WikiText-2. All in turn, in processor time, on one thread. Writes benchmarks/language.json.
"""

import argparse
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.timing import in_turn, store
from rnn_lightning import Batch, LanguageModel, prepared
from rnn_lightning.models.language_model import OUTPUTS

WORDS, UNITS, ROWS, STEPS = 33_278, 200, 20, 35
LINES, LONG, TEXT = 32, 25, 8
CLIP = 0.25


def model(output: str) -> LanguageModel:
    """The model of conf/task/wikitext2.yaml."""
    rnn = {"cell": "lstm", "num_layers": 2, "hidden_size": UNITS, "dropout": 0.2, "init": "uniform", "forget_bias": None}
    sgd = {"name": "sgd", "lr": 20.0}
    shape = {"embedding_range": 0.1, "tied": True, "dropout": 0.2}
    return LanguageModel(WORDS, rnn, UNITS, output=output, optimizer=sgd, **shape)


def drawn(rows: int, steps: int) -> Tensor:
    """Words (rows, steps) by Zipf's law."""
    chances = 1 / torch.arange(1, WORDS + 1)
    return torch.multinomial(chances, rows * steps, replacement=True).view(rows, steps)


def train_step(system: LanguageModel, optimizer: torch.optim.Optimizer, text: Tensor) -> None:
    """One step of training: forward, backward, clipping and update."""
    optimizer.zero_grad()
    system.training_step(Batch(text[:, :-1], None, text[:, 1:]), 0).backward()
    nn.utils.clip_grad_norm_(system.parameters(), CLIP)
    optimizer.step()


def score(system: LanguageModel, text: list[Tensor]) -> None:
    """The log-probability of every word."""
    for lines in text:
        system.log_probabilities(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    batch, text = drawn(ROWS, STEPS + 1), [drawn(LINES, LONG) for _ in range(TEXT)]
    systems = {output: model(output) for output in OUTPUTS}
    training = {name: partial(train_step, each, each.configure_optimizers(), batch) for name, each in systems.items()}
    steps = in_turn(training, rounds=options.rounds)
    scored = {name: partial(score, prepared(each), text) for name, each in systems.items()}
    scores = in_turn(scored, rounds=options.rounds)
    results = {
        "step_seconds": {name: round(spread.median, 4) for name, spread in steps.items()},
        "steps_ratio": round(steps["softmax"].median / steps["adaptive"].median, 2),
        "scored_tokens_per_second": {name: round(TEXT * LINES * (LONG - 1) / each.median) for name, each in scores.items()},
    }
    print(results)
    store(__file__, results)


if __name__ == "__main__":
    main()
