"""The fields of a recipe, in the order of its file."""

PARTS = (
    *("data", "backbone", "method", "mixing", "pairs", "augmentation"),
    *("pixel_mixing", "loss", "optimizer", "schedule"),
)
FIELDS = (
    *("name", *PARTS, "batch_size", "epochs", "epoch_scale", "width_scale"),
    *("preset", "num_members", "ensemble_of", "precision", "seed", "note"),
)
