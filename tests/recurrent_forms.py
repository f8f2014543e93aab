"""The ways to build a recurrent network, all of them; laws try each time all ways of one cell, and two of every other."""

from dataclasses import dataclass
from itertools import product

import pytest
import torch
from often import those
from torch import nn

from rnn_lightning.recurrent import CELLS, Recurrent, build_network

F, H = 3, 4
"""Features in, hidden units."""


@dataclass(frozen=True)
class Form:
    """One way to build a network."""

    cell: str
    num_layers: int
    bidirectional: bool
    residual: bool

    def __str__(self) -> str:
        ways = "bi" if self.bidirectional else "uni"
        return f"{self.cell}-{self.num_layers}-{ways}{'-residual' if self.residual else ''}"

    def usual(self) -> bool:
        """Whether it is tried each time: any form of the LSTM; of others the plainest, and the one with all that there is."""
        return self.cell == "lstm" or (self.num_layers == 2) == self.bidirectional == self.residual

    def build(self) -> Recurrent:
        """A network in double precision, no weight of which is zero."""
        torch.manual_seed(1)
        network = build_network(
            self.cell, F, H, self.num_layers, bidirectional=self.bidirectional, residual=self.residual
        ).double()
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=0.5)
        return network


FORMS = [Form(*parts) for parts in product(CELLS, (1, 2), (False, True), (False, True))]
every_form = pytest.mark.parametrize("form", those(FORMS, Form.usual), ids=str)
ONE_WAY = [form for form in FORMS if not form.bidirectional]
every_one_way_form = pytest.mark.parametrize("form", those(ONE_WAY, Form.usual), ids=str)
