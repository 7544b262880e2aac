import hashlib
import json
import os
import re
from pathlib import Path

from keras_mixvit._checks import require, require_known, require_path
from keras_mixvit._paths import HUB, PRESET_FILES, path_hint

# timm's pretrained CaiT, ConViT, ViT, DeiT and CLIP on the Hugging Face hub.
PRETRAINED = (
    "cait_xxs24_224.fb_dist_in1k",
    "cait_xxs24_384.fb_dist_in1k",
    "cait_xxs36_224.fb_dist_in1k",
    "cait_xxs36_384.fb_dist_in1k",
    "cait_xs24_384.fb_dist_in1k",
    "cait_s24_224.fb_dist_in1k",
    "cait_s24_384.fb_dist_in1k",
    "cait_s36_384.fb_dist_in1k",
    "cait_m36_384.fb_dist_in1k",
    "cait_m48_448.fb_dist_in1k",
    "convit_tiny.fb_in1k",
    "convit_small.fb_in1k",
    "convit_base.fb_in1k",
    "vit_tiny_patch16_224.augreg_in21k",
    "vit_tiny_patch16_224.augreg_in21k_ft_in1k",
    "vit_tiny_patch16_384.augreg_in21k_ft_in1k",
    "vit_small_patch16_224.augreg_in1k",
    "vit_small_patch16_224.augreg_in21k",
    "vit_small_patch16_224.augreg_in21k_ft_in1k",
    "vit_small_patch16_224.dino",
    "vit_small_patch16_384.augreg_in1k",
    "vit_small_patch16_384.augreg_in21k_ft_in1k",
    "vit_base_patch16_224.augreg2_in21k_ft_in1k",
    "vit_base_patch16_224.augreg_in1k",
    "vit_base_patch16_224.augreg_in21k",
    "vit_base_patch16_224.augreg_in21k_ft_in1k",
    "vit_base_patch16_224.dino",
    "vit_base_patch16_224.mae",
    "vit_base_patch16_224.orig_in21k",
    "vit_base_patch16_224.orig_in21k_ft_in1k",
    "vit_base_patch16_224.sam_in1k",
    "vit_base_patch16_384.augreg_in1k",
    "vit_base_patch16_384.augreg_in21k_ft_in1k",
    "vit_base_patch16_384.orig_in21k_ft_in1k",
    "vit_large_patch16_224.augreg_in21k",
    "vit_large_patch16_224.augreg_in21k_ft_in1k",
    "vit_large_patch16_224.mae",
    "vit_large_patch16_224.orig_in21k",
    "vit_large_patch16_384.augreg_in21k_ft_in1k",
    "deit_tiny_patch16_224.fb_in1k",
    "deit_small_patch16_224.fb_in1k",
    "deit_base_patch16_224.fb_in1k",
    "deit_base_patch16_384.fb_in1k",
    "deit_tiny_distilled_patch16_224.fb_in1k",
    "deit_small_distilled_patch16_224.fb_in1k",
    "deit_base_distilled_patch16_224.fb_in1k",
    "deit_base_distilled_patch16_384.fb_in1k",
    "deit3_small_patch16_224.fb_in1k",
    "deit3_small_patch16_224.fb_in22k_ft_in1k",
    "deit3_small_patch16_384.fb_in1k",
    "deit3_small_patch16_384.fb_in22k_ft_in1k",
    "deit3_base_patch16_224.fb_in1k",
    "deit3_base_patch16_224.fb_in22k_ft_in1k",
    "deit3_base_patch16_384.fb_in1k",
    "deit3_base_patch16_384.fb_in22k_ft_in1k",
    "vit_small_patch14_reg4_dinov2.lvd142m",
    "vit_base_patch14_reg4_dinov2.lvd142m",
    # Image towers of CLIP with a head of classes.
    "vit_base_patch16_clip_224.laion2b_ft_in12k",
    "vit_base_patch16_clip_224.laion2b_ft_in12k_in1k",
    "vit_base_patch16_clip_224.laion2b_ft_in1k",
    "vit_base_patch16_clip_224.openai_ft_in12k",
    "vit_base_patch16_clip_224.openai_ft_in12k_in1k",
    "vit_base_patch16_clip_224.openai_ft_in1k",
    "vit_base_patch16_clip_384.laion2b_ft_in12k_in1k",
    "vit_base_patch16_clip_384.laion2b_ft_in1k",
    "vit_base_patch16_clip_384.openai_ft_in12k_in1k",
    "vit_base_patch16_clip_384.openai_ft_in1k",
    "vit_base_patch32_clip_224.laion2b_ft_in12k_in1k",
    "vit_base_patch32_clip_224.laion2b_ft_in1k",
    "vit_base_patch32_clip_224.openai_ft_in1k",
    "vit_base_patch32_clip_384.laion2b_ft_in12k_in1k",
    "vit_base_patch32_clip_384.openai_ft_in12k_in1k",
    "vit_base_patch32_clip_448.laion2b_ft_in12k_in1k",
    "vit_large_patch14_clip_224.laion2b_ft_in12k",
    "vit_large_patch14_clip_224.laion2b_ft_in12k_in1k",
    "vit_large_patch14_clip_224.laion2b_ft_in1k",
    "vit_large_patch14_clip_224.openai_ft_in12k",
    "vit_large_patch14_clip_224.openai_ft_in12k_in1k",
    "vit_large_patch14_clip_224.openai_ft_in1k",
    "vit_large_patch14_clip_336.laion2b_ft_in12k_in1k",
    "vit_large_patch14_clip_336.laion2b_ft_in1k",
    "vit_large_patch14_clip_336.openai_ft_in12k_in1k",
)
REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def fetch(
    name: str | os.PathLike, revision: str | None = None, cache_dir: str | None = None
) -> tuple[dict, Path]:
    """Finds the files of a timm model in a folder, in the cache, or on the hub.

    Downloads stay in the cache of the hub's client, under their SHA-256 sums. Every use
    checks these sums.

    Args:
        name: String: a name in `PRETRAINED`, a repository `"owner/name"` or
            `"hf://owner/name"` on the hub, or the path of a folder with `config.json`
            and `model.safetensors`, such as `"./my_cait"`. A string without a path
            separator is always a name. If `"owner/name"` is also a folder, write
            `"./owner/name"` or `"hf://owner/name"`.
        revision: String, a branch, tag or commit, or `None` for the newest
            one. Defaults to `None`.
        cache_dir: String, the folder of the cache, or `None` for that of the hub's
            client. Defaults to `None`.

    Returns:
        The content of `config.json`, and the path of `model.safetensors`.

    Raises:
        ValueError: If there is no such model, `name` is both a repository and
            a folder, or a file is damaged.
        ConnectionError: If the hub cannot be reached.
        ModuleNotFoundError: If the hub's client is missing.

    Example:

    ```python
    config, path = fetch("./my_cait")
    assert config["architecture"] == "cait_xxs24_224"
    ```
    """
    require_path("name", name)
    if isinstance(name, os.PathLike):
        name = os.path.join(os.curdir, name)
    if _is_folder(name):
        paths = [Path(name) / file for file in PRESET_FILES]
        missing = [path.name for path in paths if not path.is_file()]
        require(
            not missing,
            f"`name` must be a folder with {' and '.join(PRESET_FILES)}.",
            name=name,
            missing=missing,
        )
    else:
        name = name.removeprefix(HUB)
        if "/" not in name:
            _require_pretrained(name)
            name = f"timm/{name}"
        paths = []
        for file in PRESET_FILES:
            paths.append(_from_hub(name, file, revision, cache_dir))
            if paths[0].parents[1].name == "snapshots":
                # Takes all files from one commit, even if there is a newer one by now.
                revision = paths[0].parents[0].name
    for path in paths:
        _verify(path)
    try:
        config = json.loads(paths[0].read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"`name` must have an intact config.json. Received: {str(paths[0])!r} "
            f"({error})"
        ) from error
    require(
        isinstance(config, dict),
        "`name` must have a config.json that holds a dict.",
        config=str(paths[0]),
    )
    return config, paths[1]


def _is_folder(name):
    """Whether a name is the path of a folder, and not a repository of the hub."""
    if name.startswith(HUB) or not Path(name).is_dir():
        return False
    # Absolute paths, and paths that start with `./` or `../`, are not ambiguous.
    require(
        REPOSITORY.fullmatch(name) is None,
        f"`name` must be clearly a folder or a repository: './{name}' is the folder, "
        f"'{HUB}{name}' the repository on the hub.",
        name=name,
    )
    return "/" in name or os.sep in name or name in (os.curdir, os.pardir)


def _require_pretrained(name):
    """Requires a known name; if a folder has that name, the error gives a hint."""
    hint = path_hint(name)
    require(
        name in PRETRAINED or not hint,
        f"`name` must be a known name, or a path.{hint}",
        name=name,
    )
    require_known("name", name, PRETRAINED)


def _from_hub(repository, file, revision, cache_dir):
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import (
            HFValidationError,
            LocalEntryNotFoundError,
            RemoteEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Fetching weights needs the packages huggingface_hub and safetensors: pip "
            "install 'keras_mixvit[hub]'."
        ) from error
    where = {"revision": revision, "cache_dir": cache_dir}
    try:
        try:
            # A file in the cache needs no network.
            path = hf_hub_download(repository, file, local_files_only=True, **where)
        except LocalEntryNotFoundError:
            path = hf_hub_download(repository, file, **where)
    except (
        HFValidationError,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    ) as error:
        raise ValueError(
            "`name` must be an existing folder, or a repository on the hub, with "
            f"{' and '.join(PRESET_FILES)}. Received: name={repository!r}, "
            f"revision={revision!r} ({_first(error)})"
        ) from error
    except OSError as error:
        raise ConnectionError(
            f"{repository} could not be fetched from the hub ({_first(error)}): "
            f"without a network, put {' and '.join(PRESET_FILES)} of https://huggingface.co/"
            f"{repository} into a folder and give its path as `name`."
        ) from error
    return Path(path)


def _first(error):
    """The first line of an error's text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _verify(path):
    """Compares a file of the cache with the checksum in its name."""
    stored = path.resolve()
    if not re.fullmatch("[0-9a-f]{64}", stored.name):
        return
    with stored.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    require(
        found == stored.name,
        f"{path.name} in the cache must have the SHA-256 sum of the file on the hub; "
        "it is damaged: delete it and fetch it again.",
        path=str(stored),
        sum=found,
    )
