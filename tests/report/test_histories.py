import re

import pytest

from keras_mixvit.recipes import Recipe
from keras_mixvit.report._histories import intact_histories

pytestmark = pytest.mark.one_backend

HEAD = "epoch,loss,val_accuracy,val_nll\n"
TRAININGS = {"single": Recipe(), ".": Recipe()}


def test_curves_that_are_there_have_the_names_of_networks(tmp_path):
    assert intact_histories(tmp_path, TRAININGS) == {}
    (tmp_path / "history.csv").write_text(f"{HEAD}0,1.0,0.5,0.9\n")
    assert list(intact_histories(tmp_path, TRAININGS)) == ["mixvit"]
    (tmp_path / "single").mkdir()
    (tmp_path / "single" / "history.csv").write_text(f"{HEAD}0,nan,0.5,0.9\n")
    found = intact_histories(tmp_path, TRAININGS)
    assert list(found) == ["single_network", "mixvit"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        HEAD.encode(),
        b"epoch,loss\n0,1.0\n",
        f"{HEAD}0,1.0\n".encode(),
        f"{HEAD}0,high,0.5,0.9\n".encode(),
        b"\xff\xfe\x00",
        b"PK\x03\x04",
    ],
)
def test_damaged_curves_are_refused(content, tmp_path):
    (tmp_path / "history.csv").write_bytes(content)
    text = (
        "`runs` must hold an intact history.csv, with epoch, loss, val_accuracy, "
        f"val_nll. Received: history='{tmp_path}/history.csv'"
    )
    with pytest.raises(ValueError, match=re.escape(text)):
        intact_histories(tmp_path, TRAININGS)
