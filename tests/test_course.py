"""The launcher's behaviour, on folders of its own and without a network. Needs the standard library and pytest."""

import ast
import errno
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest

LAUNCHER = Path(__file__).parents[1] / "course.py"
UNREACHABLE = "http://127.0.0.1:9/simple"  # the discard port: refused at once


def load_launcher():
    spec = importlib.util.spec_from_file_location("course", LAUNCHER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def tested_versions(monkeypatch):
    """The launcher under test installs what every student gets, also where the tests run with other versions."""
    monkeypatch.delenv("TINYFRONTIER_VERSIONS", raising=False)


@pytest.fixture
def course():
    return load_launcher()


@pytest.fixture
def folder(tmp_path):
    """A course with the three files that the launcher reads."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "tinyfrontier"\ndependencies = ["torch"]\n')
    (tmp_path / "constraints.txt").write_text("numpy==2.4.6\ntorch==2.13.0\n")
    return tmp_path


class Machine:
    """A machine in memory: installers note what they were asked for, and succeed or fail as a test wants."""

    def __init__(self, course, folder, monkeypatch):
        self.course, self.folder = course, folder
        self.steps, self.failing, self.installed, self.uv, self.pip = [], {}, set(), None, True
        monkeypatch.setattr(course.Environment, "step", self.step)
        monkeypatch.setattr(course.Environment, "probe", self.probe)
        monkeypatch.setattr(course.shutil, "which", lambda name: self.uv if name == "uv" else None)
        monkeypatch.setattr(course.sys, "platform", "linux")

    @property
    def environment(self):
        return self.course.Environment(self.folder)

    @property
    def labels(self):
        return [label for label, _ in self.steps]

    def step(self, label, command, quiet=False, **variables):
        self.steps.append((label, command))
        answer = self.failing.get(label, "")
        if isinstance(answer, BaseException):
            raise answer
        if answer:
            return 1, answer
        environment = self.environment
        if label.startswith("environment"):
            environment.python.parent.mkdir(parents=True)
            environment.python.touch()
            self.installed, self.pip = set(), True
        elif label.startswith("PyTorch"):
            self.installed.add("torch")
        elif label.startswith("packages"):
            self.installed |= {"torch", "tinyfrontier"}
            self.installed |= {"pytest"} if "[test]" in " ".join(command) else set()
        return 0, ""

    def probe(self, extras=()):
        if not self.environment.python.exists():
            return None
        wanted = {"torch", "tinyfrontier"} | ({"pytest"} if "test" in extras else set())
        torch = "2.13.0+cpu" if "torch" in self.installed else None
        missing = sorted(wanted - self.installed)
        return {"python": [3, 11, 7], "pip": self.pip, "torch": torch, "missing": missing}


@pytest.fixture
def machine(course, folder, monkeypatch):
    return Machine(course, folder, monkeypatch)


# ---------------------------------------------------------------------------------------------------- Python's age


def test_an_old_python_can_parse_the_launcher():
    """Python 3.8 parses the file, so that it reaches the sentence about its age."""
    ast.parse(LAUNCHER.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_an_old_python_is_told_what_is_needed(course, monkeypatch, capsys):
    """A too old Python ends with exit code 1 and one sentence that names both versions."""
    Version = namedtuple("Version", "major minor micro releaselevel serial")
    monkeypatch.setattr(course.sys, "version_info", Version(3, 8, 18, "final", 0))
    assert course.main(["lab"]) == 1
    message = capsys.readouterr().err
    assert "needs Python 3.11 or newer, and this is Python 3.8" in message
    assert message.count("\n") == 1


def test_only_the_standard_library_is_imported():
    """The launcher starts where nothing is installed."""
    tree = ast.parse(LAUNCHER.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names - set(sys.stdlib_module_names) == set()


def test_no_command_goes_through_a_shell():
    """Nothing is started with shell=True or os.system."""
    text = LAUNCHER.read_text(encoding="utf-8")
    assert "shell=" not in text
    assert "os.system" not in text


# ---------------------------------------------------------------------------------------------------- installing


def test_the_first_start_installs_torch_alone_before_the_rest(machine):
    """The order is environment, PyTorch without its dependencies, packages under the constraints."""
    machine.environment.ensure()
    assert machine.labels == ["environment", "PyTorch, from this machine's own wheels", "packages, by pip"]
    torch, packages = machine.steps[1][1], machine.steps[2][1]
    assert torch[-3:] == ["--no-index", "--no-deps", "torch==2.13.0"]
    assert packages[-4:] == ["-e", ".", "-c", "constraints.txt"]
    assert machine.environment.diagnosis() == ("ready", "")


@pytest.mark.parametrize(
    ("versions", "lines"), [("oldest", ["furo==2025.12.19", "numpy==2.1", "torch==2.10"]), ("newest", [])]
)
def test_other_versions_get_an_environment_of_their_own(machine, monkeypatch, versions, lines):
    """Maintainers try the bounds of the ranges beside .venv, which stays as it is; kits' wheels are the tested ones."""
    (machine.folder / "pyproject.toml").write_text(
        '[project]\nname = "tinyfrontier"\ndependencies = ["torch>=2.10,<3", "numpy>=2.1,<3"]\n'
        '[project.optional-dependencies]\nsite = ["furo>=2025.12.19", "numpy>=2.1,<3"]\n'
    )
    (machine.folder / "wheels").mkdir()
    monkeypatch.setenv("TINYFRONTIER_VERSIONS", versions)
    machine.environment.ensure()
    chosen = machine.folder / f".venv-{versions}"
    assert machine.steps[-1][1][-2:] == ["-c", str(chosen / "constraints.txt")]
    assert (chosen / "constraints.txt").read_text().split() == lines
    assert not (machine.folder / ".venv").exists()
    assert machine.environment.diagnosis()[0] == "ready"
    monkeypatch.delenv("TINYFRONTIER_VERSIONS")
    assert machine.environment.diagnosis()[0] == "anew"


def test_versions_that_do_not_exist_are_named(course, folder, monkeypatch):
    """A typing error is told before anything is installed."""
    monkeypatch.setenv("TINYFRONTIER_VERSIONS", "old")
    with pytest.raises(course.Stop, match="TINYFRONTIER_VERSIONS must be tested, oldest, newest, got old"):
        course.Environment(folder)


def test_a_kit_installs_from_its_own_wheels(machine):
    """Where the folder wheels/ lies beside the launcher, all comes from it, PyTorch too, and no index is asked."""
    (machine.folder / "wheels").mkdir()
    machine.environment.ensure()
    assert machine.labels == ["environment", "packages, from wheels/"]
    words = machine.steps[1][1]
    assert words[-7:] == ["--no-index", "-f", "wheels", "-e", ".", "-c", "constraints.txt"]
    assert machine.environment.diagnosis() == ("ready", "")


def test_a_kit_for_another_python_says_so_and_tries_the_network(machine, capsys):
    """Wheels that do not fit are told with what they serve; then the ordinary way is gone."""
    (machine.folder / "wheels").mkdir()
    about = {"platforms": ["Windows"], "pythons": ["3.12"]}
    (machine.folder / "wheels/about.json").write_text(json.dumps(about))
    machine.failing["packages, from wheels/"] = "No matching distribution found"
    machine.environment.ensure()
    assert machine.labels[-1] == "packages, by pip"
    assert "wheels/ serves Python 3.12 on Windows, this is 3.11; trying the network." in capsys.readouterr().out


def test_a_second_start_installs_nothing(machine):
    """Once finished, the environment is used as it is."""
    machine.environment.ensure()
    machine.steps.clear()
    machine.environment.ensure()
    assert machine.steps == []


def test_the_test_tools_are_added_once_and_kept(machine):
    """`test` after `lab` adds the test extra, and a later change of the lists does not lose it."""
    machine.environment.ensure()
    machine.environment.ensure(["test"])
    assert ".[test]" in machine.steps[-1][1]
    (machine.folder / "constraints.txt").write_text("torch==2.14.0\n")
    machine.environment.ensure()
    assert ".[test]" in machine.steps[-1][1]


def test_a_changed_list_of_packages_is_installed(machine):
    """A new dependency or constraint leads to an installation; a new lint rule does not."""
    machine.environment.ensure()
    machine.steps.clear()
    project = machine.folder / "pyproject.toml"
    project.write_text(project.read_text() + "[tool.ruff]\nline-length = 99\n")
    machine.environment.ensure()
    assert machine.steps == []
    project.write_text(project.read_text().replace('["torch"]', '["torch", "scipy"]'))
    machine.environment.ensure()
    assert machine.labels == ["packages, by pip"]


def test_a_package_that_somebody_removed_comes_back(machine, capsys):
    """The stamp alone is not believed: a missing package is named and installed."""
    machine.environment.ensure()
    machine.installed.discard("tinyfrontier")
    machine.environment.ensure()
    assert "Missing from .venv: tinyfrontier" in capsys.readouterr().out
    assert machine.environment.diagnosis()[0] == "ready"


@pytest.mark.parametrize("where", ["environment", "PyTorch, from this machine's own wheels", "packages, by pip"])
def test_after_an_interruption_everything_is_made_anew(machine, where, capsys):
    """Whatever step was interrupted, the next start leaves nothing half-written, and again the small PyTorch."""
    machine.failing[where] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        machine.environment.ensure(["test"])
    half = machine.environment.folder / "lib/python3.11/site-packages/numpy-2.4.6.dist-info"
    half.mkdir(parents=True)
    machine.environment.python.parent.mkdir(parents=True, exist_ok=True)
    machine.environment.python.touch()
    machine.failing.clear()
    machine.steps.clear()
    capsys.readouterr()
    machine.environment.ensure()
    assert "was not finished: making .venv anew" in capsys.readouterr().out
    assert machine.labels == ["environment", "PyTorch, from this machine's own wheels", "packages, by pip"]
    assert not half.exists()
    assert machine.environment.diagnosis(["test"]) == ("ready", "")


def test_a_failed_addition_leaves_what_worked(machine):
    """`test` without a network fails with its sentence, and `lab` still starts."""
    machine.environment.ensure()
    machine.failing["packages, by pip"] = "Temporary failure in name resolution"
    with pytest.raises(machine.course.Stop, match="connect to the internet"):
        machine.environment.ensure(["test"])
    machine.steps.clear()
    machine.environment.ensure()
    assert machine.steps == []
    machine.failing.clear()
    machine.environment.ensure(["test"])
    assert machine.labels == ["packages, by pip"]


def test_a_new_torch_is_fetched_small_too(machine):
    """When the tested PyTorch moves on, the new one is fetched alone first, as at the first start."""
    machine.environment.ensure()
    machine.steps.clear()
    (machine.folder / "constraints.txt").write_text("torch==2.14.0\n")
    machine.environment.ensure()
    assert machine.steps[0][1][-2:] == ["--no-deps", "torch==2.14.0"]


def test_an_incomplete_copy_of_the_course_is_told(machine):
    """Without one of the lists, the sentence names what is missing."""
    (machine.folder / "constraints.txt").unlink()
    with pytest.raises(machine.course.Stop, match=r"constraints\.txt is missing"):
        machine.environment.ensure()


def test_an_interrupted_removal_is_seen(machine, monkeypatch):
    """A .venv that lost half its files while it was being removed is not taken for a whole one."""
    machine.environment.ensure()
    machine.environment.write_stamp(root="elsewhere")

    def interrupt(folder, **options):
        machine.environment.stamp.unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(machine.course.shutil, "rmtree", interrupt)
    with pytest.raises(KeyboardInterrupt):
        machine.environment.ensure()
    assert machine.environment.diagnosis()[0] == "anew"


@pytest.mark.parametrize("damage", ["no python", "moved", "a file"])
def test_a_broken_environment_is_made_anew(machine, damage, capsys):
    """Without a Python that starts, after a move, or where .venv is no folder, .venv is rebuilt with one sentence."""
    environment = machine.environment
    environment.ensure()
    if damage == "no python":
        environment.python.unlink()
    elif damage == "moved":
        environment.write_stamp(**{**environment.read_stamp(), "root": str(machine.folder / "elsewhere")})
    else:
        environment.remove()
        environment.folder.write_text("")
    machine.installed.clear()
    machine.steps.clear()
    capsys.readouterr()
    environment.ensure()
    assert machine.labels[0] == "environment"
    assert "anew" in capsys.readouterr().out.splitlines()[0]
    assert environment.diagnosis()[0] == "ready"


def test_an_environment_made_by_hand_is_completed_and_not_removed(machine):
    """A .venv without the launcher's stamp gets what it lacks, also at a second try."""
    environment = machine.environment
    environment.python.parent.mkdir(parents=True)
    environment.python.touch()
    mine = environment.folder / "mine.txt"
    mine.touch()
    machine.failing["packages, by pip"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        environment.ensure()
    machine.failing.clear()
    environment.ensure()
    assert mine.exists()
    assert "environment" not in machine.labels
    assert environment.diagnosis()[0] == "ready"


def test_uv_is_preferred_and_pip_stands_behind_it(machine):
    """Where uv is present it installs; where it fails, pip does, because only pip reads pip's settings."""
    machine.uv = "/somewhere/uv"
    machine.failing["packages, by uv"] = "uv's mirror is away"
    machine.environment.ensure()
    assert machine.labels[-2:] == ["packages, by uv", "packages, by pip"]
    assert machine.steps[-2][1][:2] == ["/somewhere/uv", "pip"]


def test_uv_finds_the_cpu_build_where_no_local_wheel_is(machine):
    """The second attempt leaves it to uv where PyTorch's CPU build is kept."""
    machine.uv = "/somewhere/uv"
    machine.failing["PyTorch, from this machine's own wheels"] = "No matching distribution found"
    machine.environment.ensure()
    command = dict(machine.steps)["PyTorch, CPU build"]
    assert command[0] == "/somewhere/uv"
    assert command[-4:] == ["--no-deps", "--torch-backend", "cpu", "torch==2.13.0"]


@pytest.mark.parametrize("old", [False, True])
def test_uv_is_fetched_for_torch_where_there_is_none(machine, old):
    """Without uv, or with one too old for the option, pip puts one into a private folder for this one download."""
    machine.failing["PyTorch, from this machine's own wheels"] = "No matching distribution found"
    if old:
        machine.uv = "/somewhere/uv"
        machine.failing["PyTorch, CPU build"] = "error: unexpected argument '--torch-backend' found"
    machine.environment.ensure()
    fetched = machine.labels.index("uv, to find PyTorch's CPU build")
    assert machine.labels[fetched + 1 :] == ["PyTorch, CPU build", "packages, by uv" if old else "packages, by pip"]
    private = machine.steps[fetched + 1][1][0]
    assert Path(private).is_relative_to(machine.environment.folder)


def test_the_large_build_is_announced(machine, monkeypatch, capsys):
    """Where no CPU build can be had, the ordinary installation follows, after a warning about its size."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(machine.course.shutil, "disk_usage", lambda path: usage(0, 0, 50 * 10**9))
    machine.uv = "/somewhere/uv"
    machine.failing["PyTorch, from this machine's own wheels"] = "No matching distribution found"
    machine.failing["PyTorch, CPU build"] = "dns error"
    machine.environment.ensure()
    assert machine.labels[-1] == "packages, by uv"
    assert "a download of several GB" in capsys.readouterr().out


def test_other_systems_need_no_separate_torch(machine, monkeypatch):
    """On macOS and Windows the ordinary build is the CPU's, so nothing is fetched ahead."""
    monkeypatch.setattr(machine.course.sys, "platform", "darwin")
    machine.environment.ensure()
    assert machine.labels == ["environment", "packages, by pip"]


def test_an_environment_that_lost_pip_is_made_anew(machine):
    """Where neither pip nor uv can add what is missing, the environment starts over; with uv it does not."""
    machine.environment.ensure()
    machine.installed.clear()
    machine.pip = False
    assert machine.environment.diagnosis()[0] == "anew"
    machine.uv = "/somewhere/uv"
    assert machine.environment.diagnosis()[0] == "behind"
    machine.uv = None
    machine.steps.clear()
    machine.environment.ensure()
    assert machine.labels[0] == "environment"


def test_a_python_without_venv_is_told_the_package(machine):
    """Debian keeps venv in a package of its own; the sentence names it."""
    machine.failing["environment"] = "The virtual environment was not created: ensurepip is not available."
    with pytest.raises(machine.course.Stop, match="apt install python3-venv"):
        machine.environment.ensure()


# ---------------------------------------------------------------------------------------------------- what goes wrong


def test_no_network_becomes_one_sentence(course, folder, monkeypatch):
    """A page of retries against an index out of reach ends as one sentence; the log keeps everything."""
    monkeypatch.setenv("PIP_INDEX_URL", UNREACHABLE)
    monkeypatch.setenv("PIP_RETRIES", "1")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    environment = course.Environment(folder)
    environment.folder.mkdir()
    command = [sys.executable, "-m", "pip", "install", "--target", str(folder / "t"), "a-package-of-no-index"]
    code, output = environment.step("packages", command)
    assert code != 0
    assert "connect to the internet" in str(environment.failure("installing", output))
    assert output.splitlines()[-1] in environment.log.read_text()


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("error: failed to write to file `x`: There is not enough space on the disk. (os error 112)", "disk is full"),
        ("error: failed to create directory: Read-only file system (os error 30)", "cannot be written to"),
        ("error: client error (Connect): dns error: failed to lookup address information", "connect to the internet"),
        ("ERROR: No matching distribution found for torch==2.13.0", "Found no torch for Python 3."),
        ("Because torch==2.13.0 has no wheels with a matching platform tag", "Found no torch for Python 3."),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "certificate was refused"),
    ],
)
def test_known_causes_are_recognised(course, folder, output, advice):
    """Each cause that a learner can remove gets its own sentence, with what to do."""
    message = str(course.Environment(folder).failure("installing", output))
    assert advice in message
    assert "then start" in message


def test_an_unknown_cause_shows_the_last_lines(course, folder):
    """Where no cause is known, the installer's own last lines follow, with the place of the full log."""
    output = "\n".join(f"line {number}" for number in range(30))
    message = str(course.Environment(folder).failure("installing", output))
    assert "line 29" in message
    assert "line 3\n" not in message
    assert "install.log" in message


def test_a_full_disk_is_noticed_beforehand(machine, monkeypatch):
    """With too little space nothing is started, and the sentence says how much is needed."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(machine.course.shutil, "disk_usage", lambda path: usage(0, 0, 10**9))
    with pytest.raises(machine.course.Stop, match=r"1.0 GB where 3.0 GB are needed"):
        machine.environment.ensure()
    assert machine.steps == []


def test_a_disk_that_fills_up_meanwhile_is_no_traceback(machine):
    """A write of our own that fails for want of space becomes the same kind of sentence."""
    machine.failing["packages, by pip"] = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(machine.course.Stop, match="The disk is full"):
        machine.environment.ensure()


def test_a_read_only_folder_is_explained(machine, monkeypatch):
    """Where nothing can be written, the advice is to copy the course."""

    def refuse(*args, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(machine.course, "open", refuse, raising=False)
    with pytest.raises(machine.course.Stop, match="copy the course to a folder of your own"):
        machine.environment.ensure()


def test_a_finished_environment_is_used_in_a_read_only_folder(machine, monkeypatch):
    """Starting what is complete writes nothing."""
    machine.environment.ensure()
    before = sorted(machine.folder.rglob("*"))
    monkeypatch.setattr(machine.course.Environment, "lock", None)
    machine.environment.ensure()
    assert sorted(machine.folder.rglob("*")) == before


# ---------------------------------------------------------------------------------------------------- two at once


HOLDER = """
import importlib.util, pathlib, sys, time
spec = importlib.util.spec_from_file_location("course", sys.argv[1])
course = importlib.util.module_from_spec(spec)
spec.loader.exec_module(course)
environment = course.Environment(sys.argv[2])
with environment.lock():
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(folder):
    command = [sys.executable, "-c", HOLDER, str(LAUNCHER), str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_start_waits_for_the_first(course, folder, holder, monkeypatch, capsys):
    """Two starts do not write into .venv at once: the second says for whom it waits, then goes on."""
    naps = []

    def nap(seconds):
        naps.append(seconds)
        if len(naps) == 2:
            holder.communicate("\n")

    monkeypatch.setattr(course.time, "sleep", nap)
    with course.Environment(folder).lock():
        assert len(naps) >= 2
    assert f"Another start (process {holder.pid}) is installing" in capsys.readouterr().out


def test_a_lock_left_by_a_killed_start_is_free(course, folder, holder, monkeypatch):
    """A start that was killed leaves the lock's file behind, but not the lock."""
    holder.kill()
    holder.wait()
    assert (folder / ".venv.lock").exists()
    monkeypatch.setattr(course.time, "sleep", pytest.fail)
    with course.Environment(folder).lock():
        pass


@pytest.mark.skipif(os.name == "nt", reason="only POSIX hands locks on to child processes")
def test_an_installer_that_outlives_its_start_keeps_the_lock(course, folder):
    """Killing the launcher does not end pip; as long as pip writes, the next start waits."""
    install = 'environment.step("x", [sys.executable, "-c", "print(1); import time; time.sleep(60)"])'
    script = HOLDER.replace('print("held", flush=True)', "environment.folder.mkdir(); " + install)
    start = subprocess.Popen([sys.executable, "-c", script, str(LAUNCHER), str(folder)], stdin=subprocess.DEVNULL)
    log = folder / ".venv/install.log"
    wait_until(lambda: log.exists() and log.read_text().endswith("\n1\n"))
    children = Path(f"/proc/{start.pid}/task/{start.pid}/children")
    if not children.exists():
        start.kill()
        pytest.skip("this system does not list a process's children")
    orphan = int(children.read_text().split()[0])
    try:
        start.kill()
        start.wait()
        with open(folder / ".venv.lock") as lock:
            assert not course.take(lock)
    finally:
        os.kill(orphan, 9)
    with open(folder / ".venv.lock") as lock:
        wait_until(lambda: course.take(lock))


def wait_until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"what was waited for has not happened in {seconds} s")
        time.sleep(0.02)


# ---------------------------------------------------------------------------------------------------- .venv's Python


def test_the_probe_tells_what_a_real_environment_lacks(course, folder):
    """In an empty environment the probe finds a Python, no pip, no torch, and misses the course itself."""
    environment = course.Environment(folder)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment.folder)], check=True)
    found = environment.probe()
    assert found["python"] == list(sys.version_info[:3])
    assert (found["pip"], found["torch"], found["missing"]) == (False, None, ["tinyfrontier"])


def test_the_probe_reads_the_packages_own_list(course, folder):
    """Requirements and extras are looked up by the metadata of the installed course."""
    environment = course.Environment(folder)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment.folder)], check=True)
    site = next(environment.folder.glob("**/site-packages"))
    (site / "tinyfrontier-1.dist-info").mkdir()
    (site / "tinyfrontier-1.dist-info/METADATA").write_text(
        "Metadata-Version: 2.4\nName: tinyfrontier\nVersion: 1\nRequires-Dist: present<2\nRequires-Dist: away>=1\n"
        "Requires-Dist: tool; extra == 'test'\nRequires-Dist: other; sys_platform == 'nowhere'\n"
    )
    (site / "present-1.dist-info").mkdir()
    (site / "present-1.dist-info/METADATA").write_text("Metadata-Version: 2.4\nName: present\nVersion: 1\n")
    assert environment.probe()["missing"] == ["away"]
    assert environment.probe(["test"])["missing"] == ["away", "tool"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no shebang scripts")
@pytest.mark.parametrize("python", [None, "#!/nowhere/python\n", "#!/bin/sh\nexit 3\n", "#!/bin/sh\necho hello\n"])
def test_a_python_that_does_not_answer_counts_as_broken(course, folder, python):
    """A missing, dangling or damaged interpreter is found out by starting it."""
    environment = course.Environment(folder)
    environment.python.parent.mkdir(parents=True)
    if python is None:
        environment.python.symlink_to(folder / "gone")
    else:
        environment.python.write_text(python)
        environment.python.chmod(0o755)
    assert environment.probe() is None
    assert environment.diagnosis() == ("anew", "The Python in .venv does not start: making .venv anew.")


def test_what_would_change_the_course_stays_out(course, monkeypatch):
    """Variables that mix other packages into .venv or switch inline figures off do not reach it; the rest does."""
    for name in ("PYTHONPATH", "UV_SYSTEM_PYTHON", "MPLBACKEND"):
        monkeypatch.setenv(name, "agg")
    monkeypatch.setenv("HTTPS_PROXY", "proxy")
    environment = course.clean_environment(EXTRA="1")
    assert not {"PYTHONPATH", "UV_SYSTEM_PYTHON", "MPLBACKEND"} & set(environment)
    assert (environment["HTTPS_PROXY"], environment["EXTRA"]) == ("proxy", "1")


def test_jupyterlab_asks_for_no_news(machine):
    """The first start of JupyterLab neither fetches news nor asks whether it may."""
    machine.environment.ensure()
    settings = json.loads((machine.environment.folder / "share/jupyter/lab/settings/overrides.json").read_text())
    assert settings["@jupyterlab/apputils-extension:notification"] == {
        "fetchNews": "false",
        "checkForUpdates": False,
    }


# ---------------------------------------------------------------------------------------------------- commands


class Started(list):
    """Extras, then the command; `variables` holds what the command finds in its environment beside our own.

    `beside` holds what ran and came back, and `codes` what it answers: 0 where nothing is left.
    """

    def __init__(self):
        super().__init__()
        self.beside, self.codes = [], []

    def note_beside(self, environment, *command):
        self.beside.append(command)
        return self.codes.pop(0) if self.codes else 0

    def note(self, command, **variables):
        self.append(command)
        self.variables = variables
        return 0


@pytest.fixture
def started(course, monkeypatch):
    """What the launcher would become, noted instead of started; the environment counts as complete."""
    commands = Started()
    monkeypatch.setattr(course.Environment, "ensure", lambda self, extras=(): commands.append(list(extras)))
    monkeypatch.setattr(course, "replace_by", commands.note)
    monkeypatch.setattr(course, "run_beside", commands.note_beside)
    return commands


def test_lab_opens_the_start_page_and_passes_its_options_on(course, started, capsys):
    """Every option reaches JupyterLab unchanged, which stands on the course's folder."""
    assert course.main(["lab", "--no-browser", "--port", "9123"]) == 0
    command = started[-1]
    assert command[1:3] == ["-m", "jupyterlab"]
    assert command[-3:] == ["--no-browser", "--port", "9123"]
    assert f"--ServerApp.root_dir={LAUNCHER.parent}" in command
    assert "address" in capsys.readouterr().out


def test_lab_runs_kernels_on_one_thread_unless_told_otherwise(course, started, monkeypatch):
    """JupyterLab starts with one thread a kernel, and keeps the user's own number where there is one."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    assert course.main(["lab"]) == 0
    assert started.variables == {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "3"}


def test_lab_shows_the_start_page_unless_another_is_named(course, folder):
    """The student's start page opens where it exists, else the course's; a named notebook takes precedence."""
    environment = course.Environment(folder)
    assert not any("default_url" in word for word in course.lab_command(environment, []))
    for name in ("notebooks", "my_work"):
        (folder / name).mkdir()
        (folder / name / "00_start_here.ipynb").touch()
        assert f"--LabApp.default_url=/lab/tree/{name}/00_start_here.ipynb" in course.lab_command(environment, [])
    assert not any("default_url" in word for word in course.lab_command(environment, ["my_work/06_a.ipynb"]))


@pytest.mark.parametrize("code", [0, 1])
def test_lab_brings_the_copies_up_to_date_first(course, started, code, capsys):
    """The copies in my_work/ are made or merged before JupyterLab opens, which opens also where that failed."""
    started.codes = [code]
    assert course.main(["lab"]) == 0
    assert started.beside == [("-m", "tinyfrontier.authoring.my_work")]
    assert started[-1][1:3] == ["-m", "jupyterlab"]
    assert ("Not all notebooks" in capsys.readouterr().out) == bool(code)


def test_update_fetches_installs_and_merges(course, started, tmp_path):
    """The new edition comes first, then its packages, then the merge; a path is read from where the student stands."""
    assert course.main(["update"]) == 0
    assert started.beside == [("-m", "tinyfrontier.authoring.update")]
    assert started[:2] == [[], []]
    assert started[-1][1:] == ["-m", "tinyfrontier.authoring.my_work", "--say-all"]
    course.main(["update", os.path.relpath(tmp_path)])
    assert started.beside[-1][-1] == str(tmp_path)


def test_an_update_that_fails_merges_nothing(course, started):
    """Without a new edition there is nothing to do, and the exit code says so."""
    started.codes = [1]
    assert course.main(["update", "missing.zip"]) == 1
    assert started.beside == [("-m", "tinyfrontier.authoring.update", "missing.zip")]
    assert started == [[]]


def test_a_program_beside_runs_in_the_course_and_comes_back(course, folder):
    """It finds the course's folder and no foreign PYTHONPATH, and its exit code is handed on."""
    environment = course.Environment(folder)
    environment.python = Path(sys.executable)
    code = "import os, sys; sys.exit(7 if os.path.exists('constraints.txt') and 'PYTHONPATH' not in os.environ else 1)"
    assert course.run_beside(environment, "-c", code) == 7


@pytest.mark.parametrize(("option", "quiet"), [("--no-browser", True), ("--IdentityProvider.token=x", False)])
def test_the_address_is_always_shown(course, folder, monkeypatch, option, quiet):
    """JupyterLab's chatter is silenced only where its address is more than chatter."""
    monkeypatch.delenv("JUPYTER_TOKEN", raising=False)
    words = course.lab_command(course.Environment(folder), [option])
    assert ("--log-level=WARN" in words) == quiet


def test_the_users_own_jupyter_options_win(course, folder):
    """A folder or log level that the user names is not set twice."""
    words = course.lab_command(course.Environment(folder), ["--ServerApp.root_dir=/x", "--debug"])
    assert sum("root_dir" in word for word in words) == 1
    assert not any("log-level" in word for word in words)


@pytest.mark.parametrize(
    ("command", "extras", "start"),
    [
        ("test", ["hub", "site", "test"], ["-m", "tinyfrontier.authoring.proof"]),
        ("build", [], ["-m", "tinyfrontier.authoring.build"]),
        ("doctor", [], ["-m", "tinyfrontier.authoring.doctor"]),
        ("bench", [], ["benchmarks/run.py"]),
    ],
)
def test_other_commands_pass_their_arguments_through(course, started, command, extras, start):
    """They make the environment, `test` with its tools, then become the course's own program."""
    assert course.main([command, "--lesson", "06", "--", "-x"]) == 0
    assert started[0] == extras
    assert started[1][1:] == [*start, "--lesson", "06", "--", "-x"]


def test_the_tests_surroundings_are_set(course, started):
    """`test` runs on one thread, without progress bars and without a network."""
    course.main(["test"])
    assert started.variables == {"TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def test_grade_means_paths_from_where_it_was_called(course, started, monkeypatch, tmp_path):
    """The grader runs in the course's folder, so a relative folder and `--out` become full paths; options stay."""
    monkeypatch.chdir(tmp_path)
    course.main(["grade", "class", "--lesson", "06", "--out=x", "--out", "y"])
    here = str(tmp_path)
    wanted = [os.path.join(here, "class"), "--lesson", "06", "--out=" + os.path.join(here, "x")]
    assert started[-1][-6:] == [*wanted, "--out", os.path.join(here, "y")]


def test_site_means_its_folder_from_where_it_was_called(course, started, monkeypatch, tmp_path):
    """The site is written where `--out` says, seen from the caller's folder, by the tools that it needs."""
    monkeypatch.chdir(tmp_path)
    course.main(["site", "--with-solutions", "--out", "here"])
    assert started[0] == ["site"]
    assert started[-1][1:] == [
        "-m",
        "tinyfrontier.authoring.site",
        "--with-solutions",
        "--out",
        os.path.join(str(tmp_path), "here"),
    ]


def test_kit_means_its_folder_from_where_it_was_called(course, started, monkeypatch, tmp_path):
    """The folder becomes a full path; the values of options stay as they are."""
    monkeypatch.chdir(tmp_path)
    course.main(["kit", "stick", "--platform", "this", "windows", "--without-site", "--python", "3.12"])
    assert started[0] == ["site"]
    options = ["--platform", "this", "windows", "--without-site", "--python", "3.12"]
    assert started[-1][3:] == [os.path.join(str(tmp_path), "stick"), *options]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_without_a_command_the_table_is_shown(course, arguments, capsys):
    """Called alone, or for help, the launcher lists its commands and installs nothing."""
    assert course.main(arguments) == 0
    shown = capsys.readouterr().out
    assert all("course.py " + name in shown for name in course.COMMANDS)


def test_an_unknown_command_is_named(course, capsys):
    """A typing error gets the list of the commands that exist."""
    assert course.main(["lap"]) == 1
    assert (
        "no command lap; there are: lab, update, test, build, grade, site, kit, hub, doctor, bench"
        in capsys.readouterr().err
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot replace a process")
def test_the_launcher_becomes_the_command(course, monkeypatch):
    """On Linux and macOS the command takes the launcher's place, so signals and exit codes are its own."""
    became = []
    monkeypatch.setattr(course.os, "execve", lambda *arguments: became.append(arguments))
    monkeypatch.setattr(course.os, "chdir", became.append)
    monkeypatch.setattr(course.subprocess, "Popen", lambda *args, **kwargs: pytest.fail("started beside"))
    with pytest.raises(pytest.fail.Exception):
        course.replace_by(["python", "-c", "1"])
    assert became[0] == str(LAUNCHER.parent)
    assert became[1][:2] == ("python", ["python", "-c", "1"])


def test_on_windows_the_command_decides_what_ctrl_c_means(course, monkeypatch):
    """Where a process cannot be replaced, the launcher waits through Ctrl-C and hands the exit code on."""
    answers = [KeyboardInterrupt(), KeyboardInterrupt(), 5]

    def wait(self):
        answer = answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(course, "WINDOWS", True)
    monkeypatch.setattr(course.subprocess, "Popen", lambda *args, **kwargs: type("Process", (), {"wait": wait})())
    assert course.replace_by(["python"]) == 5


def test_ctrl_c_ends_quietly(course, started, monkeypatch, capsys):
    """Ctrl-C leaves one word and the usual exit code, no traceback."""

    def interrupt(*args, **variables):
        raise KeyboardInterrupt

    monkeypatch.setattr(course, "replace_by", interrupt)
    assert course.main(["lab"]) == 130
    assert capsys.readouterr().err.strip() == "Stopped."


def test_times_are_readable(course):
    """Seconds below a minute, minutes and seconds above."""
    assert [course.duration(seconds) for seconds in (0.24, 42, 75, 3600)] == [
        "0.2 s",
        "42.0 s",
        "1 min 15 s",
        "60 min 00 s",
    ]


# ---------------------------------------------------------------------------------------------------- any locale


NO_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

FAKE_PYTHON = """#!/bin/sh
case "$*" in
*"import json"*) echo '{"python": [3, 11, 7], "pip": true, "torch": "2.13.0+cpu", "missing": []}' ;;
*" pip "*) echo "using $PWD"; cat failure 2>/dev/null && exit 1 ;;
*) echo "now $* with UTF-8 mode $PYTHONUTF8 in $LC_ALL" ;;
esac
exit 0
"""

needs_scripts = pytest.mark.skipif(os.name == "nt", reason="Windows has no shebang scripts")
needs_letters = pytest.mark.skipif(
    sys.getfilesystemencoding() != "utf-8", reason="pytest itself was started in a locale that cannot name the folder"
)


@pytest.fixture
def far_folder(folder):
    """A copy of the launcher whose path has spaces and Chinese letters; .venv's Python is a script that notes."""
    far = folder / "我的 课程 copy"
    (far / ".venv/bin").mkdir(parents=True)
    for name in ("pyproject.toml", "constraints.txt"):
        (far / name).write_bytes((folder / name).read_bytes())
    (far / "course.py").write_bytes(LAUNCHER.read_bytes())
    python = far / ".venv/bin/python"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    return far


def launch(far, *arguments, **variables):
    """Run a copied launcher without uv; return exit code, output and errors as UTF-8 reads them."""
    environment = {**os.environ, "PATH": "/usr/bin:/bin", **variables}
    environment.pop("PYTHONIOENCODING", None)
    command = [sys.executable, str(far / "course.py"), *arguments]
    done = subprocess.run(command, capture_output=True, env=environment, cwd=far.parent)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@needs_scripts
@needs_letters
def test_an_installation_survives_a_locale_without_letters(far_folder):
    """In a C locale and a Chinese folder the launcher installs, logs the path as it is, and becomes the command."""
    code, shown, errors = launch(far_folder, "doctor", "深", **NO_LOCALE)
    assert (code, errors) == (0, "")
    assert "now -m tinyfrontier.authoring.doctor 深 with UTF-8 mode 1 in C.UTF-8" in shown
    log = (far_folder / ".venv/install.log").read_text(encoding="utf-8")
    assert f"$ {far_folder}/.venv/bin/python -m pip" in log
    assert f"using {far_folder}" in log


@needs_scripts
@needs_letters
@pytest.mark.parametrize("first", [{}, NO_LOCALE], ids=["UTF-8 first", "C first"])
def test_another_locale_is_no_other_place(far_folder, first):
    """What was installed under one locale is ready under the other: the course was not moved."""
    second = {} if first else NO_LOCALE
    assert launch(far_folder, "doctor", **{"LC_ALL": "C.UTF-8", **first})[0] == 0
    before = (far_folder / ".venv/tinyfrontier.json").read_bytes()
    code, shown, errors = launch(far_folder, "doctor", **{"LC_ALL": "C.UTF-8", **second})
    assert (code, errors) == (0, "")
    assert shown.startswith("now ")
    assert (far_folder / ".venv/tinyfrontier.json").read_bytes() == before


@needs_scripts
@needs_letters
@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        ("Permission denied: 某", "The folder {far} cannot be written to"),
        ("an unknown end: 某", "(all of them: {far}/.venv/install.log):\n    using {far}\n    an unknown end: 某"),
    ],
)
def test_a_failure_is_told_in_any_locale(far_folder, failure, sentence):
    """A sentence that names the folder, or lines of an installer that do, appear legibly and without a traceback."""
    (far_folder / "failure").write_text(failure + "\n", encoding="utf-8")
    code, _, errors = launch(far_folder, "doctor", **NO_LOCALE)
    assert code == 1
    assert sentence.format(far=far_folder) in errors
    assert "Traceback" not in errors


@needs_scripts
@needs_letters
def test_a_terminal_that_lacks_letters_gets_escapes(far_folder):
    """An encoding without Chinese letters shows their numbers instead of a traceback."""
    (far_folder / "failure").write_text("Permission denied\n")
    environment = {**os.environ, "PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "latin-1", "LC_ALL": "C.UTF-8"}
    command = [sys.executable, str(far_folder / "course.py"), "doctor"]
    errors = subprocess.run(command, capture_output=True, env=environment).stderr.decode("latin-1")
    assert "\\u6211\\u7684 \\u8bfe\\u7a0b copy cannot be written to" in errors
    assert "Traceback" not in errors


@needs_scripts
@needs_letters
def test_an_unprintable_folder_is_no_traceback(far_folder):
    """A folder name that is no text in any encoding is survived too, on file systems that allow one."""
    try:
        odd = far_folder.rename(os.fsdecode(os.fsencode(far_folder) + b"\xff"))
    except OSError:
        pytest.skip("this file system only takes names that are text")
    (odd / "failure").write_text("an unknown end\n")
    environment = {**os.environ, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([sys.executable, str(odd / "course.py"), "doctor"], capture_output=True, env=environment)
    assert b"an unknown end" in done.stderr
    assert b"Traceback" not in done.stderr
    (odd / "failure").unlink()
    assert subprocess.run([sys.executable, str(odd / "course.py"), "doctor"], env=environment).returncode == 0
    assert json.loads((odd / ".venv/tinyfrontier.json").read_text())["fingerprint"]


@needs_letters
def test_a_locale_does_not_hide_the_sources(course, folder, monkeypatch):
    """A Python whose course lies in a Chinese folder starts and finds src/ there, where the locale is C."""
    environment = course.Environment(folder / "课 程")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment.folder)], check=True)
    site = next(environment.folder.glob("**/site-packages"))
    (site / "_editable_impl_tinyfrontier.pth").write_text(f"{folder}/课 程/src\n", encoding="utf-8")
    (folder / "课 程/src").mkdir()
    environment.find_sources_by_ascii()
    for name, value in NO_LOCALE.items():
        monkeypatch.setenv(name, value)
    assert environment.probe()["missing"] == ["tinyfrontier"]
    command = [str(environment.python), "-c", "import os, sys; sys.stdout.buffer.write(os.fsencode(sys.path[-1]))"]
    assert subprocess.run(command, capture_output=True, check=True).stdout.decode() == f"{folder}/课 程/src"
