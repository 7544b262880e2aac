"""What a run was begun with, kept in its folder."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from keras_mixvit.recipes.atomic_files import write_json
from keras_mixvit.recipes.protocol import former_protocol
from keras_mixvit.recipes.recipe import Recipe

# Beside the fields of the recipe; what loads images looks for it there.
FURTHER = ("data_dir", "scaled")


@dataclass(frozen=True)
class RunSettings:
    """What a run was begun with.

    Args:
        recipe: `Recipe`.
        data_dir: String, where the images are, or `None`. Defaults to `None`.
        single: Boolean, whether the single network is trained too. Defaults
            to `True`.
        tensorboard: Boolean, whether logs for TensorBoard are written.
            Defaults to `False`.
        facts: Dict of versions, backend, device and the data's fingerprint.
            Defaults to `None`.
    """

    recipe: Recipe
    data_dir: str | None = None
    single: bool = True
    tensorboard: bool = False
    facts: dict | None = None

    def trainings(self) -> dict[str, Recipe]:
        """The recipes of the networks to train, by the folders they get."""
        found = {}
        main = self.recipe
        if self.single and (main.method != "single" or main.num_members > 1):
            found["single"] = main.baseline()
        if main.num_members == 1:
            return {**found, ".": main}
        members = enumerate(main.members())
        return {**found, **{f"member-{i}": each for i, each in members}}

    def write(self, folder: Path) -> None:
        """Writes `recipe.json` and `run.json`."""
        recipe = {**self.recipe.to_dict(), "scaled": self.recipe.is_scaled}
        if self.data_dir is not None:
            recipe["data_dir"] = self.data_dir
        write_json(folder / "recipe.json", recipe)
        further = asdict(self)
        del further["recipe"], further["data_dir"]
        write_json(folder / "run.json", further)

    @classmethod
    def read(cls, folder: Path) -> "RunSettings":
        """Reads what `write` wrote.

        Args:
            folder: Path of the folder of a run.

        Raises:
            ValueError: If it is no such folder.
        """
        try:
            recipe = json.loads((folder / "recipe.json").read_text())
            further = json.loads((folder / "run.json").read_text())
        except (OSError, ValueError) as error:
            raise ValueError(
                "`run` must be the folder of a run, with an intact recipe.json and "
                f"run.json. Received: run={str(folder)!r}"
            ) from error
        data_dir = recipe.get("data_dir")
        fields = {key: recipe[key] for key in recipe if key not in FURTHER}
        if "protocol" not in fields:
            fields["protocol"] = former_protocol(further["facts"]["data"]["shapes"])
        return cls(Recipe.from_dict(fields), data_dir, **further)
