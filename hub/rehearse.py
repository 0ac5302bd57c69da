"""A made-up class: starts this folder's hub, logs students in, and has each open a lesson and run its first cells.

    .venv/bin/python hub/rehearse.py 1 10 20 40          as you are: one account, made-up logins
    sudo .venv/bin/python hub/rehearse.py 40 --accounts  as root: forty real accounts, removed afterwards

For each class size it prints how long login and start took, the cells' seconds beside those of a student alone, memory
a student (PSS: a page that n processes share counts 1/n for each) and what failed; with --accounts also whether one
student can read another's files. `--pause 10` is the mean time that a student reads before the next cell; 0 is a room
that presses Run All at once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import requests
import websocket

ROOM = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOM))
import accounts  # noqa: E402 - found beside this file, however this one was loaded

COURSE = ROOM.parent
PATIENCE = 600  # seconds for a start or a cell, after which it counts as failed
OVERRIDE = """
import os
load_subconfig({config!r})
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
if {made_up}:
    c.JupyterHub.authenticator_class = "dummy"
    c.Authenticator.allow_all = True
    c.DummyAuthenticator.password = {password!r}
    c.JupyterHub.spawner_class = "simple"
    c.SimpleLocalProcessSpawner.home_dir_template = {homes!r}
    c.Spawner.args = ["--allow-root"] if os.geteuid() == 0 else []
"""


class Failed(Exception):
    """Something that a student would have seen fail."""


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def first_cells(lesson: str, count: int) -> tuple[str, list[str]]:
    """Name of the notebook of a lesson, and the text of its first code cells.

    Raises:
        ValueError: if there is no such lesson.
    """
    found = sorted((COURSE / "notebooks").glob(f"{lesson}_*.ipynb"))
    if not found:
        raise ValueError(f"lesson must be the number of a lesson in notebooks/, got {lesson!r}")
    cells = json.loads(found[0].read_text(encoding="utf-8"))["cells"]
    return found[0].name, ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"][:count]


@dataclass
class Student:
    """One student's browser: logs in, starts the server, opens a notebook, runs cells."""

    hub: str
    name: str
    password: str
    seconds: dict[str, float] = field(default_factory=dict)
    cells: list[float] = field(default_factory=list)
    failure: str = ""

    def ask(self, method: str, path: str, **arguments) -> requests.Response:
        """One request with the student's token.

        Raises:
            Failed: if the answer is an error.
        """
        headers = {"Authorization": f"token {self.token}"}
        answer = requests.request(method, f"{self.hub}{path}", headers=headers, timeout=PATIENCE, **arguments)
        if answer.status_code >= 400:
            raise Failed(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer

    def log_in(self) -> None:
        """Log in by the form, as a browser does, and fetch a token for the API."""
        began = time.monotonic()
        browser = requests.Session()
        browser.get(f"{self.hub}/hub/login", timeout=PATIENCE)
        form = {"username": self.name, "password": self.password, "_xsrf": self.xsrf(browser)}
        answer = browser.post(f"{self.hub}/hub/login?next=/hub/token", data=form, timeout=PATIENCE)
        if answer.status_code >= 400 or not answer.url.endswith("/hub/token"):
            raise Failed(f"login of {self.name}: {answer.status_code}")
        answer = browser.post(
            f"{self.hub}/hub/api/users/{self.name}/tokens",
            headers={"X-XSRFToken": self.xsrf(browser), "Referer": f"{self.hub}/hub/token"},
            json={"note": "rehearsal", "expires_in": 7200},
            timeout=PATIENCE,
        )
        if answer.status_code >= 400:
            raise Failed(f"token of {self.name}: {answer.status_code} {answer.text[:200]}")
        self.token = answer.json()["token"]
        self.seconds["login"] = time.monotonic() - began

    @staticmethod
    def xsrf(browser: requests.Session) -> str:
        """The hub's token against forged requests, from its cookie."""
        return next(cookie.value for cookie in browser.cookies if cookie.name == "_xsrf" and "/hub" in cookie.path)

    def start(self) -> None:
        """Start the student's server and wait until it answers."""
        began = time.monotonic()
        self.ask("POST", f"/hub/api/users/{self.name}/server")
        while time.monotonic() < began + PATIENCE:
            server = self.ask("GET", f"/hub/api/users/{self.name}").json()["servers"].get("", {})
            if server.get("ready"):
                self.seconds["start"] = time.monotonic() - began
                return
            if not server:
                raise Failed("the server did not start")
            time.sleep(1)
        raise Failed(f"the server was not ready after {PATIENCE} s")

    def open(self, notebook: str) -> None:
        """Read the notebook as JupyterLab does, and start its kernel."""
        began = time.monotonic()
        path = f"my_work/{notebook}"
        self.ask("GET", f"/user/{self.name}/api/contents/{path}")
        session = {"path": path, "name": notebook, "type": "notebook", "kernel": {"name": "python3"}}
        answer = self.ask("POST", f"/user/{self.name}/api/sessions", json=session)
        self.kernel = answer.json()["kernel"]["id"]
        address = f"{self.hub.replace('http', 'ws', 1)}/user/{self.name}/api/kernels/{self.kernel}/channels"
        self.socket = websocket.create_connection(
            address, timeout=PATIENCE, header=[f"Authorization: token {self.token}"], suppress_origin=True
        )
        self.run("None")
        self.seconds["open"] = time.monotonic() - began

    def run(self, code: str) -> str:
        """Run code in the kernel; returns what it printed.

        Raises:
            Failed: if it raised, or the kernel died.
        """
        number, printed = uuid.uuid4().hex, []
        self.socket.send(
            json.dumps(
                {
                    "channel": "shell",
                    "header": {"msg_id": number, "msg_type": "execute_request", "username": "", "session": number,
                               "version": "5.3", "date": "2000-01-01T00:00:00Z"},
                    "parent_header": {},
                    "metadata": {},
                    "content": {"code": code, "silent": False, "store_history": True, "user_expressions": {},
                                "allow_stdin": False, "stop_on_error": True},
                }
            )
        )  # fmt: skip
        while True:
            message = json.loads(self.socket.recv())
            content = message.get("content", {})
            if message.get("msg_type") == "status" and content.get("execution_state") in ("restarting", "dead"):
                raise Failed("the kernel died")
            if message.get("parent_header", {}).get("msg_id") != number:
                continue
            if message["msg_type"] == "stream":
                printed.append(content["text"])
            if message["msg_type"] == "error":
                raise Failed(f"{content['ename']}: {content['evalue'][:200]}")
            if message["msg_type"] == "status" and content["execution_state"] == "idle":
                return "".join(printed)

    def work(self, cells: list[str], pause: float, patience: random.Random) -> None:
        """Run the cells in turn; between two the student reads for `pause` seconds in the mean."""
        for cell in cells:
            time.sleep(patience.expovariate(1 / pause) if pause else 0)
            began = time.monotonic()
            self.run(cell)
            self.cells.append(time.monotonic() - began)

    def attend(self, notebook: str, cells: list[str], pause: float, seed: int) -> None:
        """The whole lesson; what fails is noted."""
        try:
            self.log_in()
            self.start()
            self.open(notebook)
            self.work(cells, pause, random.Random(seed))
        except (Failed, OSError, ValueError, StopIteration, websocket.WebSocketException) as error:
            self.failure = f"{type(error).__name__}: {error}"[:300]

    def leave(self) -> None:
        """Stop the student's server."""
        with suppress(Failed, OSError, AttributeError, websocket.WebSocketException):
            self.socket.close()
        with suppress(Failed, OSError, AttributeError):
            self.ask("DELETE", f"/hub/api/users/{self.name}/server")


class Hub:
    """The hub of this folder, in a process of its own, on a free port; stops when the block ends.

    Args:
        scratch: a folder for its state and, without accounts, the students' homes.
        accounts: whether students are real accounts of the system.
    """

    def __init__(self, scratch: Path, accounts: bool):
        self.scratch, self.accounts = scratch, accounts
        self.password = uuid.uuid4().hex
        self.address = f"http://127.0.0.1:{free_port()}"

    def __enter__(self) -> Hub:
        config = self.scratch / "config.py"
        config.write_text(
            OVERRIDE.format(
                config=str(ROOM / "jupyterhub_config.py"),
                hub_port=free_port(),
                proxy_port=free_port(),
                made_up=not self.accounts,
                password=self.password,
                homes=str(self.scratch / "home" / "{username}"),
            ),
            encoding="utf-8",
        )
        environment = {**os.environ, "TINYFRONTIER_HUB_URL": self.address,
                       "TINYFRONTIER_HUB_STATE": str(self.scratch / "state"),
                       "TINYFRONTIER_HUB_MADE_UP": "" if self.accounts else "1"}  # fmt: skip
        self.log = open(self.scratch / "hub.log", "w", encoding="utf-8")
        began = time.monotonic()
        self.process = psutil.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(config)],
            env=environment, cwd=self.scratch, stdout=self.log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        while True:
            with suppress(OSError):
                if requests.get(f"{self.address}/hub/api/", timeout=5).ok:
                    break
            if self.process.poll() is not None or time.monotonic() > began + PATIENCE:
                self.__exit__()
                raise RuntimeError("the hub did not start:\n" + self.tail())
            time.sleep(0.2)
        self.seconds = time.monotonic() - began
        return self

    def tail(self) -> str:
        """The last of its log."""
        return (self.scratch / "hub.log").read_text(encoding="utf-8")[-12000:]

    def __exit__(self, *_: object) -> None:
        below = self.process.children(recursive=True) if self.process.is_running() else []
        with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
            self.process.terminate()
            self.process.wait(60)
        for process in [*below, self.process]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs([*below, self.process], timeout=60)
        self.log.close()


@contextmanager
def real_class(names: list[str]) -> Iterator[list[tuple[str, str]]]:
    """Accounts of the system with their passwords, for as long as the block lasts; their processes end with it."""
    groups = dict.fromkeys(names, accounts.STUDENTS)
    try:
        yield list(accounts.make(groups)) if names else []
    finally:
        deadline = time.monotonic() + 60
        while names and time.monotonic() < deadline:
            running = {process.info["username"] for process in psutil.process_iter(["username"])}
            if not running & groups.keys():
                break
            for name in names:
                subprocess.run(["pkill", "-KILL", "-u", name], capture_output=True)
            time.sleep(1)
        accounts.remove(groups)


def memory(hub: Hub) -> dict[str, list[tuple[float, float]]]:
    """PSS and RSS in MB of each process below the hub, by what it is: hub, server, kernel."""
    found: dict[str, list[tuple[float, float]]] = {"hub": [], "server": [], "kernel": []}
    for process in [hub.process, *hub.process.children(recursive=True)]:
        with suppress(psutil.Error, OSError):
            line = " ".join(process.cmdline())
            kind = "kernel" if "ipykernel" in line else "server" if "singleuser" in line else "hub"
            text = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii")
            pss, rss = (int(re.search(rf"^{key}:\s+(\d+)", text, re.M).group(1)) / 1024 for key in ("Pss", "Rss"))
            found[kind].append((pss, rss))
    return found


def secrets_kept(one: Student, other: Student, notebook: str) -> dict[str, bool]:
    """What one student must not be able to do to another, or to the course; each True if it was refused."""
    home = f"os.path.expanduser('~{other.name}')"
    tries = {
        "list another's home": f"os.listdir({home})",
        "read another's notebook": f"open({home} + '/tiny-frontier/my_work/{notebook}').read()",
        "write into another's folder": f"open({home} + '/tiny-frontier/x', 'w')",
        "read another's environment": f"[open('/proc/%s/environ' % pid).read() for pid in os.listdir('/proc') "
        f"if pid.isdigit() and os.stat('/proc/' + pid).st_uid == __import__('pwd').getpwnam('{other.name}').pw_uid]",
        "change the course": f"open({str(COURSE / 'README.md')!r}, 'a')",
    }
    kept = {}
    for what, code in tries.items():
        said = one.run(f"import os\ntry:\n    {code}\n    print('done')\nexcept PermissionError:\n    print('refused')")
        kept[what] = said.strip() == "refused"
    headers = {"Authorization": f"token {one.token}"}
    for what in ("contents", "kernels"):
        path = f"{one.hub}/user/{other.name}/api/{what}"
        answer = requests.get(path, headers=headers, timeout=60)
        kept[f"ask another's server for {what}"] = answer.status_code in (403, 404)
    return kept


def rehearse(hub: Hub, people: list[tuple[str, str]], notebook: str, cells: list[str], pause: float) -> dict:
    """One class: everybody logs in at once, and works; returns what was measured, and leaves the servers running."""
    students = [Student(hub.address, name, password) for name, password in people]
    idle = psutil.virtual_memory().available
    room = ThreadPoolExecutor(len(students))
    try:
        list(room.map(lambda pair: pair[1].attend(notebook, cells, pause, pair[0]), enumerate(students)))
    finally:  # after Ctrl-C nobody waits for students who read: they end when their hub does
        room.shutdown(wait=False, cancel_futures=True)
    return {
        "students": students,
        "memory": memory(hub),
        "taken": (idle - psutil.virtual_memory().available) / 2**20,
    }


def report(measured: dict, alone: list[float] | None) -> dict[str, object]:
    """The figures of one class, for the table."""
    students = measured["students"]
    well = [student for student in students if not student.failure]
    ratios = [
        seconds / reference
        for student in well
        for seconds, reference in zip(student.cells, alone or student.cells, strict=True)
    ]

    def median(values: list[float]) -> float:
        return statistics.median(values) if values else float("nan")

    def middle(kind: str, place: int) -> float:
        return median([pair[place] for pair in measured["memory"][kind]] or [0.0])

    return {
        "students": len(students),
        "failed": len(students) - len(well),
        "login_s": round(median([student.seconds["login"] for student in well]), 2),
        "start_median_s": round(median([student.seconds["start"] for student in well]), 1),
        "start_slowest_s": round(max([student.seconds["start"] for student in well], default=float("nan")), 1),
        "open_median_s": round(median([student.seconds["open"] for student in well]), 1),
        "cells_s": round(median([sum(student.cells) for student in well]), 2),
        "median_cell_ratio": round(median(ratios), 2),
        "slowest_cell_s": round(max([max(student.cells) for student in well], default=float("nan")), 1),
        "server_pss_mb": round(middle("server", 0)),
        "kernel_pss_mb": round(middle("kernel", 0)),
        "kernel_rss_mb": round(middle("kernel", 1)),
        "hub_pss_mb": round(sum(pair[0] for pair in measured["memory"]["hub"])),
        "taken_a_student_mb": round(measured["taken"] / len(students)),
        "first_failure": next((student.failure for student in students if student.failure), ""),
    }


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns 1 if a student saw something fail or could read what is not theirs."""
    parser = argparse.ArgumentParser(prog="rehearse.py", description=__doc__.split("\n")[0])
    parser.add_argument("sizes", type=int, nargs="+", help="students in each class")
    parser.add_argument("--lesson", default="01")
    parser.add_argument("--cells", type=int, default=10, help="code cells that each student runs")
    parser.add_argument("--pause", type=float, default=10.0, help="seconds that a student reads between cells, mean")
    parser.add_argument("--accounts", action="store_true", help="real accounts, made and removed; needs root")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args(arguments)
    if min(options.sizes) < 1:
        parser.error(f"sizes must be at least 1, got {min(options.sizes)}")
    notebook, cells = first_cells(options.lesson, options.cells)
    for number in (signal.SIGINT, signal.SIGTERM):  # also in the background: accounts are removed whatever happens
        signal.signal(number, signal.default_int_handler)
    scratch = Path(tempfile.mkdtemp(prefix="tinyfrontier-room-"))
    count = max(max(options.sizes), 2 if options.accounts else 1)
    names = [f"tf-rehearsal-{number:02}" for number in range(count)]
    rows, kept, alone = [], {}, None
    try:
        with real_class(names if options.accounts else []) as people, Hub(scratch, options.accounts) as hub:
            people = people or [(name, hub.password) for name in names]
            print(f"The hub started in {hub.seconds:.1f} s; {psutil.cpu_count()} cores, "
                  f"{psutil.virtual_memory().total / 2**30:.0f} GiB, lesson {options.lesson}, "
                  f"first {len(cells)} code cells, {options.pause:g} s of reading before each.")  # fmt: skip
            for size in options.sizes:
                measured = rehearse(hub, people[:size], notebook, cells, options.pause)
                students = measured["students"]
                if alone is None and size == 1 and not students[0].failure:
                    students[0].leave()
                    time.sleep(2)
                    measured = rehearse(hub, people[:1], notebook, cells, options.pause)  # now the disk is warm
                    students = measured["students"]
                    alone = students[0].cells or None
                rows.append(report(measured, alone))
                print(json.dumps(rows[-1]), flush=True)
                if options.accounts and not kept and size > 1 and not (students[0].failure or students[1].failure):
                    kept = secrets_kept(students[0], students[1], notebook)
                    print(json.dumps(kept), flush=True)
                with ThreadPoolExecutor(8) as room:
                    list(room.map(Student.leave, students))
                time.sleep(3)
            if rows and any(row["failed"] for row in rows):
                print(hub.tail())
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "kept": kept}, indent=1) + "\n", encoding="utf-8")
    return int(any(row["failed"] for row in rows) or not all(kept.values()))


if __name__ == "__main__":
    sys.exit(main())
