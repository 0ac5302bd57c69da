#!/usr/bin/env python3
"""Tiny Frontier's one way in: makes the course's environment on first use, then runs what you ask for.

    python3 course.py lab      opens JupyterLab at the start page, in your own copies of the notebooks, which lie
                               in my_work/; all further options go to JupyterLab
    python3 course.py update   fetches the newest course by git, or takes it from a path that you name, a zip
                               file or a folder; what you wrote in my_work/ stays
    python3 course.py test     runs every test; --quick leaves the notebooks out, --lesson 06 runs one lesson,
                               --changed what a change can have touched, --full spares the students' copies
                               nothing, and what follows -- goes to pytest
    python3 course.py build    derives notebooks/ and solutions/ from lessons/; 06 builds one lesson,
                               --check only compares, --force builds what has not changed too
    python3 course.py grade    grades students' notebooks in seconds each, exercises only: give the folder with
                               what was handed in, in any layout; --lesson 06 picks a lesson, --out a place
    python3 course.py site     writes the executed course into the folder site/ as pages that any browser shows
                               without a network; --out another place, --with-solutions for instructors
    python3 course.py kit      writes a folder, for a USB stick say, from which the course starts without a
                               network: give the folder; --platform this windows mac, --python 3.11 3.12
    python3 course.py hub      serves the course to a class by JupyterHub, on a Linux server: see hub/README.md;
                               all further options go to JupyterHub
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
START_PAGES = ("my_work/00_start_here.ipynb", "notebooks/00_start_here.ipynb")  # the first that exists
MY_WORK = "tinyfrontier.authoring.my_work"
GB = 10**9
DISK_NEEDED = 3 * GB  # the environment takes 2 GB with PyTorch's CPU build; the rest is for the downloads
DISK_NEEDED_FOR_CUDA = 11 * GB  # the standard Linux build brings 6 GB with it, unpacked beside its downloads
VERSIONS = (
    "tested",
    "oldest",
    "newest",
)  # of the packages: constraints.txt, the lower bounds of the ranges, any in them
LONGEST_WAIT = 45 * 60  # seconds that a second start waits for the first one's installation

# Runs inside .venv: is what the package asks for there? Reads metadata only, so it takes a tenth of a second.
PROBE = r"""
import json, re, sys
from importlib import metadata, util

def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None

missing = [] if version("tinyfrontier") else ["tinyfrontier"]
for requirement in [] if missing else metadata.requires("tinyfrontier") or []:
    name, extra = re.match(r"[\w.-]+", requirement).group(), re.search(r"extra == .(\w+)", requirement)
    needed = extra.group(1) in sys.argv[1:] if extra else ";" not in requirement
    if needed and not version(name):
        missing.append(name)
print(json.dumps({"python": list(sys.version_info[:3]), "pip": util.find_spec("pip") is not None,
                  "torch": version("torch"), "missing": missing}))
"""

# What an installer prints when it fails, and what to do about it; the first that fits is told.
CAUSES = {
    r"No space left|Errno 28\b|not enough space|os error 28\b|Disk quota": (
        "The disk is full: free {disk:.0f} GB, then start again."
    ),
    r"Read-only file system|Permission denied|Operation not permitted|Access is denied|os error (?:13|30)\b": (
        "The folder {root} cannot be written to: copy the course to a folder of your own, then start again."
    ),
    r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate": (
        "The package index was reached, but its certificate was refused: ask who runs your network for the "
        "certificate file, set PIP_CERT and SSL_CERT_FILE to it, then start again."
    ),
    r"NewConnectionError|ConnectTimeout|ReadTimeout|name resolution|Name or service not known|dns error|"
    r"Connection (?:refused|reset|broken|aborted)|Network is unreachable|ProxyError|error sending request|"
    r"getaddrinfo|operation timed out|network was disabled": (
        "The packages could not be fetched: connect to the internet (behind a proxy, set HTTPS_PROXY), then start "
        "again. Only the installation needs a network, the course does not."
    ),
    r"No matching distribution found for ([\w.-]+)|Because ([\w.-]+)\S* has no wheels": (
        "Found no {package} for Python {python} on {system} where your packages come from: check the network, or try "
        "another Python (python3.12 course.py), then start again."
    ),
}


class Stop(Exception):
    """Something that the person at the keyboard can put right; its message says how."""


def say(text):
    print(text, flush=True)


def duration(seconds):
    """`75.4` -> `1 min 15 s`."""
    whole = round(seconds)
    return "{} min {:02d} s".format(*divmod(whole, 60)) if whole >= 60 else f"{seconds:.1f} s"


def survive_any_locale():
    """Start again in UTF-8 where the locale has another encoding, and escape what a terminal cannot show."""
    if sys.getfilesystemencoding() != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.argv])
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")


# ------------------------------------------------------------------------------------------- the environment


class Environment:
    """The folder .venv: in what state it is, and how it becomes complete.

    Its stamp tells how the last installation ended: one without a fingerprint did not end. TINYFRONTIER_VERSIONS, for
    maintainers, asks for the oldest or newest packages that pyproject.toml allows, in a folder of their own.
    """

    def __init__(self, root=ROOT):
        self.root = Path(root)
        self.versions = os.environ.get("TINYFRONTIER_VERSIONS") or "tested"
        if self.versions not in VERSIONS:
            raise Stop("TINYFRONTIER_VERSIONS must be {}, got {}.".format(", ".join(VERSIONS), self.versions))
        self.folder = self.root / (".venv" if self.versions == "tested" else f".venv-{self.versions}")
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
        return hashlib.sha256((lists + "\n".join(self.constraints())).encode()).hexdigest()

    def constraints(self):
        """The lines that the installers have to keep to."""
        if self.versions == "tested":
            return (self.root / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if self.versions == "newest":
            return []
        import tomllib

        project = tomllib.loads((self.root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        lists = [project.get("dependencies", []), *project.get("optional-dependencies", {}).values()]
        bounds = [re.match(r"([\w.-]+)\s*>=\s*([\w.]+)", requirement) for part in lists for requirement in part]
        return sorted({"{}=={}".format(*bound.groups()) for bound in bounds if bound})

    def read_stamp(self):
        try:
            stamp = json.loads(self.stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def write_stamp(self, **content):
        beside = self.stamp.with_suffix(".new")
        beside.write_text(json.dumps({"root": str(self.root), **content}, indent=1), encoding="utf-8")
        os.replace(beside, self.stamp)

    def probe(self, extras=()):
        """Ask .venv's own Python what is installed; None when it does not start."""
        command = [str(self.python), "-I", "-c", PROBE, *extras]
        try:
            answer = subprocess.run(command, capture_output=True, timeout=120, env=clean_environment())
            found = json.loads(answer.stdout.decode())
        except (OSError, ValueError):
            return None
        except subprocess.TimeoutExpired:
            raise Stop("The Python in .venv takes minutes to start: wait until the machine is less busy.") from None
        return found if tuple(found["python"]) >= OLDEST_PYTHON else None

    def diagnosis(self, extras=()):
        """Return (state, sentence): ready, anew (make all of it), or behind (install the difference)."""
        if not os.path.lexists(self.folder):
            return "anew", "First start: making .venv and installing the packages. This takes some minutes, once."
        found, stamp = self.probe(extras), self.read_stamp()
        if found is None:
            return "anew", "The Python in .venv does not start: making .venv anew."
        if stamp.get("root", str(self.root)) != str(self.root):
            return "anew", "The course was moved since .venv was made: making .venv anew."
        if stamp and "fingerprint" not in stamp:
            return "anew", "The last installation was not finished: making .venv anew."
        if not stamp:
            sentence = "The .venv found here is not finished: installing what is missing."
        elif stamp.get("python") != found["python"] or stamp["fingerprint"] != self.fingerprint():
            sentence = "The list of packages has changed since the last start: installing the difference."
        elif not set(extras) <= set(stamp.get("extras", ())):
            sentence = "This command needs more packages: installing them, once."
        elif found["missing"]:
            sentence = "Missing from .venv: {}. Installing what is missing.".format(", ".join(found["missing"]))
        else:
            return "ready", ""
        if not (found["pip"] or shutil.which("uv")):
            return "anew", "Nothing can be added to this .venv, which has no pip: making .venv anew."
        return "behind", sentence

    # -- making it

    def ensure(self, extras=()):
        """Leave behind a complete environment, or raise Stop with one sentence."""
        for name in ("pyproject.toml", "constraints.txt"):
            if not (self.root / name).exists():
                raise Stop(f"{name} is missing: this copy of the course is incomplete, fetch it again.")
        if self.diagnosis(extras)[0] == "ready":
            return
        with self.lock():
            state, sentence = self.diagnosis(extras)  # another start may have finished it meanwhile
            if state == "ready":
                return
            say(sentence)
            began = time.time()
            self.need_disk(DISK_NEEDED if state == "anew" else DISK_NEEDED // 6)
            try:
                self.make(state, extras)
            except OSError as error:
                raise Stop(explain(str(error), self.root) or f"Installing failed: {error}") from None
            say(f"  ready after {duration(time.time() - began)}\n")

    def make(self, state, extras):
        before = self.read_stamp()
        extras = sorted({*extras, *before.get("extras", ())})
        if state == "anew":
            self.remove()
            self.folder.mkdir()
            self.write_stamp(extras=extras)
            self.create()
            self.install(extras)
        elif not before:  # somebody made this .venv by hand, so it is never removed for being unfinished
            self.install(extras)
        else:
            self.write_stamp(extras=extras)
            try:
                self.install(extras)
            except Stop:  # what worked before this addition failed, for want of a network perhaps, still works
                self.write_stamp(**before)
                raise

    def remove(self):
        try:
            if self.folder.is_dir() and not self.folder.is_symlink():
                self.python.unlink(missing_ok=True)  # first: a .venv half removed must not pass for a whole one
                shutil.rmtree(self.folder)
            elif os.path.lexists(self.folder):
                self.folder.unlink()
        except OSError as error:
            raise Stop(
                f"The old .venv cannot be removed ({error.strerror}): close every program that uses it, delete the "
                f"folder {self.folder}, then start again."
            ) from None

    def create(self):
        # Started from inside an environment, perhaps this very one, the new one stands on the real Python.
        base, uv = getattr(sys, "_base_executable", None) or sys.executable, shutil.which("uv")
        code, output = self.step("environment", [base, "-m", "venv", str(self.folder)])
        if code and uv:
            command = [uv, "venv", "--allow-existing", "--python", base, str(self.folder)]
            code, _ = self.step("environment, by uv", command)
        if code and "ensurepip" in output:
            raise Stop(
                "This Python cannot make virtual environments: install the package python3-venv (on Debian "
                "and Ubuntu: apt install python3-venv), then start again."
            )
        if code:
            raise self.failure("making .venv", output)

    def install(self, extras):
        found = self.probe()
        if found is None:
            raise Stop(f"The new .venv does not start: this Python ({sys.executable}) is damaged.")
        if not (found["pip"] and self.install_from_wheels(extras, found["python"])):
            self.install_by_network(extras, found)
        self.find_sources_by_ascii()
        found = self.probe(extras)
        if found is None or found["missing"]:
            missing = ", ".join(found["missing"]) if found else "Python"
            raise Stop(
                f"The installation ended without an error, but .venv still lacks {missing}: delete the folder .venv, "
                "then start again."
            )
        self.quiet_jupyterlab()
        self.write_stamp(extras=extras, python=found["python"], fingerprint=self.fingerprint())

    def install_from_wheels(self, extras, python):
        """Install from the folder wheels/, which a kit has; False where there is none, or where it does not do."""
        if self.versions != "tested" or not (self.root / "wheels").is_dir():
            return False
        command = [*self.pip_install(), "--no-index", "-f", "wheels", *self.course_with(extras)]
        code, _ = self.step("packages, from wheels/", command, quiet=True)
        if code:
            about = self.root / "wheels/about.json"
            kit = json.loads(about.read_text(encoding="utf-8")) if about.exists() else {}
            serves = ", ".join(kit.get("pythons", ())) or "another Python"
            on = ", ".join(kit.get("platforms", ())) or "another machine"
            say("  wheels/ serves Python {} on {}, this is {}.{}; trying the network.".format(serves, on, *python[:2]))
        return code == 0

    def install_by_network(self, extras, found):
        wanted = next(
            (line.split(";")[0].strip() for line in self.constraints() if line.startswith("torch==")), "torch"
        )
        if sys.platform.startswith("linux") and f"torch=={found['torch']}".split("+")[0] != wanted:
            self.install_torch(wanted, found["pip"])
        self.install_packages(extras, found["pip"])

    def install_torch(self, wanted, has_pip):
        """Fetch PyTorch's CPU build alone, before the rest.

        The standard Linux build brings several GB of CUDA libraries that the course never uses. Each attempt
        is quick to give up; where all of them do, the installation that follows takes the standard build.
        """

        def attempt(label, command, **variables):
            code, output = self.step(label, command, quiet=True, **variables)
            return code == 0, output

        def by_uv(uv):
            options = ["--no-deps", "--torch-backend", "cpu", wanted]
            hurry = {"UV_HTTP_TIMEOUT": "20", "UV_HTTP_CONNECT_TIMEOUT": "5", "UV_HTTP_RETRIES": "1"}
            return attempt("PyTorch, CPU build", [*self.uv_install(uv), *options], **hurry)

        own_wheels = [*self.pip_install(), "--no-index", "--no-deps", wanted]
        if has_pip and attempt("PyTorch, from this machine's own wheels", own_wheels)[0]:
            return
        uv = shutil.which("uv")
        done, output = by_uv(uv) if uv else (False, "")
        if not done and has_pip and (not uv or "--torch-backend" in output):  # none, or one too old for that option
            private = self.folder / "uv"
            fetch = [*self.pip_install(), "--no-deps", "--target", str(private), "uv"]
            if attempt("uv, to find PyTorch's CPU build", fetch, PIP_RETRIES="1", PIP_DEFAULT_TIMEOUT="15")[0]:
                done, _ = by_uv(str(private / "bin/uv"))
                shutil.rmtree(private, ignore_errors=True)
        if not done:
            say("  PyTorch's CPU build is out of reach, so the standard one comes: a download of several GB.")
            self.need_disk(DISK_NEEDED_FOR_CUDA)

    def install_packages(self, extras, has_pip):
        request = self.course_with(extras)
        uv, code, output = shutil.which("uv"), 1, ""
        if uv:
            code, output = self.step("packages, by uv", [*self.uv_install(uv), *request])
        if code and has_pip:  # also after uv: only pip reads pip's own settings, such as a mirror near you
            code, output = self.step("packages, by pip", [*self.pip_install(), *request])
        if code:
            raise self.failure("installing the packages", output)

    def find_sources_by_ascii(self):
        """Tell .venv where src/ lies by a relative path.

        pip writes the full one, and a Python before 3.13 does not start if that has letters outside the locale.
        """
        for path in self.folder.glob("Lib/site-packages/*.pth" if WINDOWS else "lib/*/site-packages/*.pth"):
            if "tinyfrontier" in path.name:
                path.write_text(os.path.relpath(self.root / "src", path.parent) + "\n", encoding="ascii")

    def quiet_jupyterlab(self):
        """Keep JupyterLab from asking for news from the internet at a student's first start."""
        settings = self.folder / "share/jupyter/lab/settings"
        settings.mkdir(parents=True, exist_ok=True)
        overrides = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
        (settings / "overrides.json").write_text(json.dumps(overrides, indent=1), encoding="utf-8")

    # -- tools for the above

    def pip_install(self):
        return [str(self.python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]

    def course_with(self, extras):
        constraints = "constraints.txt"
        if self.versions != "tested":
            constraints = str(self.folder / "constraints.txt")
            Path(constraints).write_text("\n".join([*self.constraints(), ""]), encoding="utf-8")
        return ["-e", ".[{}]".format(",".join(extras)) if extras else ".", "-c", constraints]

    def uv_install(self, uv):
        return [uv, "pip", "install", "--python", str(self.python)]

    def step(self, label, command, quiet=False, **variables):
        """Run one installer; return its exit code and output, which also goes to the log.

        `quiet` steps may fail without harm, so only their success is shown.
        """
        began, lines, live = time.time(), [], sys.stdout.isatty()
        width = shutil.get_terminal_size().columns - 1
        options = {"cwd": str(self.root), "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
        if self.lock_file and not WINDOWS:
            options["pass_fds"] = [self.lock_file.fileno()]
        environment = clean_environment(UV_NO_PROGRESS="1", PIP_PROGRESS_BAR="off", **variables)
        process = subprocess.Popen(command, env=environment, stderr=subprocess.STDOUT, **options)
        try:
            with open(self.log, "a", encoding="utf-8", errors="backslashreplace") as log:
                log.write("\n$ {}\n".format(" ".join(command)))
                for raw in process.stdout:
                    lines.append(raw.decode(errors="replace").rstrip())
                    log.write(lines[-1] + "\n")
                    log.flush()
                    if live:
                        shown = f"  {label}: {lines[-1].strip()}"[:width]
                        print("\r" + shown.ljust(width), end="", flush=True)
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if live:
            print("\r" + " " * width + "\r", end="")
        if code == 0 or not quiet:
            say("  {:<45} {:>12}".format(label, duration(time.time() - began) if code == 0 else "failed"))
        return code, "\n".join(lines)

    def failure(self, doing, output):
        """Return the Stop whose sentence fits what the installer printed."""
        tail = "".join("\n    " + line for line in output.splitlines()[-8:])
        unknown = f"Failed while {doing}. The last lines (all of them: {self.log}):{tail}"
        return Stop(explain(output, self.root) or unknown)

    def need_disk(self, wanted):
        free = shutil.disk_usage(self.root).free
        if free < wanted:
            lack = f"Too little free disk space: {free / GB:.1f} GB where {wanted / GB:.1f} GB are needed."
            raise Stop(lack + " Free some, then start again.")

    @contextmanager
    def lock(self):
        """Let one start install at a time.

        The operating system frees the lock when its holder ends, however it ends. On Linux and macOS the
        installers inherit it: while one outlives a killed start, nobody else writes into .venv.
        """
        try:
            self.lock_file = open(self.root / ".venv.lock", "a+", encoding="utf-8")
        except OSError as error:
            raise Stop(explain(str(error), self.root) or f"Cannot write into {self.root}: {error}") from None
        try:
            for turn in range(2 * LONGEST_WAIT):
                if take(self.lock_file):
                    break
                if turn == 0:
                    self.lock_file.seek(0)
                    owner = self.lock_file.read(20).strip() or "unknown"
                    say(f"Another start (process {owner}) is installing: waiting for it.")
                time.sleep(0.5)
            else:
                raise Stop("The other start is still installing: end it, then start again.")
            self.lock_file.truncate(0)
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
        return error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK)  # others: a disk that knows no locks
    return True


def explain(output, root):
    """Turn an installer's output into one sentence about what to do; None when no known cause shows in it."""
    for pattern, sentence in CAUSES.items():
        found = re.search(pattern, output, re.IGNORECASE)
        if found:
            return sentence.format(
                disk=DISK_NEEDED / GB,
                root=root,
                package=next(filter(None, found.groups()), ""),
                python="{}.{}".format(*sys.version_info[:2]),
                system=f"{platform.system()} {platform.machine()}",
            )
    return None


def clean_environment(**variables):
    """Return our environment less what would change what runs in .venv, plus `variables`; all there speaks UTF-8."""
    unwanted = {"PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV", "UV_PYTHON", "UV_SYSTEM_PYTHON", "PIP_USER"}
    unwanted.add("MPLBACKEND")  # it would switch the notebooks' inline figures off
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    if environment.get("LC_ALL") in ("C", "POSIX"):  # alembic, under nbgrader, reads paths by the locale all the same
        environment["LC_ALL"] = "C.UTF-8"
    return {**environment, **variables, "PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1"}


# ---------------------------------------------------------------------------------------------- the commands


def replace_by(command, **variables):
    """Become the command: it gets the keyboard and the signals, and its exit code is ours."""
    environment = clean_environment(**variables)
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


def run_beside(environment, *command):
    """Run one of the course's programs in .venv and come back; return its exit code."""
    sys.stdout.flush()
    line = [str(environment.python), *command]
    return subprocess.run(line, cwd=str(environment.root), env=clean_environment()).returncode


def lab(arguments):
    """Bring the student's copies in my_work/ up to date, then open JupyterLab at the start page."""
    environment = Environment()
    environment.ensure()
    if run_beside(environment, "-m", MY_WORK):
        say("Not all notebooks in my_work/ are up to date, see above. JupyterLab opens them as they are.")
    # One thread a kernel: models this small are slower on many, and the lessons' figures were made that way.
    threads = {name: os.environ.get(name, "1") for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    return replace_by(lab_command(environment, arguments), **threads)


def lab_command(environment, arguments):
    def given(*options):
        return any(argument.split("=")[0] in options for argument in arguments)

    command = [str(environment.python), "-m", "jupyterlab"]
    if not given("--ServerApp.root_dir", "--notebook-dir"):
        command.append(f"--ServerApp.root_dir={environment.root}")
    chatty = given("--log-level", "--debug", "--ServerApp.log_level", "--Application.log_level")
    own_token = "JUPYTER_TOKEN" in os.environ or any("token" in argument for argument in arguments)
    if not (chatty or own_token):  # under a token that it did not choose, Jupyter tells its address as mere information
        command += ["--log-level=WARN", "--LabApp.log_level=WARN"]  # what stays is the address, and what is wrong
    if hasattr(os, "geteuid") and os.geteuid() == 0 and not given("--allow-root"):
        command.append("--allow-root")  # inside a container root is the usual user
    notebook = any(argument.endswith(".ipynb") for argument in arguments)
    other_page = notebook or given("--LabApp.default_url", "--ServerApp.default_url")
    start_page = next((page for page in START_PAGES if (environment.root / page).exists()), None)
    if start_page and not other_page:
        command.append("--LabApp.default_url=/lab/tree/" + start_page)
    say("Starting JupyterLab; its address stands below. Ctrl-C ends it.")
    return command + list(arguments)


def update(arguments):
    """Fetch the newest course, install what it needs, and merge it into the student's copies."""
    environment = Environment()
    environment.ensure()
    paths = [os.path.abspath(argument) if os.path.exists(argument) else argument for argument in arguments]
    code = run_beside(environment, "-m", "tinyfrontier.authoring.update", *paths)
    if code or any(argument in ("-h", "--help") for argument in arguments):
        return code
    environment.ensure()  # the new course's list of packages, by this file's old rules: `lab` looks once more
    return replace_by([str(environment.python), "-m", MY_WORK, "--say-all"])


def passing_through(*command, extras=(), **variables):
    def start(arguments):
        environment = Environment()
        environment.ensure(extras)
        return replace_by([str(environment.python), *command, *arguments], **variables)

    return start


def grade(arguments):
    """Grade what students handed in; paths are meant from where the command was given."""
    environment = Environment()
    environment.ensure()
    arguments = [absolute(given, before) for before, given in pairs(arguments)]
    command = [str(environment.python), "-m", "tinyfrontier.authoring.grading", *arguments]
    return replace_by(command, OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")


def site(arguments):
    """Write the course as a static site; paths are meant from where the command was given."""
    environment = Environment()
    environment.ensure(("site",))
    places = [absolute(given) if before == "--out" or "=" in given else given for before, given in pairs(arguments)]
    return replace_by([str(environment.python), "-m", "tinyfrontier.authoring.site", *places])


def kit(arguments):
    """Write a folder from which the course starts without a network; its path is meant from the caller's folder."""
    environment = Environment()
    environment.ensure(("site",))
    options = ("--platform", "--python")
    places, values = [], False
    for argument in arguments:  # an option's values go on until the next option
        values = argument in options or (values and not argument.startswith("-"))
        places.append(argument if values or argument.startswith("-") else os.path.abspath(argument))
    return replace_by([str(environment.python), "-m", "tinyfrontier.authoring.kit", *places])


def hub(arguments):
    """Serve the course to a class: JupyterHub as hub/jupyterhub_config.py sets it up."""
    if not sys.platform.startswith("linux"):
        raise Stop("The hub needs Linux, and this is {}: for one person there is `lab`.".format(platform.system()))
    start = passing_through("-m", "jupyterhub", "-f", "hub/jupyterhub_config.py", extras=("hub",))
    return start(arguments)


def pairs(arguments):
    """Each argument with the one before it."""
    return zip(["", *arguments], arguments)


def absolute(argument, before=""):
    """Turn a path into a full one, because the command runs in the course's folder; options stay."""
    if before in ("--lesson", "--seconds", "--memory", "--workers") or argument.startswith("-"):
        option, is_out, place = argument.partition("--out=")
        return f"--out={os.path.abspath(place)}" if is_out and not option else argument
    return os.path.abspath(argument)


QUIET_AND_ALONE = {"TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
COMMANDS = {
    "lab": lab,
    "update": update,
    "test": passing_through("-m", "tinyfrontier.authoring.proof", extras=("hub", "site", "test"), **QUIET_AND_ALONE),
    "build": passing_through("-m", "tinyfrontier.authoring.build"),
    "grade": grade,
    "site": site,
    "kit": kit,
    "hub": hub,
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
            say("\n\n".join(__doc__.split("\n\n")[:2]))
            return 0
        if arguments[0] not in COMMANDS:
            raise Stop("There is no command {}; there are: {}.".format(arguments[0], ", ".join(COMMANDS)))
        return COMMANDS[arguments[0]](arguments[1:])
    except Stop as reason:
        print(f"course.py: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 128 + signal.SIGINT


if __name__ == "__main__":
    if sys.version_info >= OLDEST_PYTHON:  # others only get their sentence
        survive_any_locale()
    sys.exit(main(sys.argv[1:]))
