"""Questions to a run from a panel of the page: one at a time, and of those that come meanwhile the newest alone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

WAIT = 0.2
"""Seconds after the last letter before a text is answered."""


class Sign(Protocol):
    """What is shown while an answer is awaited."""

    def set_visibility(self, visible: bool) -> object: ...


class Asking:
    """Calls ``answer`` for the newest question: once nothing more has come for ``wait`` seconds and the call before has ended.

    A question that comes while another is answered supersedes those that wait. ``busy`` is visible from the first call that
    begins to the end of the last.
    """

    def __init__(self, answer: Callable[[], Awaitable[None]], busy: Sign, wait: float = WAIT) -> None:
        """Begin with nothing asked."""
        self.answer, self.busy, self.wait = answer, busy, wait
        self.asked = self.answering = 0
        self.at_work = False
        busy.set_visibility(False)

    async def __call__(self) -> None:
        """Ask; the answer comes now, later, or not at all where another question follows."""
        self.asked += 1
        mine = self.asked
        await asyncio.sleep(self.wait)
        if mine == self.asked and not self.at_work:
            await self.work()

    async def now(self) -> None:
        """Ask without waiting for more."""
        self.asked += 1
        if not self.at_work:
            await self.work()

    async def work(self) -> None:
        """Answer until no newer question is there."""
        self.at_work = True
        self.busy.set_visibility(True)
        try:
            while self.superseded:
                self.answering = self.asked
                await self.answer()
        finally:
            self.at_work = False
            self.busy.set_visibility(False)

    @property
    def superseded(self) -> bool:
        """Whether a newer question waits than the one that is answered."""
        return self.answering != self.asked
