"""Writes what three training steps of a MixMo written in plain PyTorch do.

    pip install torch
    python -m tests.models.make_mixmo_steps

A WideResNet of depth 10 with two stems and two heads, Eq. 3 and 5 with r = 3,
3e-4 times the sum of squares of all parameters in the loss, Nesterov's SGD of
a constant rate. Nothing here comes from this library. PyTorch computes in
float64, so that what is stored is exact to float32. Weights and batches are
not stored: they are drawn from seeds.
"""

from pathlib import Path

import numpy as np

PATH = Path(__file__).parent / "mixmo_steps.npz"
NUM_CLASSES, MEMBERS, BATCH, SIDE, STEPS = 5, 2, 8, 8, 3
R, L2, RATE, MOMENTUM = 3.0, 3e-4, 0.05, 0.9


def drawn_weights(shapes):
    """Weights by their published names, each of a seed of its own.

    Args:
        shapes: Mapping from names to shapes.

    Returns:
        Dict from names to float32 arrays.
    """
    weights = {}
    for name, shape in shapes.items():
        rng = np.random.default_rng(list(name.encode()))
        if name.endswith("running_var"):
            value = rng.uniform(0.5, 1.5, shape)
        elif len(shape) == 1:
            value = 0.3 * rng.standard_normal(shape)
            # Scales of batch norms; the others are biases and means.
            value += 1.0 if "bn" in name and name.endswith("weight") else 0.0
        else:
            value = rng.standard_normal(shape) / np.prod(shape[1:]) ** 0.5
        weights[name] = value.astype("float32")
    return weights


def batches():
    """Images `(B, M, H, W, 3)`, masks `(B, M, H, W)` and labels `(B, M)` of a step.

    The first sample of each step shows one input only; the others mix a box
    and shares that vary from place to place.
    """
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        images = rng.random((BATCH, MEMBERS, SIDE, SIDE, 3)).astype("float32")
        first = rng.random((BATCH, SIDE, SIDE)).astype("float32")
        first[: BATCH // 2, 2:6, 1:7] = 1.0
        first[0] = 1.0
        masks = np.stack([first, 1 - first], axis=1)
        yield images, masks, rng.integers(NUM_CLASSES, size=(BATCH, MEMBERS))


def network():
    """The network, whose parameters have the published names."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self, before, after, stride):
            super().__init__()
            self.stride = stride
            self.bn1 = nn.BatchNorm2d(before)
            self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(after)
            self.conv2 = nn.Conv2d(after, after, 3, stride, bias=False)
            if before != after:
                conv = nn.Conv2d(before, after, 1, stride, bias=False)
                self.shortcut = nn.Sequential(conv)

        def forward(self, x):
            y = self.conv1(functional.relu(self.bn1(x)))
            y = functional.relu(self.bn2(y))
            # A stride of 2 looks one place beyond the right and the bottom.
            border = (0, 1, 0, 1) if self.stride == 2 else (1, 1, 1, 1)
            y = self.conv2(functional.pad(y, border))
            return y + (self.shortcut(x) if hasattr(self, "shortcut") else x)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.list_conv1 = nn.ModuleList(
                nn.Conv2d(3, 16, 3, padding=1, bias=False) for _ in range(MEMBERS)
            )
            self.layer1 = nn.Sequential(Block(16, 16, 1))
            self.layer2 = nn.Sequential(Block(16, 32, 2))
            self.layer3 = nn.Sequential(Block(32, 64, 2))
            self.bn1 = nn.BatchNorm2d(64)
            self.list_fc = nn.ModuleList(
                nn.Linear(64, NUM_CLASSES) for _ in range(MEMBERS)
            )

        def forward(self, images, masks):
            grid = 0.0
            for m, stem in enumerate(self.list_conv1):
                x = images[:, m].permute(0, 3, 1, 2)
                grid = grid + MEMBERS * masks[:, m, None] * stem(x)
            grid = self.layer3(self.layer2(self.layer1(grid)))
            features = functional.relu(self.bn1(grid)).mean(dim=(2, 3))
            return [head(features) for head in self.list_fc]

    return Network().to(torch.float64)


def steps():
    """What is stored: arrays by name."""
    import torch
    from torch.nn import functional

    model = network()
    state = model.state_dict()
    drawn = drawn_weights(
        {n: tuple(v.shape) for n, v in state.items() if not n.endswith("tracked")}
    )
    for name, value in drawn.items():
        state[name].copy_(torch.from_numpy(value))
    optimizer = torch.optim.SGD(
        model.parameters(), RATE, momentum=MOMENTUM, nesterov=True
    )
    stored, losses = {}, []
    for images, masks, labels in batches():
        images, masks = (torch.from_numpy(x).double() for x in (images, masks))
        powers = masks.mean(dim=(2, 3)) ** (1 / R)
        weights = MEMBERS * powers / powers.sum(dim=1, keepdim=True)
        loss = L2 * sum((p**2).sum() for p in model.parameters())
        for m, logits in enumerate(model(images, masks)):
            target = torch.from_numpy(labels[:, m])
            entropies = functional.cross_entropy(logits, target, reduction="none")
            loss = loss + (weights[:, m] * entropies).mean()
        optimizer.zero_grad()
        loss.backward()
        if not losses:
            for name, parameter in model.named_parameters():
                stored[f"gradient_norm/{name}"] = parameter.grad.norm().item()
        optimizer.step()
        losses.append(loss.item())
    stored["losses"] = losses
    for name, value in model.state_dict().items():
        if "running" in name:
            stored[f"after/{name}"] = value.numpy().astype("float32")
        elif not name.endswith("tracked"):
            stored[f"moved/{name}"] = np.linalg.norm(value.numpy() - drawn[name])
    return stored


if __name__ == "__main__":
    np.savez_compressed(PATH, **steps())
