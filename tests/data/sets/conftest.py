import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import pytest

from tests.data.tfds import Builder, ImageFeature, Label, SkipDecoding


@pytest.fixture
def tfds(monkeypatch, tmp_path, caches):
    """The stand-in; what it is asked for is in `asked`."""
    module = ModuleType("tensorflow_datasets")
    module.__spec__ = ModuleSpec("tensorflow_datasets", None)
    module.decode = SimpleNamespace(SkipDecoding=SkipDecoding)
    module.features = SimpleNamespace(Image=ImageFeature, ClassLabel=Label)
    module.as_numpy = lambda dataset: dataset
    module.asked, module.made = [], []
    module.options = {
        "shape": (4, 4, 3),
        "file_format": "array_record",
        "is_prepared": True,
        "names": ("train", "validation"),
        "folder": tmp_path,
    }

    def builder(name, **options):
        if name == "nonesuch":
            raise LookupError("Dataset nonesuch not found.\nAvailable: very many")
        module.asked.append((name, options))
        module.made.append(Builder(**module.options))
        return module.made[-1]

    module.builder = builder
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", module)
    return module
