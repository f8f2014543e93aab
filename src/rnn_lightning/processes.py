"""Training in several processes: which rows of a batch are whose, and what holds of all of them together.

Of each batch a process reads every W-th row, from its rank on. In a single process nothing here changes anything.

Shapes: B rows of a batch, W processes.
"""

import torch
from torch import Tensor, distributed

from .sequences import Batch, State, map_state


def rank_and_world_size() -> tuple[int, int]:
    """The rank of this process, and how many there are: W."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def shard_batch(batch: Batch) -> Batch:
    """The rows of ``batch`` (B) that this process reads; where B is below W, the last processes have none."""
    rank, processes = rank_and_world_size()
    if processes == 1:
        return batch
    return Batch._make(part if part is None else part[rank::processes] for part in batch)


def shard_state(state: State) -> State:
    """The rows of the ``state`` (B) of a batch that belong to this process."""
    rank, processes = rank_and_world_size()
    return map_state(lambda leaf: leaf[rank::processes], state)


def gather_state(state: State | None) -> State | None:
    """The state (B) of the batch, on the CPU, of which each process holds its own rows; ``None`` where it has not begun.

    All processes must ask.
    """
    processes = rank_and_world_size()[1]
    if processes == 1:
        return state
    parts: list[State | None] = [None] * processes
    distributed.all_gather_object(parts, None if state is None else map_state(Tensor.cpu, state))
    begun = [part for part in parts if part is not None]
    return map_state(_interleave, *begun) if begun else None


def _interleave(*parts: Tensor) -> Tensor:
    """The rows of each process, ``parts``, in the order of the batch."""
    whole = parts[0].new_empty(sum(map(len, parts)), *parts[0].shape[1:])
    for rank, part in enumerate(parts):
        whole[rank :: len(parts)] = part
    return whole


def all_reduce_mean(mean: Tensor, count: int) -> tuple[Tensor, int, float]:
    """All-reduce a mean: that of all targets, where ``mean`` is that of the ``count`` targets of this process.

    Returns:
        their mean; how many they are; and the weight of this process: where every process weighs its mean so, the average of
        their gradients is the gradient of the mean over all targets.
    """
    processes = rank_and_world_size()[1]
    if processes == 1:
        return mean, count, 1.0
    sums = torch.stack([mean.double() * count, mean.new_tensor(count, dtype=torch.float64)])
    distributed.all_reduce(sums)
    total = max(int(sums[1]), 1)
    return sums[0] / total, int(sums[1]), processes * count / total


def all_reduce_sum(number: int) -> int:
    """The sum of the ``number`` of every process."""
    return _over_all([number], distributed.ReduceOp.SUM)[0]


def all_reduce_max(*numbers: int) -> list[int]:
    """The largest of each of the ``numbers`` of all processes."""
    return _over_all(list(numbers), distributed.ReduceOp.MAX)


def _over_all(numbers: list[int], operation: distributed.ReduceOp.RedOpType) -> list[int]:
    if rank_and_world_size()[1] == 1:
        return numbers
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    reduced = torch.tensor(numbers, device=device)
    distributed.all_reduce(reduced, operation)
    return reduced.tolist()
