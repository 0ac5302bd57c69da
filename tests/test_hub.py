"""A room for forty: the student's folder, limits, accounts, and a hub that made-up students really use."""

import importlib.util
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
import requests
import yaml

from tinyfrontier.authoring.lessons import ROOT

HUB = ROOT / "hub"
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the hub needs Linux")


def beside(name: str):
    """A module of the hub's folder, which is no package."""
    spec = importlib.util.spec_from_file_location(f"hub_{name}", HUB / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def start():
    """What starts a student's server."""
    return beside("start")


@pytest.fixture(scope="module")
def accounts():
    """What makes the system's accounts."""
    return beside("accounts")


def is_alive(process) -> bool:
    """Whether a process still runs; one that has ended and waits for its parent to notice does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def scratch():
    """A folder with a short name: sockets of kernels have to fit into it."""
    with tempfile.TemporaryDirectory(prefix="room-") as folder:
        yield Path(folder)


@pytest.fixture
def course(tmp_path):
    """A course in miniature."""
    folder = tmp_path / "course"
    for name in ("lessons", "notebooks", "my_work", "site", ".git"):
        (folder / name).mkdir(parents=True)
    (folder / "README.md").write_text("read me", encoding="utf-8")
    return folder


def test_a_students_folder_links_the_course_and_owns_the_rest(start, course, tmp_path):
    """Everything public is a link; my_work, site and hidden files of the course's keeper are not the student's."""
    folder = start.make_folder(tmp_path, course)
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "lessons", "notebooks"]
    assert all(path.is_symlink() for path in folder.iterdir())
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_students_folder_follows_the_course_and_keeps_what_is_theirs(start, course, tmp_path):
    """On the next day new files appear, dead links go, and a student's own file of a course's name stays."""
    folder = start.make_folder(tmp_path, course)
    (folder / "notes.md").write_text("mine", encoding="utf-8")
    (folder / "README.md").unlink()
    (folder / "README.md").write_text("mine, too", encoding="utf-8")
    (course / "lessons").rmdir()
    (course / "workshops").mkdir()
    start.make_folder(tmp_path, course)
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "notebooks", "notes.md", "workshops"]
    assert (folder / "README.md").read_text(encoding="utf-8") == "mine, too"


def test_sockets_get_a_private_folder_with_a_short_name(start, scratch):
    """In the student's home, or outside it where the home's own name is long: Linux allows 107 characters."""
    for home in (scratch, scratch / ("long" * 20)):
        folder = start.runtime_of(home)
        assert len(f"{folder}/kernel-01234567-0123-0123-0123-0123456789ab-ipc-5") <= 107
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder.parent == scratch) == (home == scratch)
        folder.rmdir()


@pytest.mark.parametrize("given", ["1.5G", "-1", "0", "lots"])
def test_a_wrong_limit_is_named(start, given):
    """The limit is what the spawner says, in bytes; anything else is told and not guessed."""
    with pytest.raises(ValueError, match="MEM_LIMIT must be a whole number of bytes"):
        start.limit_memory(given)


def test_too_much_memory_is_an_error_in_the_cell_that_asked():
    """Under the limit a process gets what it needs; beyond it there is a MemoryError, and the process goes on."""
    code = f"""
import sys
sys.path.insert(0, {str(HUB)!r})
import start
assert start.limit_memory("") is None
start.limit_memory(str(300 * 2**20))
small = bytearray(100 * 2**20)
try:
    bytearray(400 * 2**20)
except MemoryError:
    print("refused, and alive")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "refused, and alive\n", done.stderr


def test_the_limit_is_of_this_process_only_by_its_own_wish():
    """The tests' own process was not limited by what the others tried."""
    assert resource.getrlimit(resource.RLIMIT_DATA)[1] == resource.RLIM_INFINITY


def test_a_closed_folder_on_the_way_is_named(start, tmp_path):
    """A course or a Python in somebody's private folder cannot be used by others, and the folder is told."""
    inner = tmp_path / "private" / "course"
    inner.mkdir(parents=True)
    (inner / "file").write_text("x", encoding="utf-8")
    for path in (inner, inner.parent):
        path.chmod(0o755)
    (inner / "file").chmod(0o644)
    before = start.closed_to_students(inner / "file")
    (inner / "file").chmod(0o600)
    inner.parent.chmod(0o700)
    (tmp_path / "link").symlink_to(inner / "file")
    assert start.closed_to_students(tmp_path / "link") == [*before, inner.parent.resolve(), (inner / "file").resolve()]


def test_a_class_list_is_read(accounts):
    """One name a line; teachers are marked; comments and empty lines do not count."""
    found = accounts.read_class("# spring\n\nanna\nlin-2\nmaria teacher\n")
    assert found == {"anna": "tinyfrontier", "lin-2": "tinyfrontier", "maria": "tinyfrontier-teachers"}


@pytest.mark.parametrize("text", ["Anna", "anna berg", "anna;reboot", "-rf", "../x", "anna\nanna", "", "a" * 40])
def test_a_class_list_with_a_fault_is_refused(accounts, text):
    """What is no name of an account never reaches the system's tools."""
    with pytest.raises(ValueError, match=r"line|at least one name"):
        accounts.read_class(text)


def test_nobody_outside_the_class_is_let_in(accounts, monkeypatch):
    """A list that names an account of the system, say root, changes nothing at all."""
    monkeypatch.setattr(accounts, "run", lambda *command, **given: pytest.fail(f"ran {command}"))
    with pytest.raises(ValueError, match="root"):
        list(accounts.make({"root": accounts.STUDENTS, "nobody-of-this-name": accounts.STUDENTS}))


def test_slips_are_private_and_written_one_by_one(accounts, tmp_path):
    """Passwords of accounts that were made are on paper also when a later one failed, and only for their owner."""

    def made():
        yield "anna", "secret"
        raise OSError("useradd: full")

    path = tmp_path / "slips.csv"
    with pytest.raises(OSError, match="full"):
        accounts.write_slips(path, made())
    assert path.read_text(encoding="utf-8").split() == ["name,password", "anna,secret"]
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        accounts.write_slips(path, [])


def test_passwords_differ_and_can_be_read_on_paper(accounts):
    """No two alike, no letter that looks like another."""
    drawn = {accounts.password() for _ in range(200)}
    assert len(drawn) == 200
    assert not set("".join(drawn)) & set("ilo01")


def test_both_hubs_promise_the_same():
    """One server and Kubernetes: the same memory, cores, idle time, environment and start."""
    values = yaml.safe_load((HUB / "values.yaml").read_text(encoding="utf-8"))
    config = (HUB / "jupyterhub_config.py").read_text(encoding="utf-8")
    user = values["singleuser"]
    assert f'"TINYFRONTIER_HUB_MEMORY", "{user["memory"]["limit"]}"' in config
    assert f"c.Spawner.cpu_limit = {float(user['cpu']['limit'])}" in config
    assert f'"TINYFRONTIER_HUB_IDLE", "{values["cull"]["timeout"]}"' in config
    assert f'"--cull-every={values["cull"]["every"]}"' in config
    assert all(f'"{name}": "{value}"' in config for name, value in user["extraEnv"].items())
    assert user["cmd"][1].endswith("hub/start.py")


def test_the_image_holds_what_the_values_file_starts():
    """The paths in the values file are those of the image, and students are nobody special in it."""
    values = yaml.safe_load((HUB / "values.yaml").read_text(encoding="utf-8"))
    image = (HUB / "Containerfile").read_text(encoding="utf-8")
    assert all(part in image for part in values["singleuser"]["cmd"])
    assert f"useradd --create-home --uid 1000 {Path(values['singleuser']['storage']['homeMountPath']).name}" in image
    assert image.index("COPY . ") < image.index("USER 1000") < image.index("CMD ")


@pytest.mark.slow
def test_forty_requests_pass_the_proxy_side_by_side(tmp_path):
    """A server that answers nobody before forty have asked answers all forty."""
    pytest.importorskip("configurable_http_proxy")
    everybody, free = threading.Barrier(40, timeout=120), beside("rehearse").free_port

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            everybody.wait()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"all here")

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = free()
        proxy = psutil.Popen(
            [sys.executable, str(HUB / "proxy.py"), "--ip=127.0.0.1", f"--port={port}", f"--api-port={free()}",
             f"--default-target=http://127.0.0.1:{server.server_port}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

        def ask(_: int) -> str:
            while True:
                try:
                    return requests.get(f"http://127.0.0.1:{port}/", timeout=120).text
                except requests.ConnectionError:  # it does not listen yet
                    assert proxy.poll() is None
                    time.sleep(0.2)

        try:
            with ThreadPoolExecutor(40) as room:
                assert set(room.map(ask, range(40))) == {"all here"}
        finally:
            proxy.kill()
            proxy.wait()
            server.shutdown()


@pytest.mark.slow
def test_a_made_up_student_logs_in_and_works(scratch):
    """The whole way: hub, login by the form, server, own copy of lesson 01, its first cells; then the hub is gone."""
    pytest.importorskip("jupyterhub")
    rehearse = beside("rehearse")
    notebook, cells = rehearse.first_cells("01", 3)
    with rehearse.Hub(scratch, accounts=False) as hub:
        measured = rehearse.rehearse(hub, [("anna", hub.password), ("lin", hub.password)], notebook, cells, 0.0)
        anna, lin = measured["students"]
        assert (anna.failure, lin.failure) == ("", "")
        assert len(anna.cells) == 3
        home = scratch / "home" / "anna" / "tiny-frontier"
        said = anna.run(
            "import os, resource\n"
            "print(os.getcwd(), os.environ['TINYFRONTIER_PROGRESS'], os.environ['OMP_NUM_THREADS'], "
            "resource.getrlimit(resource.RLIMIT_DATA)[0])"
        ).split()
        assert said == [str(home / "my_work"), str(home / ".progress.json"), "1", str(1536 * 2**20)]
        assert (home / "my_work" / notebook).stat().st_mode & 0o077 == 0
        assert (home / "lessons").is_symlink()
        assert anna.ask("GET", "/user/anna/").url.endswith("/user/anna/lab/tree/my_work/00_start_here.ipynb")
        with pytest.raises(rehearse.Failed, match=r"40[34]"):
            anna.ask("GET", "/user/lin/api/contents")
        figures = rehearse.report(measured, None)
        assert figures["failed"] == 0
        assert figures["kernel_pss_mb"] > 50 or not os.path.exists("/proc/self/smaps_rollup")
        below = hub.process.children(recursive=True)
    assert not [process for process in below if is_alive(process)]


@pytest.mark.slow
def test_a_wrong_password_is_refused(scratch):
    """Who does not know the password gets no token."""
    pytest.importorskip("jupyterhub")
    rehearse = beside("rehearse")
    with rehearse.Hub(scratch, accounts=False) as hub:
        with pytest.raises(rehearse.Failed, match="login of anna"):
            rehearse.Student(hub.address, "anna", "guess").log_in()
