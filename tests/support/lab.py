"""JupyterLab in a real browser, for the tests of what is on the screen."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from processes import free_port, signal_group, watch

ROOT = Path(__file__).resolve().parents[2]
HOW = (
    "Install Chromium (Debian/Ubuntu: apt install chromium fonts-noto-cjk) and Playwright "
    "(pip install playwright), or run `.venv/bin/playwright install chromium`."
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WIDTHS = {"projector": (1280, 800), "phone": (390, 844)}

# All cells stand in the page (Lab otherwise builds only those in view), nothing asks or pops up,
# and nothing is written into the notebooks.
_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/notebook-extension:tracker": {
        "windowingMode": "none",
        "recordTiming": False,
        "showHiddenCellsButton": False,
    },
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
    "@jupyterlab/completer-extension:manager": {"autoCompletion": False},
}


class NoBrowser(Exception):
    """Why there is no browser to test with, and what to do about it."""


def find_browser(own: str = "") -> str:
    """Path of a Chromium; `own`: where Playwright would keep one. Raises NoBrowser."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None and own and Path(own).is_file():
        found = own
    if found is None:
        raise NoBrowser(f"No Chromium was found. {HOW}")
    return found


@contextmanager
def open_browser() -> Iterator[Any]:
    """A headless Chromium as Playwright's Browser. Raises NoBrowser.

    While it is open the thread has a running event loop: nbclient does not work beside it.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as missing:
        raise NoBrowser(f"Playwright is not installed. {HOW}") from missing
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(playwright.chromium.executable_path),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb"],
        )
        try:
            yield browser
        finally:
            browser.close()


class LabServer:
    """`jupyter lab` on a free port with settings of its own; notebooks lie in `folder`.

    Its kernels import this clone's package and are ended with it.
    """

    def __init__(self, home: Path) -> None:
        self.home = Path(home)
        self.folder = self.home / "notebooks"
        self.port = free_port()
        self.token = secrets.token_hex(16)
        self.log = self.home / "lab.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    def url(self, notebook: str = "") -> str:
        """The page of a notebook, without Lab's side bars."""
        place = f"doc/tree/{notebook}" if notebook else "api"
        return f"http://127.0.0.1:{self.port}/{place}?token={self.token}"

    def start(self, seconds: float = 60) -> LabServer:
        """Start and wait until it answers. Raises RuntimeError with its log."""
        own = self.home / "jupyter"
        settings = own / "config" / "labconfig" / "default_setting_overrides.json"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(json.dumps(_SETTINGS))
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "PYTEST_"))},
            **{f"JUPYTER_{name.upper()}_DIR": str(own / name) for name in ("config", "data")},
            "JUPYTER_RUNTIME_DIR": str(own / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(own / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces"),
            "IPYTHONDIR": str(own / "ipython"),
            "PYTHONPATH": str(ROOT),
        }
        # the kernel chooses how plots are shown, as it does for people
        environment.pop("MPLBACKEND", None)
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            f"--ServerApp.root_dir={self.folder}",
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={self.token}",
            "--LabApp.expose_app_in_browser=True",
            "--LabApp.news_url=None",
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._watcher = watch(self._process.pid)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(self.url(), timeout=2):
                    return self
            except OSError:
                time.sleep(0.1)
        self.stop()
        said = self.log.read_text("utf-8", errors="replace")[-3000:]
        raise RuntimeError(f"JupyterLab did not come up within {seconds:.0f} s:\n{said}")

    def stop(self) -> None:
        """End it politely, so that it ends its kernels; twice is harmless."""
        if self._process is None:
            return
        signal_group(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            signal_group(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._watcher is not None:
            self._watcher.communicate(b"ended\n")
        self._process = self._watcher = None

    def __enter__(self) -> LabServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class OpenNotebook:
    """A notebook in Lab: run it, find what its cells show, look at it."""

    def __init__(self, browser: Any, lab: LabServer, name: str) -> None:
        """Open `name` (a path in the server's folder) and wait until its kernel answers."""
        width, height = WIDTHS["projector"]
        self.page = browser.new_page(viewport={"width": width, "height": height})
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._console)
        self.page.goto(lab.url(name))
        # An async predicate would not do: Playwright takes its promise for a yes.
        self.page.wait_for_function(
            """() => {
                const app = window.jupyterapp, panel = app && app.shell.currentWidget;
                return panel && panel.sessionContext
                    && app.commands.hasCommand('notebook:run-all-cells');
            }""",
            timeout=60_000,
        )
        # the kernel's own information comes last; what is run before it came is lost
        self.page.evaluate(
            """async () => {
                const app = window.jupyterapp, panel = app.shell.currentWidget;
                await app.restored; await panel.revealed; await panel.sessionContext.ready;
                await panel.sessionContext.session.kernel.info;
            }"""
        )

    def _console(self, message: Any) -> None:
        """Keep what the page reports as an error."""
        if message.type == "error":
            self.errors.append(message.text)

    def run_all(self, seconds: float = 300) -> None:
        """Run all cells and wait until the kernel is idle. Raises AssertionError with what a cell
        that failed has said.
        """
        self.page.evaluate(
            """() => { window.ran = undefined;
                window.jupyterapp.commands.execute('notebook:run-all-cells')
                    .finally(() => { window.ran = true; }); }"""
        )
        self.page.wait_for_function(
            "() => window.ran && window.jupyterapp.shell.currentWidget.sessionContext.session"
            ".kernel.status === 'idle'",
            timeout=seconds * 1000,
        )
        said = self.page.locator(".jp-OutputArea-output[data-mime-type*='error']").all_inner_texts()
        assert not said, said[0]
        counts = self.page.evaluate(
            """() => window.jupyterapp.shell.currentWidget.content.widgets
                .filter(cell => cell.model.type === 'code')
                .map(cell => cell.model.sharedModel.execution_count)"""
        )
        assert counts == [*range(1, len(counts) + 1)], f"not run from top to bottom: {counts}"

    def idle(self, seconds: float = 120) -> None:
        """Wait until the kernel has done what was asked of it."""
        self.page.wait_for_timeout(100)  # a click reaches the kernel a moment later
        self.page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status"
            " === 'idle'",
            timeout=seconds * 1000,
        )
        self.page.wait_for_timeout(100)

    def output(self, text: str) -> Output:
        """What the first code cell whose source holds `text` shows."""
        place = self.page.evaluate(
            """text => window.jupyterapp.shell.currentWidget.content.widgets.findIndex(
                cell => cell.model.type === 'code'
                    && cell.model.sharedModel.getSource().includes(text))""",
            text,
        )
        assert place >= 0, f"no code cell holds {text!r}"
        return Output(self, place)

    def add(self, code: str) -> Output:
        """Put a cell below all others and start it; gives its output, before the cell is done."""
        place = self.page.evaluate(
            """async code => {
                const app = window.jupyterapp, notebook = app.shell.currentWidget.content;
                notebook.activeCellIndex = notebook.widgets.length - 1;
                await app.commands.execute('notebook:insert-cell-below');
                notebook.activeCell.model.sharedModel.setSource(code);
                app.commands.execute('notebook:run-cell');
                return notebook.activeCellIndex;
            }""",
            code,
        )
        return Output(self, place)

    def check(self) -> None:
        """Nothing went wrong in the page: no error of a script, no widget that cannot be shown."""
        assert self.errors == []
        shown = self.page.locator(".jp-Notebook").inner_text()
        for failure in ("Error displaying widget", "Loading widget", "Traceback (most recent"):
            assert failure not in shown, shown[max(0, shown.find(failure) - 300) :][:900]

    def resize(self, width: int, height: int) -> None:
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.wait_for_timeout(200)

    def close(self) -> None:
        """End the kernel and close the page."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        self.page.close()


class Output:
    """What a code cell shows, and its controls, by mouse and by keyboard."""

    def __init__(self, notebook: OpenNotebook, place: int) -> None:
        self.notebook, self.place, self.page = notebook, place, notebook.page
        cell = self.page.locator(".jp-Notebook .jp-Cell").nth(place)
        self.area = cell.locator(".jp-OutputArea")

    @property
    def text(self) -> str:
        # ipywidgets writes the spaces of a list's options as no-break ones
        return str(self.area.inner_text()).replace("\xa0", " ")

    @property
    def html(self) -> str:
        return str(self.area.inner_html())

    def labelled(self, label: str) -> Any:
        """The control with this label: an input, a list, the handle of a slider, or the first of
        several buttons.
        """
        exactly = re.compile(rf"^\s*{re.escape(label)}\s*$")
        labels = self.area.locator("label", has_text=exactly)
        box = labels.first.locator(
            "xpath=ancestor::*[contains(@class, 'jupyter-widgets') or "
            "contains(@class, 'widget-inline-hbox') or "
            "contains(@class, 'widget-toggle-buttons')][1]"
        )
        return box.locator("input, select, textarea, [role=slider], button").first

    def button(self, text: str) -> Any:
        return self.area.get_by_role("button", name=text)

    def reach(self, control: Any, most: int = 100) -> None:
        """Go to a control as people without a mouse do: from the cell by the tab key alone."""
        self.page.evaluate(
            """place => { const notebook = window.jupyterapp.shell.currentWidget.content;
                notebook.activeCellIndex = place; notebook.mode = 'command';
                notebook.activate(); }""",
            self.place,
        )
        wanted = control.element_handle()
        for _ in range(most):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("wanted => wanted === document.activeElement", wanted):
                return
        raise AssertionError(f"the tab key does not reach {wanted.evaluate('e => e.outerHTML')}")

    def press(self, control: Any, *keys: str) -> None:
        """`reach` a control, press keys there, and wait for what they bring about."""
        self.reach(control)
        for key in keys:
            self.page.keyboard.press(key)
        self.notebook.idle()

    def slide(self, handle: Any, share: float) -> None:
        """Drag a slider's handle to this share of its way."""
        way = handle.locator("xpath=ancestor::*[contains(@class, 'noUi-base')]").bounding_box()
        handle.hover()
        self.page.mouse.down()
        self.page.mouse.move(way["x"] + share * way["width"], way["y"] + way["height"] / 2, steps=5)
        self.page.mouse.up()
        self.notebook.idle()

    def click(self, control: Any) -> None:
        control.click()
        self.notebook.idle()

    def options(self, control: Any) -> list[str]:
        """What a list offers."""
        texts = control.locator("option").all_inner_texts()
        return [text.replace("\xa0", " ") for text in texts]

    def choose(self, control: Any, option: str) -> None:
        """Take an option of a list, as a mouse does."""
        control.select_option(index=self.options(control).index(option))
        self.notebook.idle()

    def type(self, control: Any, text: str) -> None:
        """Replace a control's text and leave it."""
        control.fill(text)
        control.blur()
        self.notebook.idle()

    def photograph(self, name: str) -> None:
        """Pictures of the output at the size of a projector and of a phone, kept for people to look
        at. AssertionError where something in it is wider than the place it has.
        """
        for size, (width, height) in WIDTHS.items():
            self.notebook.resize(width, height)
            # Lab scrolls the notebook and not the page: the window is made as tall as the output.
            tall = self.area.evaluate("area => area.scrollHeight")
            self.notebook.resize(width, int(tall) + 250)
            self.area.scroll_into_view_if_needed()
            self.area.screenshot(path=screenshots() / f"{name}-{width}.png")
            wide = self.area.evaluate(
                """area => [area, ...area.querySelectorAll('.jp-OutputArea-output, .widget-box')]
                    .map(box => box.scrollWidth - box.clientWidth)"""
            )
            assert max(wide) <= 0, f"{name} is {max(wide)} px too wide for a {size}"
        self.notebook.resize(*WIDTHS["projector"])


def screenshots() -> Path:
    """The folder for pictures: WORKSHOP_SCREENSHOTS, else runs/screenshots of this clone."""
    folder = Path(os.environ.get("WORKSHOP_SCREENSHOTS") or ROOT / "runs" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
