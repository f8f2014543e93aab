"""The next values of series from those before: at once, or one after the other.

Shapes: B rows, T steps of context, H steps of horizon, F features of a step, K targets, P other measurements, G numbers known
in advance, Q quantiles, W steps of the highway, S steps of a segment. Rows of the network, N, are B or, where targets are read
apart, B K.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..checks import check_choice, check_counts, check_flags, check_names
from ..exporting import exportable
from ..products import Linear
from ..quantiles import check_quantiles, middle
from ..recurrent import Recurrent, as_network
from ..regularize import make_dropout
from ..sequences import State, check_memory, fill_padding, last_outputs, map_state
from ..standardize import Standardize
from .levels import LEVELS, Highway, check_context, repeated, segments
from .model import Model


class Forecaster(Model):
    """A recurrent network that reads a window of series and tells how they go on.

    A step has F features: first the K ``targets``, then P other measurements, then G numbers ``known`` in advance. ``inputs``
    are the context (B, T, F) or, with ``known``, context and horizon (B, T + H, F), of whose last H real steps only the known
    numbers are read. Forecasts are of standardised values, (B, H, K) or, with ``quantiles``, (B, H, K, Q), which ascend.

    All H steps are told at once from the network's state after the context; or, ``recursive``, each by a step that reads the
    target before it: the right one in training (teacher forcing), else the network's own (the middle quantile).
    """

    input_size: int

    def __init__(
        self,
        rnn: dict[str, Any] | Recurrent,
        input_size: int,
        targets: Sequence[str],
        horizon: int,
        *,
        known: int = 0,
        recursive: bool = False,
        level: str = "none",
        apart: bool = False,
        segment: int = 1,
        highway: int = 0,
        standardize: Mapping[str, Sequence[float]] | None = None,
        quantiles: Sequence[float] | None = None,
        dropout: float = 0.0,
        loss: str = "squared",
        seasonal_errors: Sequence[float] | None = None,
        optimizer: dict[str, Any] | None = None,
        schedule: dict[str, Any] | None = None,
    ) -> None:
        """Build the forecaster.

        Args:
            rnn: keywords of ``build_network`` without ``input_size``, or a network of the width that is read.
            input_size: F.
            targets: the names of the K targets.
            horizon: H.
            known: G.
            recursive: one step after the other, which takes a network that reads one way, and no other measurements.
            level: what each window is brought to before it is read, and its forecast back from: ``none``; ``last``, less the
                last value; ``mean``, less its mean and divided by its deviation (Kim et al., ICLR 2022, without weights).
            apart: every target is a row of its own, with the same weights (Nie et al., ICLR 2023).
            segment: S steps are read as one (Lin et al., arXiv:2308.11200); T must be a multiple.
            highway: a linear function of each target's last W values, its own, is added (after Lai et al., SIGIR 2018).
            standardize: means and deviations of the features, as ``Standardize`` takes them.
            quantiles: those that are told; ``None``: one value.
            dropout: on what is read out.
            loss, seasonal_errors: for the training and the metrics of a system.

        Raises:
            ValueError: for a bad size or name, or what does not go together.
        """
        super().__init__(optimizer, schedule, rnn=rnn)
        check_names("targets", targets)
        check_counts(input_size=input_size, horizon=horizon, segment=segment)
        check_counts(least=0, known=known, highway=highway)
        check_flags(recursive=recursive, apart=apart)
        check_choice("level", level, LEVELS)
        self.quantiles = check_quantiles(quantiles)
        self.targets, self.input_size, self.horizon, self.known = list(targets), input_size, horizon, known
        self.recursive, self.apart, self.segment, self.highway = recursive, apart, segment, highway
        self.make_level = LEVELS[level]
        others = input_size - len(targets) - known
        check_parts(input_size, others, recursive=recursive, segment=segment, highway=highway)
        self.standardize = Standardize(input_size, standardize)
        own = 1 if apart else len(targets)
        self.network = as_network(rnn, segment * (own + others + known))
        if recursive and not self.network.causal:
            raise ValueError("recursive forecasts take a network that reads one way: leave out recursive or bidirectional")
        self.dropout = make_dropout(dropout, locked=False)
        values = own * (1 if self.quantiles is None else len(self.quantiles))
        check_memory(horizon=1 if recursive else horizon, values=values, hidden=self.network.output_size)
        check_memory(targets=len(targets), highway=highway, horizon=horizon)
        self.output = Linear(self.network.output_size, values if recursive else horizon * values)
        self.of_known = Linear(known, values) if known and not recursive else None
        self.of_past = Highway(len(targets), highway, horizon) if highway else None
        self.complete()

    def run(self, inputs: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """Forecasts of standardised values (B, H, K) or (B, H, K, Q), and the state after what the network has read."""
        forecasts, after = self.continued(inputs, lengths, state)
        return forecasts if self.quantiles is not None else forecasts.squeeze(3), after

    def continued(
        self, inputs: Tensor, lengths: Tensor | None, state: State | None = None, right: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Forecasts (B, H, K, Q) of standardised values, and the state.

        ``right`` are the true values (B, H, K), standardised, which a recursive network reads in place of its own.
        """
        window, ahead, lengths = self.parts(self.standardize(inputs), lengths)
        own = 1 if self.apart else len(self.targets)
        if self.apart:
            window, ahead = self.fold(window), repeated(ahead, len(self.targets))
            lengths = None if lengths is None else repeated(lengths, len(self.targets))
            right = None if right is None else right.transpose(1, 2).flatten(0, 1).unsqueeze(2)
            state = None if state is None else map_state(lambda part: part.flatten(0, 1), state)
        level = self.make_level(window[:, :, :own], lengths)
        window = fill_padding(torch.cat([level.leave(window[:, :, :own]), window[:, :, own:]], 2), lengths)
        if self.recursive:
            forecasts, after = self.one_by_one(window, ahead, lengths, state, None if right is None else level.leave(right))
        else:
            forecasts, after = self.at_once(window, ahead, lengths, state)
        forecasts = level.enter(forecasts)
        if self.apart:
            forecasts = forecasts.unflatten(0, (-1, len(self.targets))).squeeze(3).transpose(1, 2)  # (B, H, K, Q)
            after = map_state(lambda part: part.unflatten(0, (-1, len(self.targets))), after)
        return forecasts.sort(3).values if self.quantiles is not None else forecasts, after

    def parts(self, features: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """The window (B, T, F), with zeros behind each row's length, the numbers known of the horizon (B, H, G), and the
        lengths of the window.

        A recursive network reads at each step what is known of the next.

        Raises:
            ValueError: for a window without a step.
        """
        if not torch.compiler.is_exporting():
            check_context(features, lengths, self.horizon if self.known else 0)
        if not self.known:
            return fill_padding(features, lengths), features.new_zeros(features.shape[0], self.horizon, 0), lengths
        measured, known = features.tensor_split([self.input_size - self.known], 2)
        if lengths is None:
            ahead = known[:, -self.horizon :]
        else:
            steps = lengths.to(features.device).unsqueeze(1) + torch.arange(-self.horizon, 0, device=features.device)
            ahead = known.gather(1, steps.unsqueeze(2).expand(-1, -1, self.known))
            lengths = lengths - self.horizon
        there = features.shape[1] - self.horizon
        read = known.narrow(1, int(self.recursive), there)
        return fill_padding(torch.cat([measured.narrow(1, 0, there), read], 2), lengths), ahead, lengths

    def fold(self, window: Tensor) -> Tensor:
        """Each target of ``window`` (B, T, F) as a row of its own, with what is no target beside it: (B K, T, 1 + P + G)."""
        own, others = window.tensor_split([len(self.targets)], 2)
        rows = exportable(own.transpose(1, 2)).flatten(0, 1).unsqueeze(2)
        return torch.cat([rows, repeated(others, len(self.targets))], 2)

    def at_once(self, window: Tensor, ahead: Tensor, lengths: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """All forecasts (N, H, K, Q) from the state after the ``window`` (N, T, C), and that state."""
        read, counts = segments(window, lengths, self.segment)
        outputs, after = self.network(read, counts, state)
        ends = self.dropout(last_outputs(outputs, counts, bidirectional=self.network.bidirectional))
        values = self.output(ends).unflatten(1, (self.horizon, -1))  # (N, H, K Q)
        if self.of_known is not None:
            values = values + self.of_known(ahead)
        values = values.unflatten(2, (1 if self.apart else len(self.targets), -1))
        return values if self.of_past is None else values + self.by_highway(window, lengths).unsqueeze(3), after

    def by_highway(self, window: Tensor, lengths: Tensor | None) -> Tensor:
        """The linear part (N, H, K) of forecasts from the ``window`` (N, T, C).

        Raises:
            ValueError: for a window with fewer steps than it reads.
        """
        assert self.of_past is not None
        if not torch.compiler.is_exporting() and window.shape[1] < self.highway:
            raise ValueError(f"highway={self.highway} reads so many last steps of a window, which has {window.shape[1]}")
        targets = len(self.targets)
        if not self.apart:
            return self.of_past(window[:, :, :targets], lengths)
        side_by_side = window[:, :, 0].unflatten(0, (-1, targets)).transpose(1, 2)  # (B, T, K)
        values = self.of_past(side_by_side, None if lengths is None else lengths[::targets])
        return exportable(values.transpose(1, 2)).flatten(0, 1).unsqueeze(2)

    def one_by_one(
        self, window: Tensor, ahead: Tensor, lengths: Tensor | None, state: State | None, right: Tensor | None
    ) -> tuple[Tensor, State]:
        """Forecasts (N, H, K, Q), each by a step that reads the target before: of ``right`` (N, H, K), or the forecast."""
        outputs, after = self.network(window, lengths, state)
        forecasts = [self.next_values(last_outputs(outputs, lengths, bidirectional=False))]
        if right is not None:
            outputs, after = self.network(torch.cat([right[:, :-1], ahead[:, 1:]], 2), None, after)
            return torch.cat([forecasts[0].unsqueeze(1), self.next_values(outputs)], 1), after
        chosen = middle(self.quantiles)
        for step in range(1, self.horizon):
            read = torch.cat([forecasts[-1][:, :, chosen], ahead[:, step]], 1).unsqueeze(1)
            outputs, after = self.network(read, None, after)
            forecasts.append(self.next_values(outputs[:, 0]))
        return torch.stack(forecasts, 1), after

    def next_values(self, outputs: Tensor) -> Tensor:
        """The next values (..., K, Q), quantiles ascending, that ``outputs`` (..., H) of a recursive network tell."""
        values = self.output(self.dropout(outputs)).unflatten(-1, (1 if self.apart else len(self.targets), -1))
        return values.sort(-1).values

    @torch.no_grad()
    def forecast(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Forecasts (B, H, K) or, with quantiles, (B, H, K, Q) in the units of the ``inputs``, which ``forward`` reads."""
        return self.in_units(self(inputs, lengths)[0])

    def in_units(self, forecasts: Tensor) -> Tensor:
        """Standardised ``forecasts`` (B, H, K) or (B, H, K, Q) in the units of the inputs."""
        mean, scale = (part[: len(self.targets)] for part in (self.standardize.mean, self.standardize.scale))
        return (forecasts / scale + mean) if self.quantiles is None else forecasts / scale.unsqueeze(1) + mean.unsqueeze(1)

    def standardised(self, targets: Tensor) -> Tensor:
        """The ``targets`` (B, H, K), given in the units of the inputs."""
        return (targets - self.standardize.mean[: len(self.targets)]) * self.standardize.scale[: len(self.targets)]


def check_parts(input_size: int, others: int, *, recursive: bool, segment: int, highway: int) -> None:
    """Refuse features that do not add up, and what a recursive forecast cannot do.

    Raises:
        ValueError: naming them.
    """
    if others < 0:
        raise ValueError(f"input_size must be that of the targets and of known together at least, not {input_size}")
    if recursive and (others or segment > 1 or highway):
        given = f"{others} measurements beside the targets, segment={segment}, highway={highway}"
        raise ValueError(f"recursive forecasts read targets and what is known alone, step by step: not {given}")
