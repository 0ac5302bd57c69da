"""A folder, or a USB stick, from which the course starts without a network: `python3 course.py kit FOLDER`.

The folder gets the course's files, the wheels of all packages for the chosen platforms, and the static site. The
launcher finds `wheels/` beside itself and installs from there. Depends on pip alone; PyTorch's CPU build comes out of
this environment, because pip cannot ask for it by name.
"""

from __future__ import annotations

import argparse
import base64
import email.parser
import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from .lessons import ROOT

HERE = "{}.{}".format(*sys.version_info[:2])  # the Python that makes the kit
WHEELS = "wheels"
BUILDERS = ("hatchling", "editables")  # what pip asks for to install the course itself from its folder
LEFT_OUT = {".git", ".venv", "my_work", "site", WHEELS, "wip", "build", "dist", "source", "release", "submitted"}
# pip's names for a platform, and what its markers see there; "this" is the machine on which the kit is made
PLATFORMS = {
    "this": ([], {}),
    "windows": (
        ["win_amd64"],
        {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
    ),
    "mac": (
        ["macosx_14_0_arm64", "macosx_14_0_universal2"],
        {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": "arm64"},
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Write a kit; return 1, with one sentence, if a wheel cannot be had."""
    parser = argparse.ArgumentParser(prog="course.py kit", description="Writes a folder that needs no network.")
    parser.add_argument("folder", type=Path, help="where to: a new folder, perhaps on a USB stick")
    parser.add_argument(
        "--platform", nargs="+", choices=sorted(PLATFORMS), default=["this"], help="for which machines (default: this)"
    )
    parser.add_argument("--python", nargs="+", default=[HERE], metavar="3.12", help=f"which Pythons (default: {HERE})")
    parser.add_argument("--without-site", action="store_true", help="leave the pages for reading out")
    chosen = parser.parse_args(arguments)
    try:
        write_kit(chosen.folder, chosen.platform, chosen.python, with_site=not chosen.without_site)
    except ValueError as error:
        print(f"course.py kit: {error}", file=sys.stderr)
        return 1
    return 0


def write_kit(
    folder: Path, platforms: list[str], pythons: list[str], *, with_site: bool = True, root: Path = ROOT
) -> None:
    """Write the course, its wheels and its site into the new folder `folder`.

    Raises:
        ValueError: if the folder holds something, a Python is not one of the course's, or a wheel is not to be had.
    """
    folder = Path(folder).resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"folder must be new or empty, got {folder}")
    if folder.is_relative_to(root.resolve()):
        raise ValueError(f"folder must lie outside the course, got {folder}")
    for version in pythons:
        if not re.fullmatch(r"3\.\d+", version) or int(version[2:]) < 11:
            raise ValueError(f"--python takes versions such as 3.11, from 3.11 on, got {version}")
    course = folder / "tiny-frontier"
    wheels = course / WHEELS
    wheels.mkdir(parents=True)
    copied = copy_course(course, root)
    print(f"  course: {copied} files", flush=True)
    if "this" in platforms and HERE in pythons:
        repack("torch", wheels)
    for name in platforms:
        for version in pythons:
            count = fetch(wheels, name, version, root)
            print(f"  wheels for {_words(name)}, Python {version}: {count}", flush=True)
    about = {"platforms": [_words(name) for name in platforms], "pythons": pythons}
    (wheels / "about.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    if with_site:
        from .site import build_site

        build_site(course / "site", root=root)
        print("  site: open tiny-frontier/site/index.html", flush=True)
    (folder / "START.txt").write_text(_start(about, with_site), encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9
    print(f"{size:.2f} GB in {folder}; START.txt says how to begin.")


def _words(name: str) -> str:
    return (
        f"{platform.system()} {platform.machine()}" if name == "this" else {"mac": "macOS arm64"}.get(name, "Windows")
    )


def _start(about: dict, with_site: bool) -> str:
    reading = "To read without installing, open tiny-frontier/site/index.html in a browser.\n\n" if with_site else ""
    return (
        f"Tiny Frontier, for {', '.join(about['platforms'])} with Python {', '.join(about['pythons'])}.\n\n{reading}"
        "To work: copy the folder tiny-frontier to your own disk, open a terminal in it, and start\n\n"
        "    python3 course.py lab\n\nThe first start installs from the folder wheels/ and needs no network.\n"
    )


def copy_course(target: Path, root: Path = ROOT) -> int:
    """Copy what belongs to the course: git's own list where there is one, else all but what the launcher made."""
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        names = [name for name in listed.stdout.decode().split("\0") if name and (root / name).is_file()]
    else:
        every = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
        names = [path.as_posix() for path in every if not _made_here(path)]
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, target / name)
    return len(names)


def _made_here(path: Path) -> bool:
    first, parts = path.parts[0], set(path.parts)
    return first in LEFT_OUT or first.startswith((".progress", ".venv")) or "__pycache__" in parts


# ------------------------------------------------------------------------------------------------------ the wheels


def fetch(wheels: Path, name: str, python: str, root: Path = ROOT) -> int:
    """Put all wheels into `wheels` that a platform and a Python need; return how many that are.

    The closure of the course's requirements is followed by the metadata of the wheels themselves, with the markers of
    the platform that is asked for, at the versions of constraints.txt.

    Raises:
        ValueError: if one cannot be had as a wheel.
    """
    tags, differs = PLATFORMS[name]
    world = {**default_environment(), **differs, "python_version": python, "python_full_version": f"{python}.0"}
    if python == HERE and name == "this":
        world["python_full_version"] = platform.python_version()
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = _pins(root, world)
    waiting, seen = [Requirement(text) for text in (*project["dependencies"], *BUILDERS)], {}
    while waiting:
        level: dict[str, str] = {}
        for requirement in waiting:
            key = canonicalize_name(requirement.name)
            extras = frozenset(requirement.extras)
            if key not in seen or not extras <= seen[key]:
                seen[key] = seen.get(key, frozenset()) | extras
                level[key] = f"{requirement.name}=={pins[key]}" if key in pins else str(requirement).split(";")[0]
        have = _have(wheels)
        missing = [text for key, text in level.items() if not _fits(have.get(key, ()), pins.get(key), tags, python)]
        if missing:
            _download(wheels, missing, tags, python)
            have = _have(wheels)
        waiting = [need for key in level for need in _needs(wheels, have, key, pins.get(key), seen[key], world)]
    return len(seen)


def _pins(root: Path, world: dict) -> dict[str, str]:
    pins = {}
    for line in (root / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            pin = Requirement(line)
            if pin.marker is None or pin.marker.evaluate(world):
                pins[canonicalize_name(pin.name)] = next(iter(pin.specifier)).version
    return pins


def _have(wheels: Path) -> dict[str, list[Path]]:
    have: dict[str, list[Path]] = {}
    for path in sorted(wheels.glob("*.whl")):
        have.setdefault(parse_wheel_filename(path.name)[0], []).append(path)
    return have


def _fits(paths: Iterable[Path], version: str | None, tags: list[str], python: str) -> bool:
    """Whether one of the wheels is of this version, and for any machine or for the one that is asked for."""
    for path in paths:
        _, found, _, wheel_tags = parse_wheel_filename(path.name)
        right = version is None or found.public == version
        anywhere = any(tag.platform == "any" and tag.interpreter.startswith("py") for tag in wheel_tags)
        own = (
            path.name.startswith("torch-")
            and not tags
            and any(python.replace(".", "") in t.interpreter for t in wheel_tags)
        )
        if right and (anywhere or own):
            return True
    return False


def _needs(
    wheels: Path, have: dict, key: str, version: str | None, extras: frozenset, world: dict
) -> list[Requirement]:
    """What one wheel asks for in a world of markers."""
    for path in have.get(key, ()):
        if version is None or parse_wheel_filename(path.name)[1].public == version:
            break
    else:
        raise ValueError(f"{key} has no wheel in {wheels} after it was fetched")
    with zipfile.ZipFile(path) as archive:
        name = next(n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
        about = email.parser.Parser().parsestr(archive.read(name).decode("utf-8"))
    needs = [Requirement(text) for text in about.get_all("Requires-Dist") or []]
    worlds = [{**world, "extra": extra} for extra in ("", *extras)]
    return [need for need in needs if need.marker is None or any(need.marker.evaluate(one) for one in worlds)]


def _download(wheels: Path, requirements: list[str], tags: list[str], python: str) -> None:
    options = ["--no-deps", "--only-binary=:all:", "--dest", str(wheels), "--find-links", str(wheels), "--quiet"]
    if (ROOT / WHEELS).is_dir():
        options += ["--find-links", str(ROOT / WHEELS)]
    if tags or python != HERE:
        options += [part for tag in tags for part in ("--platform", tag)]
        options += ["--python-version", python]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", *options]
    ran = subprocess.run([*command, *requirements], capture_output=True, text=True, check=False)
    if ran.returncode:
        lines = [line for line in ran.stderr.splitlines() if line.startswith("ERROR")] or ran.stderr.splitlines()[-1:]
        raise ValueError(f"not every wheel can be had: {' '.join(lines)[:400]}")


def repack(name: str, wheels: Path) -> Path:
    """Make a wheel of an installed package again, from the list of its files, without its compiled caches.

    Raises:
        ValueError: if the package is not installed from a wheel.
    """
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise ValueError(f"name must be an installed package, got {name}") from None
    about = found.read_text("WHEEL")
    if about is None or not found.files:
        raise ValueError(f"{name} was not installed from a wheel, so none can be made of it")
    tags = [line.split(":")[1].strip() for line in about.splitlines() if line.startswith("Tag:")]
    stem = f"{name.replace('-', '_')}-{found.version}"
    target = wheels / f"{stem}-{tags[0]}.whl"
    records, scripts = [], {entry.name for entry in found.entry_points.select(group="console_scripts")}
    info = f"{stem}.dist-info"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        for file in found.files:
            path = Path(file.locate())
            inside = file.as_posix()
            if path.suffix == ".pyc" or file.name in ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json"):
                continue
            if inside.startswith(".."):
                if file.stem in scripts:
                    continue  # pip makes these anew
                inside = f"{stem}.data/scripts/{file.name}" if file.parent.name in ("bin", "Scripts") else ""
            if not inside or not path.is_file():
                continue
            digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).decode().rstrip("=")
            records.append(f"{inside},sha256={digest},{path.stat().st_size}")
            archive.write(path, inside)
        archive.writestr(f"{info}/RECORD", "\n".join([*records, f"{info}/RECORD,,"]) + "\n")
    return target


if __name__ == "__main__":
    sys.exit(main())
