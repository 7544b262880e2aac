import os
import zipfile

import keras

from keras_mixvit._checks import require, require_path
from keras_mixvit.models._mimo_model import MIMOModel


def load_model(path: str | os.PathLike) -> MIMOModel:
    """Loads a model that this library saved as a `.keras` file.

    The file may come from another backend. Keras's safe mode stays on, so code inside a
    file never runs.

    Args:
        path: Path of the file.

    Returns:
        The model, compiled as it was saved.

    Raises:
        ValueError: If the file is missing, damaged, or not a model of this library.

    Example:

    ```python
    model = SingleNetwork(ConViT((8, 8, 1), 2, 16, 4, 1), num_classes=10)
    model.save("model.keras")
    assert load_model("model.keras").num_classes == 10
    ```
    """
    require_path("path", path)
    require(
        os.path.isfile(path) and zipfile.is_zipfile(path),
        "`path` must be an existing, intact .keras file.",
        path=str(path),
    )
    try:
        model = keras.saving.load_model(path)
    except Exception as error:
        raise ValueError(
            "`path` must be a .keras file of this library. Received: "
            f"path={str(path)!r}, which Keras cannot read ({error})"
        ) from error
    require(
        isinstance(model, MIMOModel),
        "`path` must be a .keras file of this library.",
        path=str(path),
        model=type(model).__name__,
    )
    return model
