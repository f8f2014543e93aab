"""The commands of the pipeline, ``python -m pipelines.NAME`` or ``rnn NAME``: an interrupt ends each in one line."""

import sys

IS_COMMAND = sys.argv[:1] == ["-m"] or sys.argv[0].endswith("/rnn")
"""Python has ``-m`` there while it looks for the module that it is to run."""

if IS_COMMAND:
    import _signal  # pyright: ignore[reportMissingImports]  # there already, while `signal` takes milliseconds to import

    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        from pipelines.settings.interrupts import end_at_once

        _signal.signal(_signal.SIGINT, end_at_once)
    from pipelines.runs.beginning import follow_who_started

    follow_who_started()
