"""Checks every page of the built site in a browser.

    mkdocs build --strict
    python tools/check_site.py [--site site] [--browser /usr/bin/chromium]
        [--screenshots DIR] [--only PART]

It needs the extra `browser` and Chromium. It serves the site on this machine, and opens
every page at the width of a desktop and of a phone, in light and in dark mode. It ends
with status 1 if a page logs an error, sends a request to another machine, is wider than
the window, or has a picture without alternative text or a formula that is not rendered;
or if the search does not find MixViT, or code cannot be copied.
"""

import argparse
import functools
import shutil
import sys
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
WINDOWS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True},
}
SCHEMES = ("light", "dark")
# Finds the faults of a page, within the page.
FAULTS = r"""
() => {
    const faults = [];
    const article = document.querySelector("article") || document.body;
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth + 1) {
        faults.push(`is ${root.scrollWidth} pixels wide in ${root.clientWidth}`);
    }
    for (const image of article.querySelectorAll("img")) {
        const name = image.getAttribute("src").split("/").pop();
        if (!(image.alt || "").trim()) faults.push(`${name} has no alternative text`);
        const isBroken = image.complete && image.naturalWidth === 0;
        if (isBroken) faults.push(`${name} is broken`);
    }
    for (const formula of article.querySelectorAll("math")) {
        const box = formula.getBoundingClientRect();
        if (box.width < 2 || box.height < 2) faults.push("a formula has no size");
    }
    const prose = article.cloneNode(true);
    prose.querySelectorAll("pre, code, math").forEach((found) => found.remove());
    for (const left of prose.textContent.match(/\$\$?[^$\n]+\$|xformula\d+x/g) || []) {
        faults.push(`a formula is left: ${left}`);
    }
    for (const left of prose.textContent.match(/\]\[keras_mixvit[^\]]*\]/g) || []) {
        faults.push(`a link is left: ${left}`);
    }
    const scheme = document.body.dataset.mdColorScheme;
    return {faults, scheme, formulas: article.querySelectorAll("math").length};
}
"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, *words):
        pass


def serve(folder: Path) -> ThreadingHTTPServer:
    """Serves a folder on a free port of this machine."""
    handler = functools.partial(Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def paths_of(site: Path, part: str) -> list[str]:
    """The addresses of all pages, from the root of the site."""
    found = sorted(path.parent for path in site.rglob("index.html"))
    paths = [
        f"/{path.relative_to(site).as_posix()}/".replace("/./", "/") for path in found
    ]
    return [path for path in paths if part in path]


class Visit:
    """A window of the browser, and the faults found in it."""

    def __init__(self, browser, root: str, window: str, scheme: str):
        self.root, self.label, self.scheme = root, f"{window}, {scheme}", scheme
        self.faults: list[str] = []
        self.formulas = 0
        self.context = browser.new_context(
            **WINDOWS[window],
            color_scheme=scheme,
            permissions=["clipboard-read", "clipboard-write"],
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(30000)
        self.path = "/"
        self.page.on("console", self._log)
        self.page.on("pageerror", lambda error: self.say(f"raised {error}"))
        self.page.on("request", self._request)
        self.page.on(
            "response",
            lambda found: found.status >= 400 and self.say(f"lacks {found.url}"),
        )

    def say(self, fault: str) -> None:
        self.faults.append(f"{self.path} ({self.label}): {fault}")

    def _log(self, message):
        if message.type in ("error", "warning"):
            self.say(f"logged {message.text}")

    def _request(self, request):
        if not request.url.startswith((self.root, "data:", "blob:")):
            self.say(f"asked {request.url}")

    def look(self, path: str, picture: Path | None) -> None:
        """Opens a page and asks it for its faults."""
        self.path = path
        self.page.goto(self.root + path, wait_until="load")
        found = self.page.evaluate(FAULTS)
        self.formulas += found["formulas"]
        for fault in found["faults"]:
            self.say(fault)
        expected = {"light": "default", "dark": "slate"}[self.scheme]
        if found["scheme"] != expected:
            self.say(f"has the colours {found['scheme']}, not {expected}")
        if picture is not None:
            picture.parent.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=picture, full_page=True)

    def search(self, words: str) -> None:
        """Types words into the search and asks for a result."""
        self.path = "/"
        self.page.goto(self.root, wait_until="load")
        # The same on a phone, where the field is behind a button.
        self.page.evaluate("document.getElementById('__search').click()")
        self.page.locator("input.md-search__input").fill(words)
        result = self.page.locator(".md-search-result__item").first
        try:
            result.wait_for(timeout=15000)
            if words.lower() not in result.inner_text().lower():
                self.say(f"the search finds {result.inner_text()!r} for {words}")
        except Exception:
            self.say(f"the search does not find {words}")

    def copy(self, path: str) -> None:
        """Presses the button of the first code and compares what was copied."""
        self.path = path
        self.page.goto(self.root + path, wait_until="load")
        code = self.page.locator("div.highlight:has(button)").first
        expected = code.locator("code").inner_text().strip()
        code.scroll_into_view_if_needed()
        code.locator("button").first.dispatch_event("click")
        self.page.wait_for_timeout(300)
        copied = self.page.evaluate("navigator.clipboard.readText()").strip()
        if copied != expected:
            self.say(f"copied {copied[:40]!r} instead of {expected[:40]!r}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", type=Path, default=ROOT / "site")
    parser.add_argument("--browser", default=shutil.which("chromium"))
    parser.add_argument("--screenshots", type=Path)
    parser.add_argument("--only", default="", help="a part of the addresses of pages")
    options = parser.parse_args()
    paths = paths_of(options.site, options.only)
    if not paths:
        sys.exit(f"There is no page in {options.site}: run mkdocs build.")
    server, begun = serve(options.site), time.perf_counter()
    root = f"http://127.0.0.1:{server.server_port}"
    faults, formulas = [], 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.browser)
        for window in WINDOWS:
            for scheme in SCHEMES:
                visit = Visit(browser, root, window, scheme)
                for path in paths:
                    picture = None
                    if options.screenshots:
                        name = path.strip("/").replace("/", "-") or "home"
                        folder = options.screenshots / f"{window}-{scheme}"
                        picture = folder / f"{name}.png"
                    visit.look(path, picture)
                visit.search("MixViT")
                visit.copy("/getting_started/")
                print(
                    *visit.faults,
                    sep="\n",
                    end="\n" if visit.faults else "",
                    flush=True,
                )
                faults += visit.faults
                formulas += visit.formulas
                visit.context.close()
        browser.close()
    server.shutdown()
    seconds = time.perf_counter() - begun
    views = len(paths) * len(WINDOWS) * len(SCHEMES)
    print(
        f"{len(paths)} pages, {views} views, {formulas} formulas, {len(faults)} "
        f"faults, {seconds:.0f} s"
    )
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
