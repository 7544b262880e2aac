"""The paper's MixViT in plain PyTorch: what a step costs without this library."""

import torch
from torch import nn
from torch.nn import functional

HEADS, TOKENS, CLASSES = 12, 64, 100
# GPSA blocks and those of class attention.
BLOCKS = 5, 2


class Gpsa(nn.Module):
    """Gated positional self-attention."""

    def __init__(self, width):
        super().__init__()
        self.query_key = nn.Linear(width, 2 * width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width)
        self.position = nn.Parameter(torch.randn(HEADS, TOKENS, TOKENS))
        self.gate = nn.Parameter(torch.ones(HEADS, 1, 1))

    def forward(self, x):
        batch, tokens, width = x.shape
        pair = self.query_key(x).reshape(batch, tokens, 2, HEADS, -1)
        query, key = pair.permute(2, 0, 3, 1, 4)
        gate = torch.sigmoid(self.gate)
        content = (query @ key.transpose(-1, -2)) * query.shape[-1] ** -0.5
        attention = (1 - gate) * content.softmax(-1) + gate * self.position.softmax(-1)
        value = self.value(x).reshape(batch, tokens, HEADS, -1).transpose(1, 2)
        mixed = (attention.to(value.dtype) @ value).transpose(1, 2)
        return self.out(mixed.reshape(batch, tokens, width))


class ClassAttention(nn.Module):
    """Attention of one class token to all tokens."""

    def __init__(self, width):
        super().__init__()
        self.query, self.key, self.value, self.out = (
            nn.Linear(width, width) for _ in range(4)
        )

    def forward(self, x):
        query, key, value = (
            layer(part).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for layer, part in (
                (self.query, x[:, :1]),
                (self.key, x),
                (self.value, x),
            )
        )
        found = functional.scaled_dot_product_attention(query, key, value)
        return self.out(found.transpose(1, 2).flatten(2))


class MixViT(nn.Module):
    """M subnetworks with source embeddings, on mixed pairs of 32 x 32 images."""

    def __init__(self, width, members=2, blocks=BLOCKS):
        super().__init__()

        def mlp():
            return nn.Sequential(
                nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
            )

        def norms(count):
            return nn.ModuleList(nn.LayerNorm(width) for _ in range(count))

        self.patches = nn.Conv2d(3, width, 4, 4)
        self.position = nn.Parameter(torch.zeros(1, TOKENS, width))
        blocks, class_blocks = blocks
        self.attentions = nn.ModuleList(Gpsa(width) for _ in range(blocks))
        self.mlps = nn.ModuleList(mlp() for _ in range(blocks))
        self.norms = norms(2 * blocks)
        self.sources = nn.Parameter(torch.randn(members, width) * 0.02)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.class_attentions = nn.ModuleList(
            ClassAttention(width) for _ in range(class_blocks)
        )
        self.class_mlps = nn.ModuleList(mlp() for _ in range(class_blocks))
        self.class_norms = norms(2 * class_blocks + 1)
        self.heads = nn.ModuleList(nn.Linear(width, CLASSES) for _ in range(members))

    def forward(self, images, masks):
        """Logits of mixed pairs, a list of M."""
        grids = (self.patches(image).flatten(2).transpose(1, 2) for image in images)
        x = self.body(sum(m[..., None] * g for m, g in zip(masks, grids, strict=True)))
        x = x + sum(
            m[..., None] * source for m, source in zip(masks, self.sources, strict=True)
        )
        feature = self.trunk(x)
        return [head(feature) for head in self.heads]

    def ensemble(self, images):
        """Mean logits of images: one body, one trunk per subnetwork."""
        x = self.body(self.patches(images).flatten(2).transpose(1, 2))
        x = x[:, None] + self.sources[:, None]
        features = self.trunk(x.flatten(0, 1)).unflatten(0, (len(images), -1))
        parts = zip(features.unbind(1), self.heads, strict=True)
        return sum(head(feature) for feature, head in parts) / len(self.heads)

    def body(self, x):
        x = x + self.position
        for i in range(len(self.mlps)):
            x = x + self.attentions[i](self.norms[2 * i](x))
            x = x + self.mlps[i](self.norms[2 * i + 1](x))
        return x

    def trunk(self, x):
        token = self.token.expand(len(x), -1, -1)
        for i in range(len(self.class_mlps)):
            joined = torch.cat((token, x), 1)
            token = token + self.class_attentions[i](self.class_norms[2 * i](joined))
            token = token + self.class_mlps[i](self.class_norms[2 * i + 1](token))
        return self.class_norms[-1](token)[:, 0]


def steps(
    width: int,
    batch: int,
    members: int = 2,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    compiles: bool | str = False,
    blocks: tuple[int, int] = BLOCKS,
) -> dict:
    """Functions that train on one batch and that classify one, with AdamW.

    `compiles` may be a mode of `torch.compile`.
    """
    network = called = MixViT(width, members, blocks).to(device)
    if compiles:
        mode = compiles if isinstance(compiles, str) else None
        called = torch.compile(network, dynamic=False, mode=mode)
    optimizer = torch.optim.AdamW(
        network.parameters(), 1e-3, weight_decay=0.05, fused=device == "cuda"
    )
    images = [torch.randn(batch, 3, 32, 32, device=device) for _ in range(members)]
    labels = [torch.randint(CLASSES, (batch,), device=device) for _ in range(members)]
    chosen = torch.randint(members, (batch, TOKENS), device=device)
    masks = functional.one_hot(chosen, members).float().unbind(-1)
    halves = dtype != torch.float32

    def training():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, dtype, enabled=halves):
            logits = called(images, masks)
            loss = sum(
                functional.cross_entropy(found.float(), label) / members
                for found, label in zip(logits, labels, strict=True)
            )
        loss.backward()
        optimizer.step()
        return loss.detach()

    @torch.inference_mode()
    def inference():
        with torch.autocast(device, dtype, enabled=halves):
            return network.ensemble(images[0]).cpu()

    return {"training": training, "inference": inference}
