"""The hooks of MkDocs for the build of the site, see `hooks` in mkdocs.yml.

They add pages made from other files, list them in the navigation, turn links to files
of the repository into links to pages, link names of the API, and render formulas as
MathML, which browsers show without a script or a font.
"""

import importlib.util
import re
import sys
from html import unescape
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]


def _neighbour(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


docs_pages = _neighbour("docs_pages")

# A fence or inline code, which no rule below changes.
CODE = re.compile(r"^( *)(```+|~~~+).*?^\1\2 *$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
FORMULA = re.compile(
    r"\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^\s$](?:[^$]*[^\s$])?)\$", re.S
)
PLACEHOLDER = "xformula{}x"
# Code and tags of HTML.
HTML_CODE = re.compile(r"<(pre|code)\b.*?</\1>|<[^>]*>", re.S)
_formulas = {}


def on_config(config):
    """Lists tutorials, results and the reference in the navigation."""
    for entry in config.nav:
        (title, pages), *_ = entry.items()
        if title == "Tutorials":
            entry[title] = docs_pages.tutorial_nav()
        elif title == "Reference":
            entry[title] = docs_pages.reference_nav()
        elif title == "Papers and results":
            place = next(i for i, page in enumerate(pages) if "Results" in page) + 1
            entry[title] = [*pages[:place], *docs_pages.result_nav(), *pages[place:]]
    return config


def on_files(files, config):
    """Adds the pages that are made of other files."""
    for path, content in docs_pages.made_pages():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown, page, config, files):
    """Makes links lead to pages, links names of the API, and takes formulas out."""
    source = page.file.src_uri
    if source.startswith("api/"):
        return markdown
    markdown = docs_pages.site_links(markdown, source)
    found = _formulas.setdefault(source, [])
    pieces, end = [], 0
    for code in CODE.finditer(markdown):
        pieces.append(_without_formulas(markdown[end : code.start()], found))
        pieces.append(_linked(code[0], markdown, code))
        end = code.end()
    pieces.append(_without_formulas(markdown[end:], found))
    return "".join(pieces)


def on_page_content(html, page, config, files):
    """Puts the formulas back, as MathML."""
    if page.file.src_uri.startswith("api/"):
        return _with_formulas(html)
    for place, mathml in enumerate(_formulas.pop(page.file.src_uri, ())):
        html = html.replace(PLACEHOLDER.format(place), mathml)
    return html


def _with_formulas(html):
    """Renders the formulas in the HTML of docstrings."""
    pieces, end = [], 0
    for kept in HTML_CODE.finditer(html):
        pieces += [FORMULA.sub(_mathml, html[end : kept.start()]), kept[0]]
        end = kept.end()
    return "".join([*pieces, FORMULA.sub(_mathml, html[end:])])


def _mathml(match):
    display = "inline" if match["block"] is None else "block"
    return convert(unescape(match["block"] or match["inline"]).strip(), display=display)


def _without_formulas(text, found):
    def placeholder(match):
        found.append(_mathml(match))
        return PLACEHOLDER.format(len(found) - 1)

    return FORMULA.sub(placeholder, text)


def _linked(code, markdown, match):
    """Inline code, as a link if it is a name of the API outside links and headings."""
    target = docs_pages.api_names().get(code.strip("`"))
    line_begins = markdown.rfind("\n", 0, match.start()) + 1
    is_heading = markdown.startswith("#", line_begins)
    is_link = markdown[match.start() - 1 : match.start()] == "["
    if target is None or is_heading or is_link:
        return code
    return f"[{code}][{target}]"
