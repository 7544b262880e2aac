"""Small models with attention."""

from tests.helpers import images

X = images(5)
ONE_BLOCK = {"num_blocks": 1, "num_class_blocks": 1}
