"""JupyterLab on a copy of the course, and a page of a real browser that drives it. Touches nothing of the user's."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tinyfrontier.authoring.lessons import ROOT

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
START_SECONDS = 60

# The notebook that is in front, as JupyterLab's own objects know it.
STATE = """() => {
    const panel = window.jupyterapp?.shell.currentWidget;
    if (!panel?.context?.isReady || !panel.sessionContext?.isReady) return null;
    const kernel = panel.sessionContext.session?.kernel;
    return {
        path: panel.context.path,
        connected: kernel?.connectionStatus === "connected",
        idle: kernel?.status === "idle",
        cells: panel.content.widgets.map(cell => {
            const model = cell.model.sharedModel;
            return {
                id: model.id,
                type: model.cell_type,
                source: model.getSource(),
                tags: model.getMetadata("tags") || [],
                count: model.execution_count ?? null,
                running: cell.model.executionState ?? "idle",
                errors: (cell.model.toJSON().outputs || [])
                    .filter(output => output.output_type === "error")
                    .map(output => output.ename + ": " + output.evalue),
            };
        }),
    };
}"""


class Lab:
    """A running JupyterLab: `url` opens it, `progress` is where its kernels keep what was passed."""

    def __init__(self, folder: Path):
        self.folder, self.progress, self.log = folder, folder / "progress.json", folder / "lab.log"
        self.token = secrets.token_hex(16)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self) -> None:
        course = self.folder / "course"
        for name in ("notebooks", "lessons"):
            shutil.copytree(ROOT / name, course / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        settings = self.folder / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        quiet = {"fetchNews": "false", "checkForUpdates": False}
        (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet), encoding="utf-8")
        environment = {key: value for key, value in os.environ.items() if key not in ("TQDM_DISABLE", "MPLBACKEND")}
        for kind in ("CONFIG", "DATA", "RUNTIME"):
            environment[f"JUPYTER_{kind}_DIR"] = str(self.folder / kind.lower())
        environment.update(
            IPYTHONDIR=str(self.folder / "ipython"),
            JUPYTERLAB_SETTINGS_DIR=str(self.folder / "settings"),
            JUPYTERLAB_WORKSPACES_DIR=str(self.folder / "workspaces"),
            TINYFRONTIER_PROGRESS=str(self.progress),
        )
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--expose-app-in-browser"]
        command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0"]
        command += [f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={course}"]
        if getattr(os, "geteuid", lambda: 1)() == 0:
            command.append("--allow-root")
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, cwd=course, env=environment, stdout=log, stderr=subprocess.STDOUT)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.base}/api?token={self.token}", timeout=5):
                    return
            except OSError:
                time.sleep(0.2)
        self.stop()
        raise RuntimeError(f"JupyterLab did not start:\n{self.log.read_text(encoding='utf-8')[-3000:]}")

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, notebook: str) -> str:
        """The address that opens a notebook of the course in a fresh workspace."""
        return f"{self.base}/lab/workspaces/{Path(notebook).stem}/tree/notebooks/{notebook}?token={self.token}"

    def stop(self) -> None:
        """End the server, which ends its kernels."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Notebook:
    """A notebook in JupyterLab, worked with as a reader does: by scrolling, keyboard and mouse."""

    def __init__(self, page, lab: Lab):
        self.page, self.lab = page, lab

    def open(self, notebook: str) -> None:
        self.page.goto(self.lab.url(notebook))
        self.wait_until_ready(f"notebooks/{notebook}")

    def state(self) -> dict:
        return self.page.evaluate(STATE)

    def wait_until_ready(self, path: str, seconds: float = 60) -> None:
        """Wait until this notebook is in front and its own kernel is connected and idle.

        The indicator in the toolbar is idle before the kernel is connected, so it is not asked.
        """
        self.page.wait_for_function(
            f"""path => {{
                const state = ({STATE})();
                return state && state.path === path && state.connected && state.idle;
            }}""",
            arg=path,
            timeout=seconds * 1000,
        )

    def run_all(self, seconds: float) -> None:
        """Run every cell through JupyterLab's own command; wait until each has run and the kernel is idle."""
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
        self.page.wait_for_function(
            f"""() => {{
                const state = ({STATE})(), code = state.cells.filter(cell => cell.type === "code");
                const done = code.every(cell => cell.count !== null && cell.running === "idle");
                return state.idle && (done || code.some(cell => cell.errors.length));
            }}""",
            timeout=seconds * 1000,
            polling=500,
        )

    def errors(self) -> list[str]:
        return [error for cell in self.state()["cells"] for error in cell["errors"]]

    def index(self, cell_id: str) -> int:
        return [cell["id"] for cell in self.state()["cells"]].index(cell_id)

    def cell(self, index: int):
        """The cell's part of the page, scrolled into view."""
        self.page.evaluate(
            "index => window.jupyterapp.shell.currentWidget.content.scrollToItem(index, 'center')", index
        )
        found = self.page.locator(f".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell[data-windowed-list-index='{index}']")
        found.wait_for()
        return found

    def write(self, cell_id: str, code: str) -> None:
        """Replace what stands in a cell: click into its editor, select all, put the text in by the keyboard."""
        index = self.index(cell_id)
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(code)
        self.page.wait_for_function(
            f"([index, code]) => ({STATE})().cells[index].source === code", arg=[index, code], timeout=10_000
        )

    def run(self, cell_id: str, seconds: float = 30) -> None:
        """Click a cell, run it with Shift + Enter, wait for its end."""
        index = self.index(cell_id)
        before = self.state()["cells"][index]["count"]
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        self.page.wait_for_function(
            f"""([index, before]) => {{
                const state = ({STATE})(), cell = state.cells[index];
                return state.idle && cell.running === "idle" && cell.count !== null && cell.count !== before;
            }}""",
            arg=[index, before],
            timeout=seconds * 1000,
        )


@pytest.fixture(scope="session")
def browser():
    """A Chromium that is installed on this machine; nothing is downloaded."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser on this machine: none of {', '.join(BROWSERS)} is on the PATH")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        chromium = playwright.chromium.launch(executable_path=found, args=options)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory, browser):
    """JupyterLab from this Python's environment, on a copy of the course."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    lab.start()
    yield lab
    lab.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.failed_in_browser = report.failed
    return report


@pytest.fixture
def notebook(browser, lab, tmp_path, request):
    """JupyterLab in a fresh browser window; a failed test leaves a screenshot behind and says where."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(20_000)
    yield Notebook(page, lab)
    if getattr(request.node, "failed_in_browser", False):
        picture = tmp_path / "browser.png"
        page.screenshot(path=picture)
        print(f"screenshot of the page: {picture}\nJupyterLab's log: {lab.log}")
    page.close()
