"""What stands on top of a tagger: the loss that training sees, and the tags that are found, agree with each other."""

import pytest
import torch
import torch.nn.functional as F
from corpora import TAGS

from rnn_lightning import IGNORED
from rnn_lightning.models.tag_output import OUTPUTS, SoftmaxOutput


@pytest.mark.parametrize("output", OUTPUTS)
def test_an_output_s_loss_and_tags_fit_each_other(output: str) -> None:
    torch.manual_seed(0)
    emissions, lengths = 3 * torch.randn(4, 6, TAGS), torch.tensor([6, 0, 3, 1])
    layer = OUTPUTS[output](TAGS)
    tags = layer.decode(emissions, lengths)
    padding = torch.arange(6) >= lengths.unsqueeze(1)
    assert bool((tags[padding] == IGNORED).all()) and int(tags[~padding].min()) >= 0
    best = layer.loss(emissions, tags, lengths)
    assert best.shape == (4,) and float(best[1]) == 0
    for _ in range(50):
        other = torch.randint(0, TAGS, (4, 6)).masked_fill(padding, IGNORED)
        assert bool((layer.loss(emissions, other, lengths) >= best - 1e-5).all())


def test_a_softmax_s_loss_is_a_sum_over_real_steps() -> None:
    torch.manual_seed(0)
    emissions, lengths = torch.randn(3, 4, TAGS), [4, 0, 2]
    tags = torch.randint(0, TAGS, (3, 4)).masked_fill(torch.arange(4) >= torch.tensor(lengths).unsqueeze(1), IGNORED)
    losses = SoftmaxOutput(TAGS).loss(emissions, tags, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        expected = F.cross_entropy(emissions[row, :length], tags[row, :length], reduction="sum")
        torch.testing.assert_close(losses[row], expected)
