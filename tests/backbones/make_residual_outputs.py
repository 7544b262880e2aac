"""Writes what plain PyTorch computes for tiny residual networks.

    pip install torch
    python -m tests.backbones.make_residual_outputs

For every case: the names and shapes of the weights, and the logits `(B, M, K)`
in inference; for one also those in training and the running statistics after
it. PyTorch computes in float64, so that what is stored is exact to float32.
Weights and images are not stored: they are drawn from seeds.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tests.backbones.residual_cases import (
    CASES,
    NUM_CLASSES,
    TRAINED,
    drawn_weights,
    images,
)

PATH = Path(__file__).parent / "residual_outputs.npz"
convolution = partial(nn.Conv2d, bias=False)


class WideBlock(nn.Module):
    """Stride in the second convolution, zeros right and below, raw shortcut."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.stride = stride
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = convolution(inputs, outputs, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = convolution(outputs, outputs, 3, stride)
        self.shortcut = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.shortcut.append(convolution(inputs, outputs, 1, stride))

    def forward(self, x):
        hidden = functional.relu(self.bn2(self.conv1(functional.relu(self.bn1(x)))))
        before = 0 if self.stride > 1 else 1
        hidden = functional.pad(hidden, (before, 1, before, 1))
        return self.conv2(hidden) + self.shortcut(x)


class PreActBlock(nn.Module):
    """Stride in the first convolution, shortcut of the first activation."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = convolution(inputs, outputs, 3, stride, padding=1)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = convolution(outputs, outputs, 3, padding=1)
        self.shortcut = None
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(convolution(inputs, outputs, 1, stride))

    def forward(self, x):
        active = functional.relu(self.bn1(x))
        hidden = self.conv2(functional.relu(self.bn2(self.conv1(active))))
        return hidden + (x if self.shortcut is None else self.shortcut(active))


class PostActBlock(nn.Module):
    """The block of ResNet-18."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = convolution(inputs, outputs, 3, stride, padding=1)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = convolution(outputs, outputs, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.downsample.append(convolution(inputs, outputs, 1, stride))
            self.downsample.append(nn.BatchNorm2d(outputs))

    def forward(self, x):
        hidden = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(hidden + self.downsample(x))


class Network(nn.Module):
    """A network of a case, with the names of the published weights."""

    def __init__(self, case):
        super().__init__()
        self.network = case.network
        stem, block, widths, blocks = {
            "wide": (partial(convolution, 3, 16, 3, 1, 1), WideBlock, (16, 32, 64), 1),
            "preact": (
                partial(convolution, 3, 64, 3, 2, 1),
                PreActBlock,
                (64, 128, 256, 512),
                2,
            ),
            "resnet": (
                partial(convolution, 3, 64, 7, 2, 3),
                PostActBlock,
                (64, 128, 256, 512),
                2,
            ),
        }[case.network]
        if case.members == 1:
            self.conv1, self.fc = stem(), nn.Linear(widths[-1], NUM_CLASSES)
            self.stems, self.heads = lambda: [self.conv1], lambda: [self.fc]
        else:
            range_ = range(case.members)
            self.list_conv1 = nn.ModuleList(stem() for _ in range_)
            self.list_fc = nn.ModuleList(
                nn.Linear(widths[-1], NUM_CLASSES) for _ in range_
            )
            self.stems, self.heads = lambda: self.list_conv1, lambda: self.list_fc
        self.groups, inputs = len(widths), widths[0]
        for i, width in enumerate(widths):
            group = nn.Sequential()
            for j in range(blocks):
                group.append(block(inputs, width, 2 if i and not j else 1))
                inputs = width
            setattr(self, f"layer{i + 1}", group)
        if case.network == "wide":
            self.bn1 = nn.BatchNorm2d(widths[-1])
        if case.network == "resnet":
            self.bn1 = nn.BatchNorm2d(widths[0])

    def forward(self, x):
        x = sum(stem(x) for stem in self.stems())
        if self.network == "resnet":
            x = functional.max_pool2d(functional.relu(self.bn1(x)), 3, 2, padding=1)
        for i in range(self.groups):
            x = getattr(self, f"layer{i + 1}")(x)
        if self.network == "wide":
            x = functional.relu(self.bn1(x))
        features = x.mean(dim=(2, 3))
        return torch.stack([head(features) for head in self.heads()], dim=1)


def weights_of(model):
    """All weights and running statistics by name."""
    state = model.state_dict().items()
    return {name: a for name, a in state if not name.endswith("num_batches_tracked")}


def keep_biased_variance(norm, inputs, _):
    """Undoes PyTorch's factor n / (n - 1), which Keras does not have."""
    if norm.training:
        count = inputs[0].numel() // inputs[0].shape[1]
        mixed = norm.running_var - 0.9 * norm.before
        norm.running_var.copy_(0.9 * norm.before + mixed * (count - 1) / count)


def outputs(name, case):
    """Everything that is stored of a case, by its name."""
    model = Network(case)
    shapes = {name: tuple(a.shape) for name, a in weights_of(model).items()}
    weights = drawn_weights(shapes)
    model.load_state_dict(
        {key: torch.from_numpy(array) for key, array in weights.items()}, strict=False
    )
    model.double().eval()
    pixels = torch.from_numpy(images(case)).double().permute(0, 3, 1, 2)
    with torch.no_grad():
        found = {"shapes": np.array(json.dumps(shapes)), "logits": model(pixels)}
        if name == TRAINED:
            for module in model.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.before = module.running_var.clone()
                    module.register_forward_hook(keep_biased_variance)
            found["training"] = model.train()(pixels)
            for key, value in weights_of(model).items():
                if "running" in key:
                    found[f"after/{key}"] = value
    return {
        key: value if isinstance(value, np.ndarray) else value.float().numpy()
        for key, value in found.items()
    }


if __name__ == "__main__":
    stored = {
        f"{name}/{key}": array
        for name, case in CASES.items()
        for key, array in outputs(name, case).items()
    }
    np.savez_compressed(PATH, **stored)
