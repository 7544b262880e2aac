"""Makes keras_mixvit/data/digits.npz from the copy that scikit-learn ships.

The images are the test part of "Optical Recognition of Handwritten Digits"
(E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998,
https://doi.org/10.24432/C50P49), licensed CC BY 4.0. They are unchanged but
for their type and a random order, cut into 1,000, 297 and 500.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TARGET = Path(__file__).parents[1] / "keras_mixvit" / "data" / "digits.npz"

if __name__ == "__main__":
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.images))
    images = digits.images[order, :, :, None].astype("uint8")
    labels = digits.target[order].astype("uint8")
    arrays = {}
    for split, start, stop in (
        ("train", 0, 1000),
        ("val", 1000, 1297),
        ("test", 1297, 1797),
    ):
        arrays[f"x_{split}"] = images[start:stop]
        arrays[f"y_{split}"] = labels[start:stop]
    np.savez_compressed(TARGET, classes=np.arange(10).astype("U1"), **arrays)
