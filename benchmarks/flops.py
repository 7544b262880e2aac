"""Operations at inference, by formulas and as XLA counts them.

    KERAS_BACKEND=jax python benchmarks/flops.py

Compares `keras_mixvit.costs.flops` with XLA's count of the compiled forward pass, per
image, at batch 8, or 2 for the residual networks. XLA counts the operations of its
optimised graph: it leaves out positions of a kernel in the padding, fuses or expands
elementwise operations in its own way, and lists exponentials and similar functions
elsewhere. The usual single network computes keys and values of every token in class
attention; this library absorbs them.
"""

import sys
from pathlib import Path
from unittest import mock

import jax
import numpy as np
from keras import ops

import keras_mixvit as kv
from keras_mixvit.costs import flops

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.plain_class_attention import PlainClassAttention

PLACE = "keras_mixvit.backbones._vision_transformer.ClassAttention"


def operations(network, batch_size: int = 8) -> float:
    """Operations of one forward pass that XLA counts in the compiled graph."""
    images = np.zeros((batch_size, *network.input_shape[1:]), "float32")
    trained = [v.value for v in network.trainable_variables]
    others = [v.value for v in network.non_trainable_variables]

    def forward(trained, images):
        return network.stateless_call(trained, others, images, training=False)[0]

    compiled = jax.jit(forward).lower(trained, ops.convert_to_tensor(images)).compile()
    return compiled.cost_analysis()["flops"]


def usual(model):
    """Multiply-adds and FLOPs with class attention in its usual form."""
    backbone, total = model.backbone, flops(model).total
    tokens, width = np.prod(backbone.grid_shape), backbone.width
    # Keys and values of N + 1 tokens and one head's worth of scores and sums,
    # instead of two products of one token and those of every head.
    more = 2 * tokens * width**2
    more -= 2 * (tokens + 1) * (backbone.num_heads - 1) * width
    more *= backbone.num_class_blocks
    return total.multiply_adds + more, total.flops + 2 * more


def transformers(make):
    """Rows of (name, multiply-adds, FLOPs, XLA's count) of one backbone."""
    with mock.patch(PLACE, PlainClassAttention):
        plain = kv.SingleNetwork(make(), 100)
    single = kv.SingleNetwork(make(), 100)
    name = "single, usual class attention"
    yield name, *usual(single), operations(plain.inference_network) / 8
    yield row("single", single)
    for members in (2, 8):
        for attribution in ("embedding", "encoding"):
            model = kv.MixViT(make(), 100, members, source_attribution=attribution)
            yield row(f"MixViT, source {attribution}, M = {members}", model)


def residual(make):
    """Rows as of `transformers`, of a convolutional backbone."""
    yield row("single", kv.SingleNetwork(make(), 100), 2)
    yield row("MixMo, M = 2", kv.MixMo(make(), 100), 2)


def row(name, model, batch_size=8):
    total = flops(model).total
    counted = operations(model.inference_network, batch_size) / batch_size
    return name, total.multiply_adds, total.flops + total.per_call / batch_size, counted


def print_table(title, rows):
    columns = ("multiply-adds", "FLOPs", "XLA", "XLA - FLOPs")
    print(f"\n{title:36s}" + "".join(f"{column:>16s}" for column in columns))
    rows = list(rows)
    for name, products, operations, counted in rows:
        excess = counted / operations - 1
        print(
            f"{name:36s}{products:16,.0f}{operations:16,.0f}{counted:16,.0f}"
            f"{excess:16.2%}"
        )
    print("against the first:")
    for name, *numbers in rows[1:]:
        ratios = [x / first for x, first in zip(numbers, rows[0][1:], strict=True)]
        print(f"{name:36s}" + "".join(f"{ratio:16.4f}" for ratio in ratios))


def print_papers():
    """What the papers say beside the counts, M = 2."""
    single = flops(kv.SingleNetwork(kv.ConViT(), 100)).total.flops
    for name in ("embedding", "encoding"):
        report = flops(kv.MixViT(kv.ConViT(), 100, 2, source_attribution=name))
        print(f"\nConViT, source {name}\n{report.table()}")
        ratio = report.total.flops / single
        print(f"Against a single network: {ratio:.4f}; the paper, Table 7: 1.1.")
    backbone = kv.WideResNet()
    print("\nWRN-28-10, multiply-adds and norms; the paper, Section 6.10:")
    for make, paper in ((kv.SingleNetwork, 5.9565), (kv.MixMo, 5.9571)):
        model = make(backbone, 100)
        found = flops(model).total.with_norms
        print(f"{model.name:16s}{found:16,d}  {found / 1e9:.4f} G; paper {paper} G")


if __name__ == "__main__":
    print_papers()
    print_table("ConViT, 384 wide, 5 + 2 blocks", transformers(kv.ConViT))
    print_table("CaiT XXS-24", transformers(lambda: kv.make_backbone("cait_xxs24")))
    print_table("WRN-28-10", residual(kv.WideResNet))
