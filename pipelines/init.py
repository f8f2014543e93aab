"""Begin a project in this folder: ``python -m pipelines.init`` copies the configuration ``conf/`` here, to be edited.

Where rnn-lightning is installed, commands read the installed configuration until a folder has its own. Data, runs, reports,
the dashboard's ``mlflow.db`` and ``sweeps.db`` come into the folder that a command is started in.
"""

import os
import shutil
from pathlib import Path

from pipelines.settings.compose import CONF, exit_on_user_error, no_arguments
from pipelines.settings.places import IN_CLONE
from rnn_lightning.files import whole_folder


def init(project: Path) -> None:
    """Copy ``conf/`` into the folder ``project``.

    Raises:
        ValueError: where it has one, or commands read that of a clone of the repository.
        OSError: where a file cannot be written.
    """
    target = project / "conf"
    if IN_CLONE:
        raise ValueError(f"commands of a clone of the repository read {CONF}: give them conf=FOLDER for tasks of your own")
    if os.path.lexists(target):
        raise ValueError(f"{target} is there already: edit its files, or remove it and begin anew")
    with whole_folder(target) as folder:
        try:
            shutil.copytree(CONF, folder, dirs_exist_ok=True)
        except shutil.Error as error:
            raise OSError(f"{target} cannot be written: {error.args[0][0][2]}") from None
    print("conf/ has the configuration. Next: `rnn new NAME from=FILE` for a task of your own, or `rnn fetch task=adding`")


if __name__ == "__main__":
    exit_on_user_error(lambda: init(no_arguments(Path.cwd())))
