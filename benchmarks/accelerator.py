"""What the library reaches on one accelerator, in at most 15 minutes.

    python benchmarks/accelerator.py [--out accelerator.json] [--budget 840]
        [--stages ceilings golden steps plain serving train] [--data-dir DIR]
        [--cache DIR] [--small]

It needs keras, JAX and PyTorch; `--small` tries every stage on a CPU. Each stage
is a process of its own with a time limit. Every line is written to `--out` at
once, so that nothing is lost when a stage fails or the machine is taken away.

`--cache` keeps compiled programs: a large network compiles for a minute, and a
second run on the same kind of machine starts at once. The stage `train` spends
the time that is left on CIFAR-100 (from `--data-dir`) and continues the runs in
the folder `--runs`.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Name, seconds, backend.
STAGES = {
    "ceilings": (60, "torch"),
    "golden-torch": (60, "torch"),
    "golden-jax": (120, "jax"),
    "steps": (300, "jax"),
    "plain": (150, "torch"),
    "serving": (120, "jax"),
    "train": (600, "jax"),
}
RECIPES = ("cifar100-convit-single", "cifar100-convit-mixvit-embedding")


def say(**facts):
    print("@" + json.dumps(facts), flush=True)


def synchronise():
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def milliseconds(step, repeats, warm_up=3):
    """Mean time of a step on PyTorch."""
    for _ in range(warm_up):
        step()
    synchronise()
    start = time.perf_counter()
    for _ in range(repeats):
        step()
    synchronise()
    return round((time.perf_counter() - start) / repeats * 1e3, 3)


def ceilings(options):
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    side = 512 if options.small else 8192
    a, b = (
        torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2)
    )
    product = milliseconds(lambda: a @ b, 10)
    source = torch.zeros(2**22 if options.small else 2**30, dtype=torch.uint8)
    source = source.to(device)
    target = torch.empty_like(source)
    copy = milliseconds(lambda: target.copy_(source), 10)
    say(
        device=torch.cuda.get_device_name() if device == "cuda" else "cpu",
        torch=torch.__version__,
        bfloat16_tflops=round(2 * side**3 / product / 1e9, 2),
        copied_gb_per_s=round(2 * source.numel() / copy / 1e6, 1),
    )


def golden(options):
    command = [sys.executable, "-m", "pytest", "-q", "-o", "addopts="]
    test = "tests/models/test_golden_trajectory.py"
    found = subprocess.run([*command, test], capture_output=True, text=True, cwd=ROOT)
    lines = found.stdout.strip().splitlines()
    failed = [line for line in lines if line.startswith(("FAILED", "E  "))]
    say(last=lines[-1:], failed=failed[:20])


def networks(options):
    """Names, functions that make a model, and batch sizes."""
    import keras_mixvit as kv

    def convit(members, width=48 if options.small else 384):
        backbone = kv.ConViT((32, 32, 3), 4, width=width)
        if members == 1:
            return kv.SingleNetwork(backbone, 100)
        return kv.MixViT(backbone, 100, members)

    def cait(name):
        return kv.MixViT(kv.make_backbone(name, (224, 224, 3)), 100)

    def wrn():
        return kv.MixMo(kv.WideResNet((32, 32, 3), 28, 10), 100)

    yield "one token", lambda: kv.MixViT(kv.ConViT((32, 32, 3), 32, 12), 100), (8,)
    sizes = (8,) if options.small else (129, 1024)
    for members in (2, 1, 8, 4):
        yield f"ConViT M={members}", lambda m=members: convit(m), sizes
    if not options.small:
        yield "WRN-28-10 Cut-MixMo", wrn, (64,)
        yield "CaiT-XXS24 224", lambda: cait("cait_xxs24"), (128,)
        yield "CaiT-S24 224", lambda: cait("cait_s24"), (64,)


def timed_fit(model, steps_per_call, steps, batch, **options):
    """Seconds of the first epoch, and milliseconds per step of the second one."""
    import keras
    import numpy as np

    import keras_mixvit as kv

    model.compile(
        keras.optimizers.AdamW(1e-3, weight_decay=0.05),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=steps_per_call,
    )
    rng = np.random.default_rng(0)
    count = batch * steps
    x = rng.integers(0, 256, (min(count, 4096), *model.image_shape)).astype("uint8")
    x = np.concatenate([x] * (-(-count // len(x))))[:count]
    pairs = kv.mixed_pair_dataset(
        x,
        rng.integers(model.num_classes, size=count),
        model.mask_sampler(),
        epochs=3,
        batch_size=batch,
        **options,
    )
    seconds = []
    for epoch in range(3):
        stop = stop_after(epoch)
        start = time.perf_counter()
        model.fit(pairs, initial_epoch=epoch, callbacks=[stop], verbose=0)
        seconds.append(time.perf_counter() - start)
    return round(seconds[0], 1), round(seconds[-1] / steps * 1e3, 3)


def stop_after(epoch):
    """A callback that ends a training after an epoch."""
    import keras

    def stop(number, logs):
        if number == epoch:
            callback.model.stop_training = True

    callback = keras.callbacks.LambdaCallback(on_epoch_end=stop)
    return callback


def steps(options):
    import jax
    import keras

    keras.config.set_dtype_policy("mixed_bfloat16")
    say(jax=jax.__version__, keras=keras.version(), device=str(jax.devices()[0]))
    count = 8 if options.small else 100
    for name, make, batches in networks(options):
        for batch in batches:
            for call in (count // 2, 1) if name == "ConViT M=2" else (count // 2,):
                facts = {"network": name, "batch": batch, "steps_per_execution": call}
                try:
                    first, step = timed_fit(
                        make(), call, count, batch, apply_on="device"
                    )
                    facts |= {"first_epoch_s": first, "step_ms": step}
                    memory = jax.devices()[0].memory_stats() or {}
                    peak = memory.get("peak_bytes_in_use", 0)
                    facts["peak_mib_so_far"] = peak // 2**20
                except Exception as error:
                    facts["error"] = str(error)[:300]
                say(**facts)


def serving(options):
    """The full augmentation of the paper's recipe, in the data set or the step."""
    import keras

    import keras_mixvit as kv
    from keras_mixvit.augmentation import (
        Augment,
        AutoAugment,
        HorizontalFlip,
        PadCrop,
        RandomErasing,
    )

    keras.config.set_dtype_policy("mixed_bfloat16")
    augment = Augment([PadCrop(4), HorizontalFlip(), AutoAugment(), RandomErasing()])
    width, batch, count = (48, 8, 8) if options.small else (384, 129, 100)
    for apply_on, kept in (("device", True), ("device", False), ("pipeline", None)):
        model = kv.MixViT(kv.ConViT((32, 32, 3), 4, width=width), 100)
        first, step = timed_fit(
            model,
            count // 2,
            count,
            batch,
            augment=augment,
            apply_on=apply_on,
            keep_on_device=kept,
        )
        say(apply_on=apply_on, keep_on_device=kept, first_epoch_s=first, step_ms=step)


def plain(options):
    import plain_convit
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    width, sizes = (48, (8,)) if options.small else (384, (129, 1024))
    for compiles in (False, True):
        for batch in sizes:
            start = time.perf_counter()
            step = plain_convit.training_step(width, batch, device, compiles)
            step()
            synchronise()
            first = round(time.perf_counter() - start, 1)
            ms = milliseconds(step, 3 if options.small else 30)
            say(compiled=compiles, batch=batch, first_s=first, step_ms=ms)


def train(options):
    """Runs of the command, side by side, stopped in time to be continued."""
    if options.data_dir is None:
        say(skipped="no --data-dir")
        return
    runs = Path(options.runs).resolve()
    runs.mkdir(exist_ok=True, parents=True)
    started = []
    for recipe in options.recipes:
        folder = runs / f"{recipe}-{options.epochs}"
        command = [sys.executable, "-m", "keras_mixvit.cli"]
        if (folder / "run.json").exists():
            command += ["resume", str(folder)]
        else:
            command += [
                "train",
                recipe,
                "--data-dir",
                str(Path(options.data_dir).resolve()),
            ]
            command += ["--epochs", str(options.epochs), "--precision", "bfloat16"]
            command += ["--apply-on", "device", "--no-single", "--output", str(folder)]
            if options.small:
                command += ["--width-scale", "0.125", "--data-share", "0.02"]
        log = (runs / f"{folder.name}.log").open("a")
        share = f"{0.9 / len(options.recipes):.2f}"
        environment = {**os.environ, "XLA_PYTHON_CLIENT_MEM_FRACTION": share}
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=ROOT
        )
        started.append((folder, process))
    end, seen = time.time() + options.seconds, {}
    while time.time() < end and any(p.poll() is None for _, p in started):
        time.sleep(2)
        for folder, _ in started:
            history = folder / "history.csv"
            lines = history.read_text().splitlines() if history.exists() else []
            if len(lines) > seen.get(folder, 1):
                seen[folder] = len(lines)
                row = dict(zip(lines[0].split(","), lines[-1].split(","), strict=True))
                say(
                    run=folder.name,
                    at_s=round(options.seconds - end + time.time()),
                    **row,
                )
    for _, process in started:
        # Ctrl-C ends a run after its step; what was saved can be continued.
        process.send_signal(signal.SIGINT)
    for folder, process in started:
        try:
            process.wait(timeout=max(1, end + 20 - time.time()))
        except subprocess.TimeoutExpired:
            process.kill()
        result = folder / "result.json"
        rows = json.loads(result.read_text())["rows"] if result.exists() else None
        say(run=folder.name, finished=rows is not None, rows=rows)


def run_stages(options):
    end, facts = time.time() + options.budget, []

    def keep(line):
        facts.append(line)
        print(line, flush=True)
        Path(options.out).write_text(json.dumps(facts, indent=1) + "\n")

    chosen = [n for n in STAGES if n.split("-")[0] in options.stages]
    for name in chosen:
        limit, backend = STAGES[name]
        left = end - time.time() - 30
        limit = left if name == "train" else min(limit, left)
        if limit < 10:
            keep({"stage": name, "error": "no time left"})
            continue
        paths = [str(ROOT), str(Path(__file__).parent), os.environ.get("PYTHONPATH")]
        environment = {
            **os.environ,
            "KERAS_BACKEND": backend,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "PYTHONUNBUFFERED": "1",
        }
        if options.cache:
            cache = str(Path(options.cache).resolve())
            environment["JAX_COMPILATION_CACHE_DIR"] = cache
            environment["TORCHINDUCTOR_CACHE_DIR"] = cache + "/inductor"
        command = [sys.executable, __file__, *sys.argv[1:], "--stage", name]
        command += ["--seconds", str(round(limit))]
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        timer = subprocess.Popen(
            [sys.executable, "-c", KILL, str(process.pid), str(limit + 25)]
        )
        tail = []
        for line in process.stdout:
            if line.startswith("@"):
                keep({"stage": name, **json.loads(line[1:])})
            else:
                tail = [*tail[-5:], line[-200:]]
        timer.kill()
        if process.wait():
            keep({"stage": name, "error": "".join(tail)})


# Ends a stage that runs past its limit, with all that it started.
KILL = """
import os, signal, sys, time
time.sleep(float(sys.argv[2]))
os.killpg(int(sys.argv[1]), signal.SIGKILL)
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", default="accelerator.json")
    parser.add_argument("--budget", type=float, default=840)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--data-dir")
    parser.add_argument("--runs", default="runs-accelerator")
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--cache")
    names = list(dict.fromkeys(name.split("-")[0] for name in STAGES))
    parser.add_argument("--stages", nargs="+", default=names, choices=names)
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        globals()[options.stage.split("-")[0]](options)
    else:
        run_stages(options)


if __name__ == "__main__":
    main()
