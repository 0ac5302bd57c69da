"""Starts one student's server, on a hub or in a container: their folder, their copies, then JupyterLab.

The student's folder is `~/tiny-frontier`: `my_work/` and the progress file are theirs, everything else is a link into
the course, which they can read but not change. Needs only the standard library until the server itself starts.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

COURSE = Path(__file__).resolve().parents[1]
FOLDER = "tiny-frontier"
LONGEST_RUNTIME = 107 - len("/kernel-01234567-0123-0123-0123-0123456789ab-ipc-5")  # what Linux allows a socket's path
START_PAGE = "/lab/tree/my_work/00_start_here.ipynb"
FOR_TEACHERS = tuple(  # a start without them takes a second less, and grading is `course.py grade`
    f"nbgrader.server_extensions.{name}"
    for name in ("formgrader", "validate_assignment", "assignment_list", "course_list")
)
PRIVATE = ("my_work", "site")  # of the course's own folder: its keeper's, not the students'


def make_folder(home: Path, course: Path = COURSE) -> Path:
    """Make or mend the student's folder in `home`; returns it.

    Links that lead nowhere any more go, and links for what is new in the course come; what is no link is never touched.

    Raises:
        OSError: if it cannot be written.
    """
    folder = home / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    for path in folder.iterdir():
        if path.is_symlink() and not path.exists():
            path.unlink()
    for source in sorted(course.iterdir()):
        link = folder / source.name
        if source.name.startswith(".") or source.name in PRIVATE or os.path.lexists(link):
            continue
        link.symlink_to(source)
    return folder


def closed_to_students(*paths: Path) -> list[Path]:
    """Folders that other accounts may not enter, and files they may not read, on the way to `paths`, links followed."""
    closed = []
    for path in paths:
        way = path.resolve()
        for step in [*reversed(way.parents), way]:
            wanted = stat.S_IXOTH if step.is_dir() else stat.S_IROTH
            if not step.stat().st_mode & wanted and step not in closed:
                closed.append(step)
    return closed


def limit_memory(limit: str | None) -> int | None:
    """Hold each process started from here to `limit` bytes of data (RLIMIT_DATA); returns the limit, None without one.

    Where the spawner limits the whole server, too, this comes first and is kinder: a MemoryError in the cell that asked
    for too much, in place of a dead kernel.

    Raises:
        ValueError: if `limit` is no whole number of bytes.
    """
    if not limit:
        return None
    if not limit.isdigit() or int(limit) == 0:
        raise ValueError(f"MEM_LIMIT must be a whole number of bytes, got {limit!r}")
    import resource

    _, hardest = resource.getrlimit(resource.RLIMIT_DATA)
    value = int(limit) if hardest == resource.RLIM_INFINITY else min(int(limit), hardest)
    resource.setrlimit(resource.RLIMIT_DATA, (value, value))
    return value


def runtime_of(home: Path) -> Path:
    """A private folder for the kernels' sockets: in `home`, or the system's own where names would get too long."""
    folder = home / ".jupyter-run"
    if len(str(folder)) > LONGEST_RUNTIME:
        return Path(tempfile.mkdtemp(prefix="jupyter-"))
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def command_of(folder: Path, on_a_hub: bool) -> list[str]:
    """The server for a student's folder, opened at the start page: a hub's, or JupyterLab by itself in a container."""
    server = ["jupyterhub.singleuser"] if on_a_hub else ["jupyterlab", "--ServerApp.ip=0.0.0.0", "--no-browser"]
    return [
        sys.executable,
        str(COURSE / "hub" / "server.py"),
        *server,
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url={START_PAGE}",
        "--KernelManager.transport=ipc",  # over TCP whoever has an account could listen to what a kernel prints
        *(f"--ServerApp.jpserver_extensions={name}=False" for name in FOR_TEACHERS),
    ]


def main(arguments: list[str]) -> None:
    """Prepare, then become the server; returns only by an exception."""
    os.umask(0o077)  # what a student writes is nobody else's to read
    limit_memory(os.environ.get("MEM_LIMIT"))
    folder = make_folder(Path.home())
    os.chdir(folder)
    os.environ["TINYFRONTIER_PROGRESS"] = str(folder / ".progress.json")
    os.environ.setdefault("JUPYTERHUB_DEFAULT_URL", START_PAGE)  # a hub's server asks this, and not LabApp
    os.environ["JUPYTER_RUNTIME_DIR"] = str(runtime_of(Path.home()))
    from tinyfrontier.authoring import my_work

    try:
        lines = my_work.bring_up_to_date(folder).lines
    except (OSError, ValueError) as error:  # the server starts with the copies that there are
        lines = [f"the copies in my_work/ were not brought up to date: {error}"]
    print("\n".join(lines), file=sys.stderr)
    command = [*command_of(folder, "JUPYTERHUB_API_TOKEN" in os.environ), *arguments]
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
