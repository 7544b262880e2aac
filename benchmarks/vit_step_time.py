"""Seconds per training step of ViT-S/16 at 224 pixels, beside timm's in plain PyTorch.

    KERAS_BACKEND=jax python benchmarks/vit_step_time.py --batch 8

timm's `vit_small_patch16_224` in PyTorch, a `SingleNetwork` and a `MixViT` of two
subnetworks run in turn, with AdamW, in float32. It prints the median and the least time
of each and their ratios to timm's and to the single network. Run it on an idle machine:
another process takes from each network another share, and the ratios say nothing then.
"""

import argparse
import statistics
import sys
from pathlib import Path

import keras
import torch
from step_time import batch_of, seconds

import keras_mixvit as kv

NAME, CLASSES, SIDE = "vit_small_patch16_224", 1000, 224


def timm():
    """timm, also where torchvision is missing or does not fit PyTorch."""
    try:
        import timm as library
    except (ImportError, RuntimeError):
        for name in [name for name in sys.modules if name.split(".")[0] == "timm"]:
            del sys.modules[name]
        sys.path.insert(0, str(Path(__file__).parents[1]))
        from tests.convert.make_timm_outputs import stand_in_for_torchvision

        stand_in_for_torchvision()
        import timm as library
    return library


def timm_step(batch: int, compiles: bool):
    """A training step of timm's network, as one function."""
    network = called = timm().create_model(NAME, num_classes=CLASSES).train()
    if compiles:
        called = torch.compile(network, dynamic=False)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=0.05)
    images = torch.randn(batch, 3, SIDE, SIDE)
    labels = torch.randint(CLASSES, (batch,))

    def training():
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(called(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return training


def keras_steps(batch: int, members: int) -> dict:
    """Training steps of the networks of this library, by name."""
    steps = {}
    for name in ("single", f"M = {members}"):
        backbone = kv.make_backbone("vit_small_patch16")
        model = (
            kv.SingleNetwork(backbone, CLASSES)
            if name == "single"
            else kv.MixViT(backbone, CLASSES, members)
        )
        model.compile(
            keras.optimizers.AdamW(1e-3, weight_decay=0.05),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        pairs, labels = batch_of(model, batch)
        steps[name] = lambda model=model, x=pairs, y=labels: model.train_on_batch(x, y)
    return steps


def measure(options) -> dict:
    """Median and least seconds by name, the networks taking turns."""
    steps = {"timm": timm_step(options.batch, options.compile)}
    steps |= keras_steps(options.batch, options.members)
    times = {name: [] for name in steps}
    for repeat in range(-2, options.repeats):
        for name, step in steps.items():
            spent = seconds(step, options.pause)
            if repeat >= 0:
                times[name].append(spent)
    return {name: (statistics.median(each), min(each)) for name, each in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--members", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds")
    parser.add_argument("--compile", action="store_true", help="timm's network")
    options = parser.parse_args()
    found = measure(options)
    compiled = "compiled" if options.compile else "not compiled"
    print(
        f"{keras.config.backend()}, ViT-S/16 at {SIDE} pixels, batch {options.batch}, "
        f"{torch.get_num_threads()} threads, timm {compiled}, "
        f"median (least) of {options.repeats}"
    )
    for name, (median, least) in found.items():
        line = f"{name:8s} {median:7.3f} ({least:7.3f}) s"
        for other in ("timm", "single"):
            base = found[other]
            line += f"  {median / base[0]:5.2f} ({least / base[1]:.2f}) x {other}"
        print(line)


if __name__ == "__main__":
    main()
