"""The settings with which a run began, in the folder of the run."""

from dataclasses import asdict, dataclass
from pathlib import Path
from types import NoneType

from keras_mixvit._checks import is_integer
from keras_mixvit.recipes._protocol import former_protocol
from keras_mixvit.recipes._recipe import Recipe
from keras_mixvit.training._atomic_files import write_json
from keras_mixvit.training._run_files import read_json, require_entry

# Entries of recipe.json that are no fields of a recipe.
FURTHER = ("data_dir", "scaled")


@dataclass(frozen=True)
class RunSettings:
    """The settings with which a run began.

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
        """The recipes of the networks to train, by the names of their folders."""
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
        recipe = read_json(folder / "recipe.json")
        further = read_json(folder / "run.json")
        data_dir, rows = recipe.get("data_dir"), recipe.get("published", [])
        require_entry(
            folder / "recipe.json",
            isinstance(data_dir, (str, NoneType)) and isinstance(rows, list),
            "a recipe, with a string `data_dir` or none",
            {"data_dir": data_dir, "published": rows},
        )
        require_entry(
            folder / "run.json",
            set(further) <= {"single", "tensorboard", "facts"}
            and isinstance(further.get("single", True), bool)
            and isinstance(further.get("tensorboard", True), bool)
            and are_facts(further.get("facts")),
            "`single`, `tensorboard` and `facts`",
            further,
        )
        fields = {key: recipe[key] for key in recipe if key not in FURTHER}
        if "protocol" not in fields:
            shapes = (further.get("facts") or {"data": {}})["data"].get("shapes")
            require_entry(
                folder / "run.json", isinstance(shapes, dict), "`shapes`", shapes
            )
            fields["protocol"] = former_protocol(shapes)
        return cls(Recipe.from_dict(fields), data_dir, **further)


def are_facts(found) -> bool:
    """Whether a value is what `RunSettings.facts` may be."""
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
        # Older runs do not record the number; they used one device.
        and is_integer(found.get("replicas", 1))
    )
