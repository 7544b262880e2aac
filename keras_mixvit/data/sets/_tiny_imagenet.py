from pathlib import Path

from keras_mixvit._checks import require
from keras_mixvit.data.sets._class_folders import ClassFolders

# Mean and deviation of Tiny ImageNet in the published MixMo code.
MEAN = STD = (127.5, 127.5, 127.5)


class TinyImageNet(ClassFolders):
    """The official folder tiny-imagenet-200.

    Its validation images are in one folder, with their classes in
    `val_annotations.txt`; its test images have no labels.

    Args:
        folder: Path.
    """

    unlabelled = ("test",)

    def __init__(self, folder):
        texts = class_texts(folder)
        super().__init__(folder, texts=texts, channels=3, mean=MEAN, std=STD)
        listed = self.folder / "wnids.txt"
        if listed.exists():
            self.wanted = listed.read_text().split()

    def listing(self, split, classes):
        annotations = self.folders[split] / "val_annotations.txt"
        if split != "val" or not annotations.exists():
            yield from super().listing(split, classes)
            return
        numbers = {name: k for k, name in enumerate(classes)}
        for line in annotations.read_text().splitlines():
            file, name, *_ = line.split("\t")
            require(
                name in numbers,
                "Every class must be in the train split.",
                file=str(annotations),
                unknown=name,
            )
            yield numbers[name], f"images/{file}"


def class_texts(folder) -> dict[str, str]:
    """The first word for each class in `words.txt`, if the file exists."""
    for name in ("words.txt", "LOC_synset_mapping.txt"):
        path = Path(folder) / name
        if path.exists():
            lines = path.read_text(encoding="utf-8").splitlines()
            pairs = (line.split(maxsplit=1) for line in lines if line.strip())
            return {wnid: words.split(",")[0].strip() for wnid, words in pairs}
    return {}
