"""Makes the notebooks in tutorials/ from their sources, with all outputs.

    python tools/make_tutorials.py [NAME ...]

Each `tutorials/NAME.py` (jupytext, py:percent) is executed, on JAX unless
KERAS_BACKEND says otherwise, and written to `tutorials/NAME.ipynb`. The first
picture of the cell that is tagged `picture` goes to `docs/tutorials/NAME.png`.
"""

import base64
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
TUTORIALS = ROOT / "tutorials"
PICTURES = ROOT / "docs" / "tutorials"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def notebook_of(source: Path):
    """The notebook of a source, without outputs, the same in every run."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL})
    for place, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{place}"
    return notebook


def execute(notebook, seconds_per_cell: int = 600):
    """Runs all cells, in the folder of the tutorials."""
    client = NotebookClient(
        notebook,
        timeout=seconds_per_cell,
        kernel_name="python3",
        resources={"metadata": {"path": str(TUTORIALS)}},
        record_timing=False,
        # What libraries write to the terminal past Python, as TensorFlow does
        # when Keras imports it, is no output of a cell.
        extra_arguments=["--IPKernelApp.capture_fd_output=False"],
    )
    client.execute()


def picture_of(notebook) -> bytes | None:
    """The first picture of the cell tagged `picture`."""
    for cell in notebook.cells:
        if "picture" in cell.metadata.get("tags", ()):
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    return base64.b64decode(output["data"]["image/png"])
    return None


def main(names: list[str]) -> None:
    sources = sorted(TUTORIALS.glob("*.py"))
    for source in sources:
        if names and source.stem not in names:
            continue
        notebook = notebook_of(source)
        begun = time.perf_counter()
        execute(notebook)
        seconds = time.perf_counter() - begun
        # The kernel adds the patch version of Python.
        notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL})
        nbformat.write(notebook, source.with_suffix(".ipynb"))
        picture = picture_of(notebook)
        if picture is not None:
            PICTURES.mkdir(parents=True, exist_ok=True)
            (PICTURES / f"{source.stem}.png").write_bytes(picture)
        print(f"{source.stem}: {seconds:.0f} s")


if __name__ == "__main__":
    main([name.removesuffix(".py") for name in sys.argv[1:]])
