"""The settings of a run, stored in its folder."""

import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from types import NoneType

from keras_mixvit._checks import is_integer, require
from keras_mixvit.recipes._flat import flat
from keras_mixvit.recipes._recipe import Recipe
from keras_mixvit.recipes._recipe_file import read_recipe, recipe_text
from keras_mixvit.training._atomic_files import write_json, write_text
from keras_mixvit.training._found_runs import RECIPE, require_run
from keras_mixvit.training._run_files import read_json, require_entry

# What you may change in a run: its images are compared by their pixels.
FREE = ("name", "note", "data.name")
SWITCHES = ("single", "single_cutmix", "tensorboard")


@dataclass(frozen=True)
class RunSettings:
    """The settings with which a run began.

    Args:
        recipe: `Recipe`.
        data_dir: String, the folder of the images, or `None`. Defaults to `None`.
        single: Boolean, whether to train the single network, too. Defaults to `True`.
        single_cutmix: Boolean, whether to train the single network with CutMix, too.
            Defaults to `False`.
        tensorboard: Boolean, whether to write logs for TensorBoard. Defaults to
            `False`.
        facts: Dict of versions, backend, device and the fingerprint of the data.
            Defaults to `None`.
    """

    recipe: Recipe
    data_dir: str | None = None
    single: bool = True
    single_cutmix: bool = False
    tensorboard: bool = False
    facts: dict | None = None

    @property
    def name(self) -> str:
        """The name of a new run: data, method, backbone and seed."""
        recipe = self.recipe
        stem = Path(recipe.data.name).stem
        return f"{stem}-{recipe.method.name}-{recipe.backbone.name}-seed{recipe.seed}"

    def trainings(self) -> dict[str, Recipe]:
        """The recipes of the networks to train, by the names of their folders."""
        found = {}
        main = self.recipe
        is_single = main.method.name == "single" and main.num_members == 1
        if self.single and not is_single:
            found["single"] = main.baseline()
        if self.single_cutmix:
            other = main.baseline(cutmix=True)
            # A recipe with CutMix is already this baseline, or has it.
            same = [each.replace(name=other.name) for each in (main, *found.values())]
            if other not in same:
                found["single-cutmix"] = other
        if main.num_members == 1:
            return {**found, ".": main}
        members = enumerate(main.members())
        return {**found, **{f"member-{i}": each for i, each in members}}

    def write(self, folder: Path) -> None:
        """Writes `recipe.toml` and `run.json`."""
        text = recipe_text(self.recipe)
        write_text(folder / RECIPE, text)
        # `resume` compares it with a file that you may have edited.
        further = {**asdict(self), "recipe": tomllib.loads(text)}
        write_json(folder / "run.json", further)

    @classmethod
    def read(cls, folder: Path) -> "RunSettings":
        """The settings that `write` wrote.

        Args:
            folder: Path of a run folder.

        Raises:
            ValueError: If it is not a run folder.
        """
        require_run(folder)
        try:
            recipe = read_recipe(str(folder / RECIPE))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"`run` must be the folder of a run, with an intact {RECIPE}. "
                f"Received: run={str(folder)!r} ({type(error).__name__}: {error})"
            ) from error
        further = read_json(folder / "run.json")
        further.pop("recipe", None)
        require_entry(
            folder / "run.json",
            set(further) <= {"data_dir", *SWITCHES, "facts"}
            and isinstance(further.get("data_dir"), (str, NoneType))
            and all(isinstance(further.get(name, True), bool) for name in SWITCHES)
            and are_facts(further.get("facts")),
            "`data_dir`, `single`, `single_cutmix`, `tensorboard` and `facts`",
            further,
        )
        return cls(recipe, **further)

    def require_same_recipe(self, folder: Path) -> None:
        """Requires that `recipe.toml` is as the run wrote it.

        Args:
            folder: Path of the run folder.

        Raises:
            ValueError: If it has changed. Runs of earlier versions kept no copy.
        """
        kept = read_json(folder / "run.json").get("recipe")
        if not isinstance(kept, dict):
            return
        before, now = flat(Recipe.from_dict(kept)), flat(self.recipe)
        changed = {
            place: (before.get(place), now.get(place))
            for place in (*before, *(place for place in now if place not in before))
            if before.get(place) != now.get(place) and place not in FREE
        }
        require(
            not changed,
            f"`run` must keep its {RECIPE}: one training cannot have two recipes. Undo "
            "the changes (before, now), or start another run with this file.",
            run=str(folder),
            **changed,
        )


def are_facts(found) -> bool:
    """Whether a value has the form of `RunSettings.facts`."""
    if found is None:
        return True
    if not isinstance(found, dict):
        return False
    data, versions = found.get("data"), found.get("versions")
    return (
        isinstance(found.get("backend"), str)
        and isinstance(versions, dict)
        and isinstance(data, dict)
        and isinstance(data.get("fingerprint"), str)
        and is_integer(found.get("replicas"))
    )
