#!/usr/bin/env python3
"""Tiny Frontier's one way in: makes the course's environment on first use, then runs what you ask for.

    python3 course.py lab      opens JupyterLab at the start page; all further options go to JupyterLab
    python3 course.py test     runs every test; --quick leaves the notebooks out, --lesson 06 runs one
                               lesson, what follows -- goes to pytest
    python3 course.py build    derives notebooks/ and solutions/ from lessons/; 06 builds one lesson,
                               --check only compares, --force builds what has not changed too
    python3 course.py doctor   checks versions, cores, memory, a short training run, and that nothing
                               needs a network
    python3 course.py bench    prints the benchmarks' table

Only Python's standard library is used here, and only grammar that Python 3.8 can parse: this file has to
start where nothing is installed yet, and has to tell an old Python what is missing.
"""

import errno
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OLDEST_PYTHON = (3, 11)
WINDOWS = os.name == "nt"
START_PAGE = "notebooks/00_start_here.ipynb"
GB = 10**9
DISK_NEEDED = 3 * GB  # the environment takes 2 GB with PyTorch's CPU build; the rest is for the downloads
DISK_NEEDED_FOR_CUDA = 11 * GB  # the standard Linux build brings 6 GB with it, unpacked beside its downloads
STEP = "  {:<45} {:>12}"
LONGEST_WAIT = 45 * 60  # seconds that a second start waits for the first one's installation

# Runs inside .venv: is what the package asks for there? Reads metadata only, so it takes a tenth of a second.
PROBE = r"""
import json, re, sys
from importlib import metadata, util
extras, missing, torch = sys.argv[1:], [], None
try:
    requirements = metadata.requires("tinyfrontier") or []
except metadata.PackageNotFoundError:
    requirements, missing = [], ["tinyfrontier"]
for requirement in requirements:
    extra = re.search(r"extra == .(\w+)", requirement)
    if (extra and extra.group(1) not in extras) or (";" in requirement and not extra):
        continue
    name = re.match(r"[\w.-]+", requirement).group()
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        missing.append(name)
try:
    torch = metadata.version("torch")
except metadata.PackageNotFoundError:
    pass
print(json.dumps({"python": list(sys.version_info[:3]), "pip": util.find_spec("pip") is not None,
                  "torch": torch, "missing": missing}))
"""


class Stop(Exception):
    """Something that the person at the keyboard can put right; its message says how."""


def say(text=""):
    print(text, flush=True)


def duration(seconds):
    """`75.4` -> `1 min 15 s`."""
    whole = round(seconds)
    return "{} min {:02d} s".format(*divmod(whole, 60)) if whole >= 60 else "{:.1f} s".format(seconds)


# ------------------------------------------------------------------------------------------- the environment


class Environment:
    """The folder .venv: in what state it is, and how it becomes complete."""

    def __init__(self, root=ROOT):
        self.root = Path(root)
        self.folder = self.root / ".venv"
        self.python = self.folder / ("Scripts/python.exe" if WINDOWS else "bin/python")
        self.stamp = self.folder / "tinyfrontier.json"
        self.log = self.folder / "install.log"
        self.lock_file = None

    # -- state

    def fingerprint(self):
        """Change when, and only when, something else would have to be installed."""
        import tomllib  # newer than the oldest Python that must be able to read this file

        project = tomllib.loads((self.root / "pyproject.toml").read_text(encoding="utf-8"))
        lists = json.dumps([project.get("build-system"), project["project"]], sort_keys=True)
        constraints = (self.root / "constraints.txt").read_text(encoding="utf-8")
        return hashlib.sha256((lists + constraints).encode()).hexdigest()

    def read_stamp(self):
        try:
            stamp = json.loads(self.stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def write_stamp(self, **content):
        beside = self.stamp.with_suffix(".new")
        beside.write_text(json.dumps(content, indent=1), encoding="utf-8")
        os.replace(str(beside), str(self.stamp))

    def probe(self, extras=()):
        """Ask .venv's own Python what is installed; None when it does not start."""
        try:
            answer = subprocess.run(
                [str(self.python), "-I", "-c", PROBE, *extras],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                timeout=120,
                env=clean_environment(),
            )
            found = json.loads(answer.stdout.decode())
        except (OSError, ValueError):
            return None
        except subprocess.TimeoutExpired:
            raise Stop("The Python in .venv takes minutes to start: wait until the machine is less busy.") from None
        return found if tuple(found["python"]) >= OLDEST_PYTHON else None

    def diagnosis(self, extras=()):
        """Return (state, sentence): ready, absent, broken (make it anew), or incomplete (repair it)."""
        if not os.path.lexists(str(self.folder)):
            return (
                "absent",
                "First start: making .venv and installing the packages. This takes some minutes, once.",
            )
        found, stamp = self.probe(extras), self.read_stamp()
        if found is None:
            return "broken", "The Python in .venv does not start: making .venv anew."
        if stamp.get("state") == "creating":
            return "broken", "The last start was interrupted while .venv was being made: making it anew."
        if stamp.get("root", str(self.root)) != str(self.root):
            return "broken", "The course was moved since .venv was made: making .venv anew."
        if stamp.get("state") == "installing":
            return "incomplete", "The last installation was not finished: repairing it."
        if not stamp:
            return "incomplete", "The .venv found here is not finished: installing what is missing."
        if stamp.get("python") != found["python"] or stamp.get("fingerprint") != self.fingerprint():
            return (
                "incomplete",
                "The list of packages has changed since the last start: installing the difference.",
            )
        if not set(extras) <= set(stamp.get("extras", ())):
            return "incomplete", "This command needs the test tools: installing them, once."
        if found["missing"]:
            return "incomplete", "Missing from .venv: {}. Repairing it.".format(", ".join(found["missing"]))
        return "ready", ""

    # -- making it

    def ensure(self, extras=()):
        """Leave behind a complete environment, or raise Stop with one sentence."""
        for name in ("pyproject.toml", "constraints.txt"):
            if not (self.root / name).exists():
                raise Stop("{} is missing: this copy of the course is incomplete, fetch it again.".format(name))
        if self.diagnosis(extras)[0] == "ready":
            return
        with self.lock():
            state, sentence = self.diagnosis(extras)  # another start may have finished it meanwhile
            if state == "ready":
                return
            say(sentence)
            began = time.time()
            self.need_disk(DISK_NEEDED if state in ("absent", "broken") else DISK_NEEDED // 6)
            try:
                self.make(state, extras)
            except OSError as error:
                raise Stop(explain(str(error), self.root) or "Installing failed: {}".format(error)) from None
            say("  ready after {}\n".format(duration(time.time() - began)))

    def make(self, state, extras):
        extras = sorted(set(extras) | set(self.read_stamp().get("extras", ())))
        if self.read_stamp().get("state") == "installing":
            self.forget_half_installed()
        found = None if state in ("absent", "broken") else self.probe()
        if found is None or not (found["pip"] or shutil.which("uv")):  # without either, nothing can be added
            self.create()
            found = self.probe()
        if found is None:
            raise Stop("The new .venv does not start: this Python ({}) is damaged.".format(sys.executable))
        self.write_stamp(state="installing", root=str(self.root), extras=extras)
        self.log.write_text("", encoding="utf-8")
        wanted = self.torch_requirement()
        if sys.platform.startswith("linux") and "torch=={}".format(found["torch"]).split("+")[0] != wanted:
            self.install_torch(wanted, found["pip"])
        self.install_packages(extras, found["pip"])
        found = self.probe(extras)
        if found is None or found["missing"]:
            missing = ", ".join(found["missing"]) if found else "Python"
            raise Stop(
                "The installation ended without an error, but .venv still lacks {}: delete the folder .venv, "
                "then start again.".format(missing)
            )
        self.quiet_jupyterlab()
        self.write_stamp(
            state="finished",
            root=str(self.root),
            extras=extras,
            python=found["python"],
            fingerprint=self.fingerprint(),
        )

    def create(self):
        self.remove()
        self.folder.mkdir()
        self.write_stamp(state="creating", root=str(self.root))
        # Started from inside an environment, perhaps this very one, the new one stands on the real Python.
        base = getattr(sys, "_base_executable", None) or sys.executable
        code, output = self.step("environment", [base, "-m", "venv", str(self.folder)])
        if code == 0:
            return
        uv = shutil.which("uv")
        if uv:
            command = [uv, "venv", "--allow-existing", "--python", base, str(self.folder)]
            if self.step("environment, by uv", command)[0] == 0:
                return
        if "ensurepip" in output:
            raise Stop(
                "This Python cannot make virtual environments: install the package python3-venv (on Debian "
                "and Ubuntu: apt install python3-venv), then start again."
            )
        raise self.failure("making .venv", output)

    def remove(self):
        if not os.path.lexists(str(self.folder)):
            return
        began = time.time()
        try:
            if self.folder.is_dir() and not self.folder.is_symlink():
                shutil.rmtree(str(self.folder))
            else:
                self.folder.unlink()
            say(STEP.format("old .venv removed", duration(time.time() - began)))
        except OSError as error:
            raise Stop(
                "The old .venv cannot be removed ({}): close every program that uses it, delete the folder "
                "{}, then start again.".format(error.strerror, self.folder)
            ) from None

    def forget_half_installed(self):
        """Make the installers redo each package whose files were being written when the last start ended.

        pip and uv both write a package's INSTALLER file after its other files: where it lacks, more may lack.
        """
        pattern = "Lib/site-packages/*.dist-info" if WINDOWS else "lib/*/site-packages/*.dist-info"
        for metadata in self.folder.glob(pattern):
            if not (metadata / "INSTALLER").exists():
                shutil.rmtree(str(metadata), ignore_errors=True)

    def install_torch(self, wanted, has_pip):
        """Fetch PyTorch's CPU build alone, before the rest.

        The standard Linux build brings several GB of CUDA libraries that the course never uses. Each attempt
        is quick to give up; where all of them do, the installation that follows takes the standard build.
        """
        if has_pip:
            command = [*self.pip(), "install", "--no-index", "--no-deps", wanted]
            if self.step("PyTorch, from this machine's own wheels", command, quiet=True)[0] == 0:
                return
        hurry = {"UV_HTTP_TIMEOUT": "20", "UV_HTTP_CONNECT_TIMEOUT": "5", "UV_HTTP_RETRIES": "1"}
        uv, output = shutil.which("uv"), ""
        if uv:
            code, output = self.step("PyTorch, CPU build", self.uv_torch(uv, wanted), quiet=True, **hurry)
            if code == 0:
                return
        if has_pip and (not uv or "--torch-backend" in output):  # none at all, or one too old to know that option
            private = self.folder / "uv"
            command = [*self.pip(), "install", "--no-deps", "--target", str(private), "uv"]
            impatient = {"PIP_RETRIES": "1", "PIP_DEFAULT_TIMEOUT": "15"}
            if self.step("uv, to find PyTorch's CPU build", command, quiet=True, **impatient)[0] == 0:
                code, output = self.step(
                    "PyTorch, CPU build", self.uv_torch(str(private / "bin/uv"), wanted), quiet=True, **hurry
                )
                shutil.rmtree(str(private), ignore_errors=True)
                if code == 0:
                    return
        say("  PyTorch's CPU build is out of reach, so the standard one comes: a download of several GB.")
        self.need_disk(DISK_NEEDED_FOR_CUDA)

    def uv_torch(self, uv, wanted):
        return [
            uv,
            "pip",
            "install",
            "--python",
            str(self.python),
            "--no-deps",
            "--torch-backend",
            "cpu",
            wanted,
        ]

    def torch_requirement(self):
        lines = (self.root / "constraints.txt").read_text(encoding="utf-8").splitlines()
        return next((line.split(";")[0].strip() for line in lines if line.startswith("torch==")), "torch")

    def install_packages(self, extras, has_pip):
        this = ".[{}]".format(",".join(extras)) if extras else "."
        request = ["install", "-e", this, "-c", "constraints.txt"]
        output, uv = "", shutil.which("uv")
        if uv:
            command = [uv, "pip", request[0], "--python", str(self.python), *request[1:]]
            code, output = self.step("packages, by uv", command)
            if code == 0:
                return
        if has_pip:  # also after uv: only pip reads pip's own settings, such as a mirror near you
            code, output = self.step("packages, by pip", [*self.pip(), *request])
            if code == 0:
                return
        raise self.failure("installing the packages", output)

    def quiet_jupyterlab(self):
        """Keep JupyterLab from asking for news from the internet at a student's first start."""
        settings = self.folder / "share/jupyter/lab/settings"
        settings.mkdir(parents=True, exist_ok=True)
        overrides = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
        (settings / "overrides.json").write_text(json.dumps(overrides, indent=1), encoding="utf-8")

    # -- tools for the above

    def pip(self):
        return [str(self.python), "-m", "pip", "--disable-pip-version-check", "--no-input"]

    def step(self, label, command, quiet=False, **variables):
        """Run one installer; return its exit code and output, which also goes to the log.

        `quiet` steps may fail without harm, so only their success is shown.
        """
        began, lines = time.time(), []
        live = sys.stdout.isatty()
        environment = clean_environment(UV_NO_PROGRESS="1", PIP_PROGRESS_BAR="off", **variables)
        inherited = {} if WINDOWS or self.lock_file is None else {"pass_fds": [self.lock_file.fileno()]}
        process = subprocess.Popen(
            command,
            cwd=str(self.root),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **inherited,
        )
        try:
            with open(str(self.log), "a", encoding="utf-8") as log:
                log.write("\n$ {}\n".format(" ".join(command)))
                for raw in process.stdout:
                    line = raw.decode(errors="replace").rstrip()
                    lines.append(line)
                    log.write(line + "\n")
                    log.flush()
                    if live:
                        width = shutil.get_terminal_size().columns - 1
                        print(
                            "\r" + "  {}: {}".format(label, line.strip())[:width].ljust(width),
                            end="",
                            flush=True,
                        )
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if live:
            print("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r", end="")
        if code == 0:
            say(STEP.format(label, duration(time.time() - began)))
        elif not quiet:
            say(STEP.format(label, "failed"))
        return code, "\n".join(lines)

    def failure(self, doing, output):
        """Return the Stop whose sentence fits what the installer printed."""
        sentence = explain(output, self.root)
        if sentence:
            return Stop(sentence)
        tail = "\n".join("    " + line for line in output.splitlines()[-8:])
        return Stop("Failed while {}. The last lines (all of them: {}):\n{}".format(doing, self.log, tail))

    def need_disk(self, wanted):
        free = shutil.disk_usage(str(self.root)).free
        if free < wanted:
            raise Stop(
                "Too little free disk space: {:.1f} GB where {:.1f} GB are needed. Free some, then start again.".format(
                    free / GB, wanted / GB
                )
            )

    @contextmanager
    def lock(self):
        """Let one start install at a time.

        The operating system frees the lock when its holder ends, however it ends. On Linux and macOS the
        installers inherit it: while one outlives a killed start, nobody else writes into .venv.
        """
        path = self.root / ".venv.lock"
        try:
            self.lock_file = open(str(path), "a+", encoding="utf-8")
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise Stop(read_only(self.root)) from None
            raise Stop(explain(str(error), self.root) or "Cannot write into {}: {}".format(self.root, error)) from None
        try:
            waited = 0
            while not take(self.lock_file):
                if not waited:
                    self.lock_file.seek(0)
                    owner = self.lock_file.read(20).strip()
                    say(
                        "Another start{} is installing: waiting for it.".format(
                            " (process {})".format(owner) if owner else ""
                        )
                    )
                if waited > LONGEST_WAIT:
                    raise Stop("The other start is still installing: end it, then start again.")
                time.sleep(0.5)
                waited += 0.5
            self.lock_file.seek(0)
            self.lock_file.truncate()
            self.lock_file.write(str(os.getpid()))
            self.lock_file.flush()
            yield
        finally:
            self.lock_file.close()
            self.lock_file = None


def take(file):
    """Try to lock the open file; False when another process holds it."""
    try:
        if WINDOWS:
            import msvcrt

            file.seek(1000)  # a byte beyond the text, because Windows forbids others to read a locked one
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (
            errno.EAGAIN,
            errno.EACCES,
            errno.EDEADLK,
        )  # others: a disk that knows no locks
    return True


def read_only(root):
    return "The folder {} cannot be written to: copy the course to a folder of your own, then start again.".format(root)


def explain(output, root):
    """Turn an installer's output into one sentence about what to do; None when no known cause shows in it."""
    if re.search(r"No space left|Errno 28\b|not enough space|os error 28\b|Disk quota", output, re.IGNORECASE):
        return "The disk is full: free {:.0f} GB, then start again.".format(DISK_NEEDED / GB)
    if re.search(r"Read-only file system|Permission denied|Access is denied|os error (13|30)\b", output, re.IGNORECASE):
        return read_only(root)
    if re.search(r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate", output):
        return (
            "The package index was reached, but its certificate was refused: ask who runs your network for "
            "the certificate file, set PIP_CERT and SSL_CERT_FILE to it, then start again."
        )
    network = (
        r"NewConnectionError|ConnectTimeout|ReadTimeout|name resolution|Name or service not known|dns error|"
        r"Connection (refused|reset|broken|aborted)|Network is unreachable|ProxyError|error sending request|"
        r"getaddrinfo|operation timed out|network was disabled"
    )
    if re.search(network, output, re.IGNORECASE):
        return (
            "The packages could not be fetched: connect to the internet (behind a proxy, set HTTPS_PROXY), "
            "then start again. Only the installation needs a network, the course does not."
        )
    absent = re.search(r"No matching distribution found for ([\w.-]+)|Because ([\w.-]+)\S* has no wheels", output)
    if absent:
        return (
            "Found no {} for Python {}.{} on {} {} where your packages come from: check the network, or try another "
            "Python (python3.12 course.py), then start again.".format(
                absent.group(1) or absent.group(2), *sys.version_info[:2], platform.system(), platform.machine()
            )
        )
    return None


def clean_environment(**variables):
    """Return our environment less what would mix other installations into .venv, plus `variables`."""
    unwanted = (
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "VIRTUAL_ENV",
        "UV_PYTHON",
        "UV_SYSTEM_PYTHON",
        "PIP_USER",
    )
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    environment.update(variables, PYTHONNOUSERSITE="1")
    return environment


# ---------------------------------------------------------------------------------------------- the commands


def replace_by(command, variables=None):
    """Become the command: it gets the keyboard and the signals, and its exit code is ours."""
    environment = clean_environment(**(variables or {}))
    if not WINDOWS:
        sys.stdout.flush()
        os.chdir(str(ROOT))
        os.execve(command[0], command, environment)
    process = subprocess.Popen(command, cwd=str(ROOT), env=environment)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the command received it too, and decides what it means
            pass


def lab(arguments):
    """Open JupyterLab at the start page."""
    environment = Environment()
    environment.ensure()
    # One thread a kernel: models this small are slower on many, and the lessons' figures were made that way.
    threads = {name: os.environ.get(name, "1") for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    return replace_by(lab_command(environment, arguments), threads)


def lab_command(environment, arguments):
    def given(*options):
        return any(argument.split("=")[0] in options for argument in arguments)

    command = [str(environment.python), "-m", "jupyterlab"]
    if not given("--ServerApp.root_dir", "--notebook-dir"):
        command.append("--ServerApp.root_dir={}".format(environment.root))
    chatty = given("--log-level", "--debug", "--ServerApp.log_level", "--Application.log_level")
    own_token = "JUPYTER_TOKEN" in os.environ or any("token" in argument for argument in arguments)
    if not (chatty or own_token):  # under a token that it did not choose, Jupyter tells its address as mere information
        command += ["--log-level=WARN", "--LabApp.log_level=WARN"]  # what stays is the address, and what is wrong
    if hasattr(os, "geteuid") and os.geteuid() == 0 and not given("--allow-root"):
        command.append("--allow-root")  # inside a container root is the usual user
    wants_other_page = given("--LabApp.default_url", "--ServerApp.default_url") or any(
        a.endswith(".ipynb") for a in arguments
    )
    if not wants_other_page and (environment.root / START_PAGE).exists():
        command.append("--LabApp.default_url=/lab/tree/" + START_PAGE)
    say("Starting JupyterLab; its address stands below. Ctrl-C ends it.")
    return command + list(arguments)


def test(arguments):
    """Run all tests, or those of one lesson; report each phase, whatever the earlier ones gave."""
    quick, lesson, rest = test_options(arguments)
    environment = Environment()
    phases = test_phases(str(environment.python), quick, lesson, rest, environment.root)
    environment.ensure(["test"])
    settings = clean_environment(TQDM_DISABLE="1", OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
    settings.pop("MPLBACKEND", None)  # it would switch the notebooks' inline figures off
    results, began = [], time.time()
    for label, commands in phases:
        say("\n=== {} ===".format(label))
        started = time.time()
        codes = [run(command, settings, environment.root) for command in commands]
        results.append((label, not any(codes), time.time() - started))
    return summary(results, time.time() - began)


def test_options(arguments):
    arguments = list(arguments)
    rest = []
    if "--" in arguments:
        cut = arguments.index("--")
        arguments, rest = arguments[:cut], arguments[cut + 1 :]
    quick, lesson = False, None
    while arguments:
        argument = arguments.pop(0)
        if argument == "--quick":
            quick = True
        elif argument == "--lesson" and arguments:
            lesson = arguments.pop(0)
        elif argument.startswith("--lesson="):
            lesson = argument.split("=", 1)[1]
        else:
            raise Stop(
                "test knows --quick and --lesson 06, not {}: what is meant for pytest goes after --.".format(argument)
            )
    if lesson is not None:
        if not lesson.isdigit():
            raise Stop("--lesson needs a lesson's number, such as 06.")
        lesson = "{:02d}".format(int(lesson))
    return quick, lesson, rest


def test_phases(python, quick, lesson, rest, root):
    """Return the phases as (label, commands)."""
    pytest = [python, "-m", "pytest", "-q", "-n", "2"]
    # The plugin sets each cell's time limit; pytest's own stands behind it, for a kernel that died.
    nbval = [*pytest, "-p", "tinyfrontier.authoring.nbval_plugin", "--nbval-lax", "--nbval-current-env"]
    nbval += ["--dist", "loadfile", "--timeout", "300"]
    units = [*pytest, "--dist", "loadgroup"]  # tests of one xdist_group share a worker, and what it set up
    if quick:
        units += ["-m", "not browser and not slow"]  # these execute notebooks too
    build = [python, "-m", "tinyfrontier.authoring.build", "--check"]
    if lesson:
        places = {
            "tests/lessons": "test_{}_*.py".format(lesson),
            "notebooks": lesson + "_*.ipynb",
            "solutions": lesson + "_*.ipynb",
        }
        found = {
            folder: sorted(path.relative_to(root).as_posix() for path in (root / folder).glob(pattern))
            for folder, pattern in places.items()
        }
        if not any(found.values()):
            raise Stop("There is no lesson {}: see lessons/README.md for the list.".format(lesson))
        unit_tests = [[*units, "tests/exercises", "-k", "lesson_" + lesson, *rest]]
        if found["tests/lessons"]:
            unit_tests.insert(0, [*units, *found["tests/lessons"], *rest])
        phases = [("unit tests", unit_tests), ("freshness", [[*build, lesson]])]
        notebooks = [*found["notebooks"], *found["solutions"]]
    else:
        ruff = [python, "-m", "ruff"]
        phases = [
            ("style", [[*ruff, "check", "."], [*ruff, "format", "--check", "."]]),
            ("unit tests", [[*units, "tests", *rest]]),
            ("freshness", [build]),
        ]
        notebooks = ["notebooks", "solutions"]
    if not quick:
        phases.append(("notebooks", [[*nbval, *notebooks, *rest]]))
    return phases


def run(command, environment, root):
    """Run a command to its end; on Ctrl-C let it end before we do."""
    process = subprocess.Popen(command, cwd=str(root), env=environment)
    try:
        return process.wait()
    except KeyboardInterrupt:
        try:
            process.wait(timeout=10)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
        raise


def summary(results, seconds):
    say("\n=== summary ===")
    for label, passed, took in results:
        say("{:<12} {:<7} {:>12}".format(label, "passed" if passed else "FAILED", duration(took)))
    failed = [label for label, passed, _ in results if not passed]
    if failed:
        say("{} of {} phases failed in {}: {}".format(len(failed), len(results), duration(seconds), ", ".join(failed)))
    else:
        say("all {} phases passed in {}".format(len(results), duration(seconds)))
    return 1 if failed else 0


def passing_through(*command):
    def start(arguments):
        environment = Environment()
        environment.ensure()
        return replace_by([str(environment.python), *command, *arguments])

    return start


COMMANDS = {
    "lab": lab,
    "test": test,
    "build": passing_through("-m", "tinyfrontier.authoring.build"),
    "doctor": passing_through("-m", "tinyfrontier.authoring.doctor"),
    "bench": passing_through("benchmarks/run.py"),
}


def require_python(version):
    if tuple(version[:2]) < OLDEST_PYTHON:
        raise Stop(
            "Tiny Frontier needs Python {}.{} or newer, and this is Python {}.{}: install a newer one, then "
            "call this file with it (python3.12 course.py).".format(*OLDEST_PYTHON, *version[:2])
        )


def main(arguments):
    """Run one command; return the exit code."""
    try:
        require_python(sys.version_info)
        if not arguments or arguments[0] in ("-h", "--help", "help"):
            say(__doc__.split("\n\n")[0] + "\n\n" + __doc__.split("\n\n")[1])
            return 0
        if arguments[0] not in COMMANDS:
            known = ", ".join(COMMANDS)
            raise Stop("There is no command {}; there are: {}.".format(arguments[0], known))
        return COMMANDS[arguments[0]](arguments[1:])
    except Stop as reason:
        print("course.py: {}".format(reason), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
