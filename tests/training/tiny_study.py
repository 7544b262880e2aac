"""A study of two rows and two seeds, whose trainings take seconds."""

from tests.tiny_run import write_images

NAME = "tiny"
TEXT = """
name = "tiny"
note = "To try the command."
seeds = [0, 1]
baseline = "single"

[recipe]
epochs = 1
batch_size = 8
data = {name = "./three.npz", protocol = "paper"}

[recipe.backbone]
width = 8
num_heads = 2
num_blocks = 1
num_class_blocks = 1
patch_size = 4

[rows.single]
method = "single"

[rows."MixViT, M = 2"]
method = "mixvit"
"""


def write_study(folder, text=TEXT):
    """Writes the images and the file, whose path it returns."""
    if not (folder / "three.npz").exists():
        write_images(folder / "three.npz")
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)
