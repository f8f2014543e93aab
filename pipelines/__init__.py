"""The commands of the pipeline, ``python -m pipelines.NAME``: each ends in one line where somebody interrupts it."""

import sys

if sys.argv[:1] == ["-m"]:  # what Python has there while it looks for the module that it is to run
    from pipelines.runs.beginning import begin_command

    begin_command()
