import shutil

import pytest


@pytest.fixture(scope="session")
def finished(command_run, tmp_path_factory):
    """A copy of a finished run, with a single network; tests leave it as it is."""
    pytest.importorskip("matplotlib")
    folder = tmp_path_factory.mktemp("reported") / "first"
    return shutil.copytree(command_run.folder, folder)
