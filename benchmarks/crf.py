"""The share of a CRF in a tagger's training step, and its speed beside a straightforward one.

    python -m benchmarks.crf [--tags 9 20] [--pairs 15]

The tagger is a bidirectional LSTM of two layers of 256 units each way over embeddings of 100, in batches of 32 rows of at most
25 steps, on one thread. A training step is forward, loss, decoding, backward, clipping and an update by Adam; the CRF's part is
loss, its backward and decoding, on the same emissions. Both are measured in turn, in processor time, so that other work on the
machine counts little. The last line is the rate of the span metric.
"""

import argparse
from statistics import median

import torch
from torch import Tensor, nn

from benchmarks.timing import processor_seconds
from rnn_lightning import LinearChainCRF, SpanF1
from rnn_lightning.recurrent import build_network

VOCABULARY, FEATURES, UNITS, ROWS, STEPS = 10_000, 100, 256, 32, 25


def straightforward(field: LinearChainCRF, emissions: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
    """The loss as tutorials write it: log-sum-exp step by step, the gradient left to autograd."""
    real = torch.arange(STEPS) < lengths.unsqueeze(1)
    alpha = field.start + emissions[:, 0]
    score = field.start[tags[:, 0]] + emissions[:, 0].gather(1, tags[:, :1]).squeeze(1)
    for time_ in range(1, STEPS):
        arrived = (alpha.unsqueeze(2) + field.transitions).logsumexp(1) + emissions[:, time_]
        alpha = torch.where(real[:, time_ : time_ + 1], arrived, alpha)
        gain = emissions[:, time_].gather(1, tags[:, time_ : time_ + 1]).squeeze(1)
        score = score + (field.transitions[tags[:, time_ - 1], tags[:, time_]] + gain) * real[:, time_]
    last = tags.gather(1, (lengths - 1).unsqueeze(1)).squeeze(1)
    return ((alpha + field.end).logsumexp(1) - score - field.end[last]).sum() / lengths.sum()


def compare(num_tags: int, pairs: int) -> str:
    """Times of the parts of a training step with ``num_tags`` tags, the medians over ``pairs``."""
    torch.manual_seed(0)
    embedding, output = nn.Embedding(VOCABULARY, FEATURES), nn.Linear(2 * UNITS, num_tags)
    network = build_network("lstm", input_size=FEATURES, hidden_size=UNITS, num_layers=2, bidirectional=True)
    field = LinearChainCRF(num_tags)
    parameters = [parameter for part in (embedding, network, output, field) for parameter in part.parameters()]
    optimizer = torch.optim.Adam(parameters)
    lengths = torch.randint(STEPS // 2, STEPS + 1, (ROWS,)).index_fill(0, torch.tensor(0), STEPS)
    words, gold = torch.randint(VOCABULARY, (ROWS, STEPS)), torch.randint(num_tags, (ROWS, STEPS))
    emissions = torch.randn(ROWS, STEPS, num_tags, requires_grad=True)
    torch.testing.assert_close(straightforward(field, emissions, gold, lengths), field.loss(emissions, gold, lengths))

    def step() -> None:
        emitted = output(network(embedding(words), lengths)[0])
        optimizer.zero_grad()
        field.loss(emitted, gold, lengths).backward()
        field.decode(emitted, lengths)
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()

    forms = (
        step,
        lambda: field.loss(emissions, gold, lengths).backward(),
        lambda: field.decode(emissions, lengths),
        lambda: straightforward(field, emissions, gold, lengths).backward(),
    )
    times = [[processor_seconds(form) for form in forms] for _ in range(pairs + 2)][2:]  # the first two warm up
    share = median((loss + best) / whole for whole, loss, best, _ in times)
    ratio = median(plain / loss for _, loss, _, plain in times)
    whole, loss, best, plain = (1000 * median(column) for column in zip(*times, strict=True))
    spent = f"step {whole:.0f} ms, loss and gradient {loss:.2f} ms, decoding {best:.2f} ms: {100 * share:.1f}% of the step"
    return f"{num_tags} tags: {spent}; straightforward loss and gradient {plain:.2f} ms, ratio {ratio:.2f}"


def span_rate() -> float:
    """Tokens a second of ``SpanF1.update``, over 4,000 rows of 25 in batches of 32."""
    names = ["O", *(f"{prefix}-{kind}" for kind in ("LOC", "ORG", "PER", "MISC") for prefix in "BI")]
    metric, tags = SpanF1(names, "BIO"), torch.randint(len(names), (2, 4000, STEPS))

    def run() -> None:
        for predicted, gold in zip(tags[0].split(ROWS), tags[1].split(ROWS), strict=True):
            metric.update(predicted, gold)

    return tags[0].numel() / min(processor_seconds(run) for _ in range(3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tags", type=int, nargs="+", default=[9, 20])
    parser.add_argument("--pairs", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for num_tags in options.tags:
        print(compare(num_tags, options.pairs))
    print(f"span metric: {span_rate() / 1000:.0f} k tokens/s")


if __name__ == "__main__":
    main()
