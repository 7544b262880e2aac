"""Seconds per training and inference step, beside plain PyTorch in the same run.

    KERAS_BACKEND=jax python benchmarks/step_time.py --network wide_resnet

The networks run in turn. It prints the median and the minimum time of each, and their
ratios to the plain network and to the single one: seconds on a shared machine mean
little, and minimums are less noisy there. Before each step the process pauses, because
threads of the other library may still spin.
"""

import argparse
import importlib
import statistics
import time

import keras
import numpy as np

import keras_mixvit as kv

PLAIN = {"convit": "plain_convit", "wide_resnet": "plain_wide_resnet"}


def networks(options) -> dict:
    """Compiled models by name."""

    def backbone():
        if options.network == "convit":
            return kv.ConViT(width=options.width)
        return kv.WideResNet(widening=options.widening)

    models = {"single": kv.SingleNetwork(backbone(), 100)}
    method = kv.MixViT if options.network == "convit" else kv.MixMo
    for members in options.members:
        models[f"M = {members}"] = method(backbone(), 100, members)
    for model in models.values():
        model.compile(
            keras.optimizers.AdamW(1e-3, weight_decay=0.05)
            if options.network == "convit"
            else keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
    return models


def batch_of(model, size: int):
    """Random pairs and labels of one batch."""
    rng = np.random.default_rng(0)
    x = rng.random((size, *model.image_shape), "float32")
    y = rng.integers(model.num_classes, size=size)
    return kv.mixed_pair_dataset(x, y, model.mask_sampler(), epochs=1, batch_size=size)[
        0
    ]


def all_steps(options) -> dict:
    """Functions of one step by (name, phase), the plain network first."""
    steps = {}
    if not options.no_plain:
        size = options.width if options.network == "convit" else options.widening
        plain = importlib.import_module(PLAIN[options.network])
        made = plain.steps(size, options.batch, options.members[0])
        for phase, step in made.items():
            steps[f"plain, M = {options.members[0]}", phase] = step
    for name, model in networks(options).items():
        pairs, labels = batch_of(model, options.batch)
        images = pairs["images"][:, 0]
        steps[name, "training"] = lambda model=model, x=pairs, y=labels: (
            model.train_on_batch(x, y)
        )
        steps[name, "inference"] = lambda model=model, x=images: model.predict_on_batch(
            x
        )
    return {key: step for key, step in steps.items() if key[1] in options.phases}


def seconds(step, pause: float) -> float:
    """Wall time of one call, after a pause."""
    time.sleep(pause)
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def measure(options) -> dict:
    """Median and least seconds per (name, phase), the networks taking turns."""
    steps = all_steps(options)
    for _ in range(2):
        for step in steps.values():
            step()
    times = {key: [] for key in steps}
    for _ in range(options.repeats):
        for key, step in steps.items():
            times[key].append(seconds(step, options.pause))
    return {key: (statistics.median(each), min(each)) for key, each in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=list(PLAIN), default="convit")
    parser.add_argument("--width", type=int, default=384, help="of ConViT")
    parser.add_argument("--widening", type=int, default=2, help="of WideResNet-28")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--members", type=int, nargs="+", default=[2, 8])
    phases = ["training", "inference"]
    parser.add_argument("--phases", nargs="+", choices=phases, default=phases)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds")
    parser.add_argument("--no-plain", action="store_true", help="Keras alone")
    options = parser.parse_args()
    found = measure(options)
    size = options.width if options.network == "convit" else options.widening
    print(
        f"{keras.config.backend()}, {options.network} {size}, batch {options.batch}, "
        f"median (least) of {options.repeats}"
    )
    for (name, phase), (median, least) in found.items():
        line = f"{name:12s} {phase:10s} {median:7.4f} ({least:7.4f}) s"
        for other, word in (
            (f"plain, M = {options.members[0]}", "plain"),
            ("single", "single"),
        ):
            if (other, phase) in found:
                base = found[other, phase]
                ratios = median / base[0], least / base[1]
                line += f"  {ratios[0]:5.2f} ({ratios[1]:.2f}) x {word}"
        print(line)


if __name__ == "__main__":
    main()
