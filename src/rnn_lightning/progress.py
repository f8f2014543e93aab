"""How far a training has come."""

import math


def epoch_and_batch(steps: int, batches: int, accumulated: int) -> tuple[int, int]:
    """Where a training stands after so many optimiser steps: the epoch, and the batches of it that are made.

    An epoch has so many ``batches``; each step takes ``accumulated`` of them, the epoch's last one what is left.
    """
    epoch, made = divmod(steps, max(math.ceil(batches / accumulated), 1))
    return epoch, made * accumulated
