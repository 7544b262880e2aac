"""Facts about the papers' data sets."""

# The shape of an image and the number of classes.
FACTS = {
    "digits": ((8, 8, 1), 10),
    "cifar10": ((32, 32, 3), 10),
    "cifar100": ((32, 32, 3), 100),
    "tiny-imagenet": ((64, 64, 3), 200),
    "imagenet100": ((224, 224, 3), 100),
    "imagenet1k": ((224, 224, 3), 1000),
}
