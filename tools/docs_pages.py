"""Makes pages of the site from other files of the repository.

`tools/docs_hooks.py` gives them to MkDocs. Nothing here imports the package.
"""

import ast
import base64
import functools
import json
import os
import posixpath
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PACKAGE = ROOT / "keras_mixvit"
TUTORIALS = ROOT / "tutorials"
# Files of the repository that are pages of the site.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
# In the order in which a reader meets them.
PACKAGES = (
    *("models", "backbones", "masks", "data", "augmentation", "layers"),
    *("metrics", "evaluation", "analysis", "costs", "recipes", "training"),
    *("prediction", "report", "distribution", "convert", "optimizers"),
    "schedules",
)
LINK = re.compile(r'(\]\(|<img src="|srcset=")([^)"\s:#]+)((?:#[\w-]*)?)(?=[)"\s])')


def made_pages():
    """Paths on the site, and the Markdown or bytes of each."""
    for source, path in PAGES.items():
        yield path, (ROOT / source).read_text(encoding="utf-8")
    for notebook in sorted(TUTORIALS.glob("*.ipynb")):
        yield from notebook_page(notebook)
    for package in PACKAGES:
        yield f"api/{package}.md", api_page(package)
    yield "api/index.md", api_index()
    yield "api/command.md", command_page()


def tutorial_nav():
    """The tutorials, in order, for the navigation."""
    names = sorted(path.stem for path in TUTORIALS.glob("*.ipynb"))
    return ["tutorials/index.md", *(f"tutorials/{name}.md" for name in names)]


def reference_nav():
    """The pages of the reference, for the navigation."""
    pages = [{f"keras_mixvit.{name}": f"api/{name}.md"} for name in PACKAGES]
    return ["api/index.md", {"keras-mixvit": "api/command.md"}, *pages]


def result_nav():
    """The pages of results, for the navigation."""
    return [f"results/{path.name}" for path in sorted((DOCS / "results").glob("*.md"))]


def site_links(markdown: str, path: str) -> str:
    """The Markdown of a page, with links to pages in place of links to files.

    Args:
        markdown: String.
        path: Path of the page on the site.
    """
    # Where the source of the page lies in the repository.
    sources = {page: source for source, page in PAGES.items()}
    is_notebook = (TUTORIALS / path).with_suffix(".ipynb").name in _notebooks()
    own = path if is_notebook and path.startswith("tutorials/") else f"docs/{path}"
    source = sources.get(path, own)

    def leading(match):
        begin, target, anchor = match.groups()
        whole = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if whole in PAGES:
            found = PAGES[whole]
        elif whole.startswith("tutorials/") and whole.endswith(".ipynb"):
            found = whole.replace(".ipynb", ".md")
        elif whole.startswith("docs/"):
            found = whole.removeprefix("docs/")
        else:
            return match[0]
        # Raw HTML is not changed by MkDocs, which makes a folder of each page.
        start = posixpath.dirname(path) or "."
        is_html = not begin.startswith("](")
        if is_html and posixpath.basename(path) != "index.md":
            start = path.removesuffix(".md")
        return f"{begin}{posixpath.relpath(found, start)}{anchor.lower()}"

    # Anchors are in lower case here, and as in the heading in a notebook.
    markdown = re.sub(r"\]\(#[\w-]+\)", lambda own: own[0].lower(), markdown)
    return LINK.sub(leading, markdown)


def _notebooks():
    return {path.name for path in TUTORIALS.glob("*.ipynb")}


@functools.cache
def public_names(package: str) -> tuple[str, ...]:
    """The names of `__all__` of a package, read without an import.

    Args:
        package: String, such as `"masks"`.
    """
    source = (PACKAGE / package / "__init__.py").read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
            return tuple(ast.literal_eval(node.value))
    raise ValueError(f"keras_mixvit.{package} has no __all__.")


@functools.cache
def api_names() -> dict[str, str]:
    """The full names of all names that inline code uses without ambiguity."""
    found = {}
    for package in PACKAGES:
        whole = f"keras_mixvit.{package}"
        found[whole] = whole
        for name in public_names(package):
            found[f"{whole}.{name}"] = found[f"{package}.{name}"] = f"{whole}.{name}"
            # `train` and `recipe` are words of the command, too.
            if "_" in name or not name.islower():
                found[name] = f"{whole}.{name}"
    return found


def api_page(package: str) -> str:
    """The reference of a package: every public name."""
    whole = f"keras_mixvit.{package}"
    source = (PACKAGE / package / "__init__.py").read_text(encoding="utf-8")
    about = ast.get_docstring(ast.parse(source))
    names = "\n\n".join(f"::: {whole}.{name}" for name in public_names(package))
    return f"# {whole} {{ #{whole} }}\n\n{about}\n\n{names}\n"


def api_index() -> str:
    """The first page of the reference: all names."""
    lines = [
        "# Reference",
        "",
        "Every public name, by package. Names that start with an underscore are not "
        "part of the interface and may change at any time.",
        "",
    ]
    for package in PACKAGES:
        whole = f"keras_mixvit.{package}"
        names = (f"[`{name}`][{whole}.{name}]" for name in public_names(package))
        lines += [f"**[`{whole}`][{whole}]**: {', '.join(names)}", ""]
    lines += [
        "The most common names are attributes of `keras_mixvit` itself, such as "
        "`keras_mixvit.MixViT`. The command has [a page of its own](command.md).",
        "",
    ]
    return "\n".join(lines)


def command_page() -> str:
    """The help of the command and of every subcommand."""
    text = (PACKAGE / "cli" / "_main.py").read_text(encoding="utf-8")
    names = re.findall(r'^    "(\w+)": Command\(', text, re.MULTILINE)
    with ThreadPoolExecutor(max_workers=2) as pool:
        helps = list(pool.map(_help, [(), *((name,) for name in names)]))
    lines = ["# keras-mixvit", "", "What `--help` prints.", ""]
    for name, text in zip(["", *names], helps, strict=True):
        if name:
            lines += [f"## keras-mixvit {name}", ""]
        lines += ["```text", text.rstrip(), "```", ""]
    return "\n".join(lines)


def _help(words):
    command = [sys.executable, "-m", "keras_mixvit.cli", *words, "--help"]
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    environment["PYTHONPATH"] = str(ROOT)
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout


def notebook_page(path: Path):
    """The page of a notebook, and its pictures."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    parts, pictures, heading = [], [], ""
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(_with_lists(source))
            titles = re.findall(r"^#+ (.+)$", source, re.MULTILINE)
            heading = titles[-1] if titles else heading
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            data = output.get("data", {})
            if "image/png" in data:
                name = f"{path.stem}-{len(pictures) + 1}.png"
                content = base64.b64decode("".join(data["image/png"]))
                pictures.append((f"tutorials/{name}", content))
                alternative = f"Figure {len(pictures)}: {heading}".replace("`", "")
                parts.append(f"![{alternative}]({name})")
            elif "text/markdown" in data:
                parts.append("".join(data["text/markdown"]))
            else:
                text = "".join(output.get("text", data.get("text/plain", "")))
                parts.append(_printed(text))
    note = (
        f"*This page is the executed notebook `tutorials/{path.name}` of the "
        "repository, which you can run and change.*"
    )
    title, *rest = parts
    first, _, others = title.partition("\n\n")
    yield f"tutorials/{path.stem}.md", "\n\n".join([first, note, others, *rest, ""])
    yield from pictures


def _with_lists(source):
    """Markdown with the empty line before a list that the site needs."""
    before = r"(?m)^(?![*\-|] |\d+\. |\s|$)(.*\S)\n(?=(?:[*-]|\d+\.) )"
    return re.sub(before, r"\1\n\n", source)


def _printed(text):
    text = re.sub(r"\x1b\[[\d;]*m", "", text).rstrip()
    return f'<div class="output" markdown>\n\n```text\n{text}\n```\n\n</div>'
