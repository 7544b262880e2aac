"""Cut-MixMo's WideResNet in plain PyTorch: what a step costs without this library."""

import torch
from torch import nn
from torch.nn import functional

CLASSES = 100


def convolution(channels, filters, side=3, stride=1):
    """A convolution without bias that keeps the size where the stride is 1."""
    return nn.Conv2d(channels, filters, side, stride, side // 2, bias=False)


class Block(nn.Module):
    """Two convolutions, each after batch norm and ReLU, and a shortcut."""

    def __init__(self, channels, filters, stride):
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm2d(channels), nn.BatchNorm2d(filters)])
        self.first = convolution(channels, filters)
        self.second = convolution(filters, filters, stride=stride)
        self.shortcut = nn.Identity()
        if stride > 1 or channels != filters:
            self.shortcut = convolution(channels, filters, 1, stride)

    def forward(self, grid):
        hidden = self.first(functional.relu(self.norms[0](grid), inplace=True))
        hidden = self.second(functional.relu(self.norms[1](hidden), inplace=True))
        return hidden + self.shortcut(grid)


class MixMo(nn.Module):
    """M stems, their outputs mixed by masks, one WideResNet, M classifiers."""

    def __init__(self, depth=28, widening=2, members=2):
        super().__init__()
        self.stems = nn.ModuleList(convolution(3, 16) for _ in range(members))
        blocks, channels = [], 16
        for group in range(3):
            filters = 16 * 2**group * widening
            for i in range((depth - 4) // 6):
                stride = 2 if group and not i else 1
                blocks.append(Block(channels, filters, stride))
                channels = filters
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.BatchNorm2d(channels)
        self.heads = nn.Linear(channels, members * CLASSES)

    def forward(self, images, masks=None):
        """Logits (B, M, K) of mixed pairs, a list of M, or of images."""
        members = len(self.stems)
        if masks is None:
            grid = sum(stem(images) for stem in self.stems)
        else:
            parts = zip(masks, images, self.stems, strict=True)
            grid = members * sum(mask * stem(image) for mask, image, stem in parts)
        hidden = functional.relu(self.norm(self.blocks(grid)), inplace=True)
        return self.heads(hidden.mean((2, 3))).unflatten(1, (members, CLASSES))


def steps(
    widening: int,
    batch: int,
    members: int = 2,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    compiles: bool = False,
    depth: int = 28,
) -> dict:
    """Functions that train on one batch and that classify one, channels last."""
    layout = {"device": device, "memory_format": torch.channels_last}
    network = called = MixMo(depth, widening, members).to(**layout)
    if compiles:
        called = torch.compile(network, dynamic=False)
    optimizer = torch.optim.SGD(
        network.parameters(), 0.1, momentum=0.9, nesterov=True, foreach=True
    )
    images = [torch.rand(batch, 3, 32, 32).to(**layout) for _ in range(members)]
    masks = torch.rand(members, batch, 1, 32, 32).softmax(0).to(device)
    labels = torch.randint(CLASSES, (batch, members), device=device)
    halves = dtype != torch.float32

    def training():
        network.train()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, dtype, enabled=halves):
            logits = called(images, masks).float()
        loss = functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
        (members * loss).backward()
        optimizer.step()
        # Not a Python number, which would wait for a GPU.
        return loss.detach()

    @torch.inference_mode()
    def inference():
        network.eval()
        with torch.autocast(device, dtype, enabled=halves):
            return network(images[0]).mean(1).cpu()

    return {"training": training, "inference": inference}
