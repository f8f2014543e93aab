"""Timing of one action: its result and what the clock says, whatever the clock."""

import time

from benchmarks.timing import processor_seconds, seconds, timed


def test_an_action_is_run_once_and_timed_by_the_clock() -> None:
    ticks, runs = iter([10.0, 12.5]), []

    def action() -> str:
        runs.append("run")
        return "result"

    assert timed(action, lambda: next(ticks)) == ("result", 2.5)
    assert runs == ["run"]


def test_waiting_takes_time_by_the_clock_and_none_of_the_processor() -> None:
    assert seconds(lambda: time.sleep(0.05)) >= 0.05
    assert processor_seconds(lambda: time.sleep(0.05)) < 0.05
