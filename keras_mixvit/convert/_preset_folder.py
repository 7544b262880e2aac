"""Writes presets into folders, and uploads them."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import keras

from keras_mixvit._checks import require, require_path
from keras_mixvit._paths import HUB, require_new_folder
from keras_mixvit.convert._hub import REPOSITORY
from keras_mixvit.convert._model_card import model_card
from keras_mixvit.convert._preset import preset_config, write_json
from keras_mixvit.convert._preset_weights import save_preset_weights

MISSING = (
    "Writing a preset needs the package safetensors: pip install 'keras_mixvit[hub]'."
)


def write_preset(
    model: keras.Model,
    folder: str | os.PathLike,
    class_names: Sequence[str] | None,
    license: str | None,
    description: str | None,
) -> None:
    """Writes config, weights and model card, as `save_to_preset` documents.

    Args:
        model: Built model.
        folder: As in `save_to_preset`.
        class_names: As in `save_to_preset`.
        license: As in `save_to_preset`.
        description: As in `save_to_preset`.
    """
    require_path("folder", folder)
    require(
        description is None or isinstance(description, str),
        "`description` must be a string, or None.",
        description=description,
    )
    config = preset_config(model, class_names, license)
    path = require_new_folder("folder", folder)
    card = model_card(model, config, description or "")
    try:
        import safetensors  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(MISSING) from error
    path.mkdir(parents=True, exist_ok=True)
    save_preset_weights(model, path / "model.safetensors")
    (path / "README.md").write_text(card, encoding="utf-8")
    # Last: a folder without it is not a preset.
    write_json(path / "config.json", config)


def push_preset(
    model: keras.Model,
    repository: str,
    class_names: Sequence[str] | None,
    license: str | None,
    description: str | None,
    private: bool,
    token: str | None,
) -> str:
    """Uploads a preset to the hub, as `push_to_hub` documents.

    Args:
        model: Built model.
        repository: As in `push_to_hub`.
        class_names: As in `save_to_preset`.
        license: As in `save_to_preset`.
        description: As in `save_to_preset`.
        private: As in `push_to_hub`.
        token: As in `push_to_hub`.

    Returns:
        The address of the commit.
    """
    require(
        isinstance(repository, str)
        and REPOSITORY.fullmatch(repository.removeprefix(HUB)) is not None,
        "`repository` must be 'owner/name'.",
        repository=repository,
    )
    repository = repository.removeprefix(HUB)
    try:
        from huggingface_hub import HfApi
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Uploading needs the package huggingface_hub: pip install "
            "'keras_mixvit[hub]'."
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "preset"
        write_preset(model, path, class_names, license, description)
        api = HfApi(token=token)
        try:
            api.create_repo(repository, private=private, exist_ok=True)
            commit = api.upload_folder(
                repo_id=repository,
                folder_path=path,
                commit_message="Upload a preset of keras_mixvit",
            )
        except OSError as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ConnectionError(
                f"{repository} could not be written on the hub ({reason}). Log in "
                "with `hf auth login`, or write a folder with `save_to_preset` and "
                "upload it."
            ) from error
    return str(commit.commit_url)
