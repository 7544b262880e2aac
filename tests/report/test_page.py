"""What a browser says of the page."""

import functools
import json
import re
import shutil
import subprocess
import threading
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from keras_mixvit.report import write_report

pytestmark = pytest.mark.one_backend

BROWSER = shutil.which("chromium")
# Opens the page as wide as a phone, in a frame of the same address, and measures it.
FRAME = """<!DOCTYPE html><title>frame</title>
<iframe id="page" src="page.html" width="390" height="844"></iframe><pre id="found">
</pre><script>
onload = () => {
    const page = document.getElementById("page").contentWindow;
    const root = page.document.documentElement;
    const of = (name) => page.performance.getEntriesByType(name).map((x) => x.name);
    const broken = [...page.document.images].filter((x) => !x.naturalWidth).length;
    document.getElementById("found").textContent = JSON.stringify({
        width: root.scrollWidth, window: root.clientWidth, broken,
        requests: of("resource").filter((x) => !x.startsWith("data:")),
        images: page.document.images.length,
    });
};
</script>"""


class Logged(SimpleHTTPRequestHandler):
    """Serves files, and notes which."""

    def log_message(self, *words):
        self.server.paths.append(self.path)


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
def test_a_browser_shows_the_page_without_faults(finished, tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    write_report(finished, site / "page.html", bootstrap=0, verbose=0)
    (site / "frame.html").write_text(FRAME)
    handler = functools.partial(Logged, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.paths = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom"),
            *("--window-size=1200,1000", f"--user-data-dir={tmp_path / 'profile'}"),
            f"http://127.0.0.1:{server.server_port}/frame.html",
        ]
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=False
        )
        server.shutdown()
    measured = re.search(r'<pre id="found">(\{.*?\})</pre>', result.stdout, re.DOTALL)
    assert measured, result.stderr[-2000:]
    found = json.loads(unescape(measured[1]))
    assert found["width"] <= found["window"] <= 390
    assert (found["broken"], found["requests"]) == (0, [])
    assert found["images"] > 0
    # The frame itself asks for an icon.
    assert set(server.paths) <= {"/frame.html", "/page.html", "/favicon.ico"}
    console = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
    assert not [line for line in console if "favicon" not in line]
