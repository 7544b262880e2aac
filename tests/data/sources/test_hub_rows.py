import numpy as np
import pyarrow
import pytest

from keras_mixvit.data.sources._hub_rows import HubRows

pytestmark = pytest.mark.one_backend


def test_contents_are_bytes_structs_or_files(tmp_path):
    (tmp_path / "a.png").write_bytes(b"file")
    structs = [
        {"bytes": b"first", "path": "a.png"},
        {"bytes": None, "path": str(tmp_path / "a.png")},
    ]
    rows = HubRows(pyarrow.chunked_array([structs[:1], structs[1:]]))
    assert [rows.content(i) for i in range(len(rows))] == [b"first", b"file"]
    assert HubRows(pyarrow.chunked_array([[b"x", b"y"]])).content(1) == b"y"


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"bytes": None, "path": None},
        {"bytes": b"", "path": "a.png"},
        {"bytes": None, "path": "nowhere.png"},
        # Reading it would never end.
        {"bytes": None, "path": "/dev/zero"},
    ],
)
def test_rows_without_an_image_are_refused(value):
    kind = pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()})
    rows = HubRows(pyarrow.chunked_array([[value]], kind))
    with pytest.raises(ValueError, match=r"^the row holds no image$"):
        rows.content(0)


def test_rows_keep_their_names_in_a_part():
    rows = HubRows(pyarrow.chunked_array([[b"a", b"b", b"c", b"d"]]))
    part = rows.taken(np.array([1, 3])).taken(np.array([1]))
    assert (part.name(0), part.content(0), len(part)) == ("row 3", b"d", 1)
    assert rows.places_of({"row 2", "row 9", "row", "2.png"}).tolist() == [2]
    assert rows.taken(np.array([0, 2])).places_of({"row 2"}).tolist() == [1]
