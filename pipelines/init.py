"""Begin a project in this folder: ``python -m pipelines.init`` copies the configuration ``conf/`` here, to be edited.

Where rnn-lightning is installed, commands read the installed configuration until a folder has its own. Data, runs, reports,
the dashboard's ``mlflow.db`` and ``sweeps.db`` come into the folder that a command is started in.
"""

import shutil
from pathlib import Path

from pipelines.settings.compose import CONF, exit_on_user_error, no_arguments
from rnn_lightning.files import whole_folder


def init(project: Path) -> None:
    """Copy ``conf/`` into the folder ``project``.

    Raises:
        ValueError: where it has one.
    """
    target = project / "conf"
    if target.exists():
        raise ValueError(f"{target} is there already: edit its files, or remove it and begin anew")
    with whole_folder(target) as folder:
        shutil.copytree(CONF, folder, dirs_exist_ok=True)
    print("conf/ has the configuration. Next: `rnn new NAME from=FILE` for a task of your own, or `rnn fetch task=adding`")


if __name__ == "__main__":
    exit_on_user_error(lambda: init(no_arguments(Path.cwd())))
