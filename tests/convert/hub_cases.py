"""A small network, and a small file of weights."""

import numpy as np

SMALL = {"width": 8, "num_heads": 2, "num_blocks": 1, "num_class_blocks": 1}
BYTES = {"model.safetensors": np.zeros(2, "float32")}
