"""Makes the notebooks in tutorials/ from their sources, with all outputs.

    python tools/make_tutorials.py [--prose] [NAME ...]

Each `tutorials/NAME.py` (jupytext, py:percent) is executed, on JAX unless
KERAS_BACKEND says otherwise, and written to `tutorials/NAME.ipynb`. The first
picture of the cell that is tagged `picture` goes to `docs/tutorials/NAME.png`.
A source that raises, warns or writes to stderr ends the command and changes
no file. With `--prose`, only text may have changed: code keeps its outputs, and
nothing is executed.
"""

import base64
import io
import os
import resource
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).parents[1]
TUTORIALS = ROOT / "tutorials"
PICTURES = ROOT / "docs" / "tutorials"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
# Variables that the tests set for short programs, and those that would hide figures.
UNWANTED = ("JAX_DISABLE_MOST_OPTIMIZATIONS", "MPLBACKEND", "XLA_FLAGS")


def notebook_of(source: Path):
    """The notebook of a source, without outputs, the same in every run."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL})
    for place, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{place}"
    return notebook


def environment(backend: str | None = None) -> dict[str, str]:
    """The environment of a reader, independent of that of this process."""
    kept = {name: v for name, v in os.environ.items() if name not in UNWANTED}
    backend = backend or os.environ.get("KERAS_BACKEND", "jax")
    if backend == "torch":
        # Tensors here are tiny; several threads would mostly wait for each other.
        kept["OMP_NUM_THREADS"] = "1"
    return {**kept, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}


def with_outputs(notebook, old):
    """A notebook of the same code as another, with the outputs of that one.

    Args:
        notebook: Notebook without outputs.
        old: Notebook that was executed.

    Returns:
        The first notebook, or `None` if its code is not the same.
    """
    new_code, old_code = (
        [cell for cell in each.cells if cell.cell_type == "code"]
        for each in (notebook, old)
    )
    same = [(cell.source, dict(cell.metadata)) for cell in new_code] == [
        (cell.source, dict(cell.metadata)) for cell in old_code
    ]
    if not same:
        return None
    for new, cell in zip(new_code, old_code, strict=True):
        new.outputs, new.execution_count = cell.outputs, cell.execution_count
    return notebook


def execute(notebook, backend: str | None = None, seconds_per_cell: int = 600):
    """Runs all cells in a new kernel, in the folder of the tutorials."""
    client = NotebookClient(
        notebook,
        timeout=seconds_per_cell,
        kernel_name="python3",
        resources={"metadata": {"path": str(TUTORIALS)}},
        record_timing=False,
        coalesce_streams=True,
        # TensorFlow's C++ logs do not matter to a tutorial; Python's warnings still
        # reach the notebook.
        extra_arguments=["--IPKernelApp.capture_fd_output=False"],
    )
    client.execute(env=environment(backend))


def noise_in(notebook) -> list[str]:
    """Errors, warnings, stderr and figures without a picture, cell by cell."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            text = output.get("text", "")
            text += output.get("data", {}).get("text/plain", "")
            is_noise = output.output_type == "error" or output.get("name") == "stderr"
            is_lost = "<Figure" in text and "image/png" not in output.get("data", {})
            if is_noise or is_lost or "Warning" in text:
                found.append(f"{cell['id']}: {output.get('evalue', text)}")
    return found


def lighten(notebook) -> None:
    """Stores every picture with a palette of 256 colours, a third of its size."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "image/png" in data:
                file = io.BytesIO(base64.b64decode(data["image/png"]))
                picture = Image.open(file).convert("RGB").quantize(256)
                picture.save(file := io.BytesIO(), "png", optimize=True)
                data["image/png"] = base64.b64encode(file.getvalue()).decode()


def picture_of(notebook) -> bytes | None:
    """The first picture of the cell tagged `picture`."""
    for cell in notebook.cells:
        if "picture" in cell.metadata.get("tags", ()):
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    return base64.b64decode(output["data"]["image/png"])
    return None


def cpu_seconds() -> float:
    """Processor time of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rewrite(sources: list[Path]) -> None:
    """Writes the notebooks of sources whose text has changed, but not their code."""
    for source in sources:
        path = source.with_suffix(".ipynb")
        notebook = with_outputs(notebook_of(source), nbformat.read(path, as_version=4))
        if notebook is None:
            sys.exit(f"{source.stem} has other code than its notebook: execute it.")
        nbformat.write(notebook, path)
        print(f"{source.stem}: text only, not executed")


def main(names: list[str], prose: bool = False) -> None:
    sources = sorted(TUTORIALS.glob("*.py"))
    unknown = set(names) - {source.stem for source in sources}
    if unknown:
        sys.exit(f"There is no tutorial {', '.join(sorted(unknown))}.")
    if prose:
        rewrite([source for source in sources if not names or source.stem in names])
        return
    for source in sources:
        if names and source.stem not in names:
            continue
        notebook = notebook_of(source)
        begun, used = time.perf_counter(), cpu_seconds()
        execute(notebook)
        seconds, processor = time.perf_counter() - begun, cpu_seconds() - used
        if noise := noise_in(notebook):
            sys.exit(f"{source.stem} is not quiet:\n" + "\n".join(noise))
        lighten(notebook)
        # The kernel adds the patch version of Python.
        notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL})
        nbformat.write(notebook, source.with_suffix(".ipynb"))
        picture = picture_of(notebook)
        if picture is not None:
            PICTURES.mkdir(parents=True, exist_ok=True)
            (PICTURES / f"{source.stem}.png").write_bytes(picture)
        kilobytes = source.with_suffix(".ipynb").stat().st_size / 1000
        print(
            f"{source.stem}: {seconds:.0f} s, {processor:.0f} s of processor time, "
            f"{kilobytes:.0f} kB"
        )


if __name__ == "__main__":
    given = [name.removesuffix(".py") for name in sys.argv[1:]]
    main([name for name in given if name != "--prose"], "--prose" in given)
