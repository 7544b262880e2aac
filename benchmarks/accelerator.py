"""What the library reaches on one accelerator, in calls of at most 15 minutes.

    python benchmarks/accelerator.py [--out accelerator.json] [--budget 840]
        [--stages ceilings convit ...] [--backend BACKEND] [--cache DIR]
        [--data-dir DIR] [--small]

It needs keras, JAX and PyTorch, but no network connection; `--small` tries every stage
on a CPU. `docs/accelerator.md` explains the stages and their figures.

Each stage is a process with a time limit; the most useful stages run first. It writes
every line to `--out` at once, so nothing is lost if a stage fails or the machine goes
away. A later call measures only what is missing in the file.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
STAGES_SCRIPT = Path(__file__).with_name("accelerator_stages.py")
# Name, maximum seconds, backend. A large network compiles for a minute on JAX. The
# training takes all remaining time.
STAGES = {
    "ceilings": (60, "torch"),
    "convit": (330, "jax"),
    "plain": (150, "torch"),
    "golden-jax": (120, "jax"),
    "golden-torch": (60, "torch"),
    "serving": (240, "jax"),
    "subnetworks": (270, "jax"),
    "ours-torch": (90, "torch"),
    "cait": (270, "jax"),
    "timm": (120, "torch"),
    "wrn": (180, "jax"),
    "train": (float("inf"), "jax"),
}
RECIPES = ("cifar100-convit-single", "cifar100-convit-mixvit-embedding")
# Stages that run without this library.
OTHERS = ("ceilings", "plain", "timm")
# Seconds that a stage may take to end by itself after its limit.
GRACE = 25
# The maximum seconds of a stage with `--small`.
SMALL_LIMIT = 120


class Results:
    """The lines of all stages, in a file that is written after each of them."""

    def __init__(self, path):
        self.path = Path(path)
        self.lines = json.loads(self.path.read_text()) if self.path.exists() else []

    def begin(self, stage, again):
        """What is known of a stage; forgets what is to be measured anew."""
        known = [line for line in self.lines if line["stage"] == stage]
        known = [] if again else [line for line in known if is_measured(line)]
        others = [line for line in self.lines if line["stage"] != stage]
        self.lines = others + known
        return known

    def keep(self, line):
        """Adds a line, with the share of the measured peak where it tells FLOPs."""
        peaks = [found.get("peak_tflops") for found in self.lines]
        peak = next(filter(None, peaks), None)
        if peak and line.get("tflops"):
            line["share_of_peak"] = round(line["tflops"] / peak, 4)
        self.lines.append(line)
        written = self.path.with_name(self.path.name + ".part")
        written.write_text(json.dumps(self.lines, indent=1) + "\n")
        written.replace(self.path)
        # Afterwards: what is shown is kept, whenever the call is stopped.
        print(json.dumps(line), flush=True)


def is_measured(line):
    """Whether a line holds a figure, or that a network needs too much memory."""
    names = ("peak_tflops", "step_ms", "off_by", "epoch")
    return line.get("error") == "out of memory" or any(map(line.__contains__, names))


def environment(backend, options):
    """Environment variables of a stage."""
    paths = [str(ROOT), str(Path(__file__).parent), os.environ.get("PYTHONPATH")]
    found = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONUNBUFFERED": "1",
    }
    # Three quarters of the memory unless told otherwise: some networks need more.
    found.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.93")
    if options.small:
        # With little to do, PyTorch's threads mostly wait for each other.
        found.setdefault("OMP_NUM_THREADS", "1")
        # Programs run only a few times: compiling would take nearly all of the time.
        found.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    if options.cache:
        cache = str(Path(options.cache).resolve())
        found["JAX_COMPILATION_CACHE_DIR"] = cache
        found["TORCHINDUCTOR_CACHE_DIR"] = cache + "/inductor"
    return found


# Ends a stage and all its child processes if it exceeds its limit or its parent ends.
WATCH = """
import os, signal, sys, time
pid, limit, parent = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
end = time.time() + limit
while time.time() < end and os.getppid() == parent:
    time.sleep(0.2)
os.killpg(pid, signal.SIGKILL)
"""


def run_stage(name, backend, limit, options, results):
    """Runs a stage in a process and keeps what it says."""
    known = results.begin(name, options.again)
    command = [sys.executable, str(STAGES_SCRIPT), name]
    command += [json.dumps({**vars(options), "seconds": limit, "known": known})]
    process = subprocess.Popen(
        command,
        env=environment(backend, options),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    words = [str(process.pid), str(limit + GRACE), str(os.getpid())]
    watch = subprocess.Popen(
        [sys.executable, "-c", WATCH, *words], start_new_session=True
    )
    begun, during, tail = time.time(), None, []
    try:
        for line in process.stdout:
            if line.startswith("@"):
                results.keep({"stage": name, **json.loads(line[1:])})
                during = None
            elif line.startswith("!"):
                during = line[1:].strip()
            else:
                tail = [*tail[-8:], line[-300:]]
        code = process.wait()
    except BaseException:
        # Ended by somebody: a training saves, whatever else runs may go.
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        watch.kill()
        watch.wait()
    seconds = round(time.time() - begun, 1)
    if code == -signal.SIGKILL:
        facts = {"error": f"stopped after {seconds} s", "during": during}
        results.keep({"stage": name, **facts})
    elif code:
        facts = {"error": "".join(tail), "during": during}
        results.keep({"stage": name, **facts})
    else:
        results.keep({"stage": name, "seconds": seconds})


def chosen_stages(options):
    """Name, limit and backend of each stage."""
    for name, (limit, backend) in STAGES.items():
        stage = name.split("-")[0]
        if stage not in options.stages:
            continue
        if options.backend and stage not in OTHERS:
            if backend != "jax":
                # Equal to another stage on this backend.
                continue
            backend = options.backend
            name = stage if backend == "jax" and name == stage else f"{stage}-{backend}"
        if options.small:
            limit = SMALL_LIMIT
        yield name, options.limit or limit, backend


def run_stages(options):
    """Runs the stages that were chosen, one after the other."""
    end, results = time.time() + options.budget, Results(options.out)
    trains = "train" in options.stages and (options.data_dir or options.small)
    for name, limit, backend in chosen_stages(options):
        left = end - time.time() - GRACE
        if trains and not name.startswith("train"):
            left -= SMALL_LIMIT if options.small else options.reserve
        if left < 10:
            results.begin(name, options.again)
            results.keep({"stage": name, "error": "no time left"})
        else:
            run_stage(name, backend, round(min(limit, left)), options, results)


def stop(number, frame):
    raise SystemExit(128 + number)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--out", default="accelerator.json", help="file of the results")
    add("--budget", type=float, default=840, help="seconds for all stages")
    add("--reserve", type=float, default=300, help="seconds kept for training")
    add("--small", action="store_true", help="tiny networks, for a CPU")
    add("--limit", type=float, help="seconds of a stage, instead of the table's")
    add("--again", action="store_true", help="measure what the file has, too")
    backends = ("jax", "tensorflow", "torch")
    add("--backend", choices=backends, help="of the stages that run this library")
    add("--cache", help="folder of compiled programs, for further calls")
    names = list(dict.fromkeys(name.split("-")[0] for name in STAGES))
    add("--stages", nargs="+", default=names, choices=names, metavar="STAGE")
    add("--data-dir", help="folder with CIFAR-100; no training without it")
    add("--runs", default="runs-accelerator", help="folder of the trainings")
    add("--recipes", nargs="+", default=RECIPES, help="what is trained")
    add("--epochs", type=int, default=30, help="epochs, the schedule scaled")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, stop)
    run_stages(options)


if __name__ == "__main__":
    main()
