"""DVC as a process that ends with the one that started it: ``python -m pipelines.runs.dvc_command repro train@nested-lstm``."""

import sys

from dvc.cli import main

if __name__ == "__main__":
    sys.exit(main())
