"""A kit holds the course and every wheel that its machines need; wheels are followed by their own metadata."""

import json
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from tinyfrontier.authoring import kit

PYTHON = "{}.{}".format(*sys.version_info[:2])


def tiny_wheel(folder, name, version, *needs, tag="py3-none-any"):
    """A wheel with nothing in it but its name and what it asks for."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-{tag}.whl", "w") as archive:
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        archive.writestr(f"{info}/METADATA", "\n".join([*lines, *(f"Requires-Dist: {need}" for need in needs)]) + "\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index of a folder: all that pip can reach."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in kit.BUILDERS:
        tiny_wheel(folder, name, "1.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


@pytest.fixture
def course(tmp_path):
    """A course that asks for one package, whose version is pinned, as are those that it brings."""
    root = tmp_path / "course"
    root.mkdir()
    (root / "pyproject.toml").write_text('[project]\nname = "tinyfrontier"\ndependencies = ["lab[tools]>=1"]\n')
    (root / "constraints.txt").write_text('# pins\nlab==1.2\ncolour==2.0 ; sys_platform == "win32"\ntool==3.0\n')
    (root / "course.py").write_text("print('course')\n")
    return root


@pytest.fixture
def wheels(tmp_path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


def names(folder):
    return sorted(path.name for path in folder.glob("*.whl"))


def test_the_closure_follows_extras_pins_and_the_other_platforms_markers(index, course, wheels):
    """For Windows comes what only Windows needs, in its own wheel, at the pinned version; extras bring their needs."""
    needs = [
        'colour; sys_platform == "win32"',
        'other; sys_platform == "darwin"',
        'tool; extra == "tools"',
        'no; extra == "x"',
    ]
    tiny_wheel(index, "lab", "1.2", *needs)
    tiny_wheel(index, "lab", "1.9")
    tiny_wheel(index, "tool", "3.0", "deep>=1")
    tiny_wheel(index, "deep", "1.1")
    tiny_wheel(index, "colour", "2.0", tag="cp312-cp312-win_amd64")
    tiny_wheel(index, "colour", "2.0", tag="cp312-cp312-manylinux_2_28_x86_64")
    assert kit.fetch(wheels, "windows", "3.12", course) == 6
    wanted = ["colour-2.0-cp312-cp312-win_amd64.whl", "deep-1.1-py3-none-any.whl", "editables-1.0-py3-none-any.whl"]
    assert names(wheels) == [
        *wanted, "hatchling-1.0-py3-none-any.whl", "lab-1.2-py3-none-any.whl", "tool-3.0-py3-none-any.whl"
    ]  # fmt: skip


def test_a_second_platform_adds_only_its_own(index, course, wheels):
    """What fits any machine is fetched once; a wheel for another machine does not serve this one."""
    tiny_wheel(index, "lab", "1.2", tag="cp312-cp312-win_amd64")
    tiny_wheel(index, "lab", "1.2", tag="cp312-cp312-macosx_11_0_arm64")
    kit.fetch(wheels, "windows", "3.12", course)
    assert "lab-1.2-cp312-cp312-macosx_11_0_arm64.whl" not in names(wheels)
    kit.fetch(wheels, "mac", "3.12", course)
    assert len(names(wheels)) == 4
    assert "lab-1.2-cp312-cp312-macosx_11_0_arm64.whl" in names(wheels)


def test_a_package_without_a_wheel_is_named(index, course, wheels):
    """Where a wheel cannot be had, the kit says which, and is not called done."""
    tiny_wheel(index, "lab", "1.2", "rare")
    with pytest.raises(ValueError, match=r"not every wheel can be had: .*rare"):
        kit.fetch(wheels, "this", PYTHON, course)


def test_a_repacked_wheel_installs_to_the_same_files(wheels, tmp_path):
    """A wheel made from an installed package installs, without a network, to the files that it was made from."""
    path = kit.repack("packaging", wheels)
    target = tmp_path / "target"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-index",
        "--no-deps",
        "--target",
        str(target),
        str(path),
    ]
    subprocess.run(command, check=True, capture_output=True)
    files = [file for file in metadata.distribution("packaging").files if file.suffix == ".py"]
    assert len(files) > 10
    for file in files:
        assert (target / file).read_bytes() == Path(file.locate()).read_bytes()


def test_what_is_not_installed_is_not_repacked(wheels):
    """A name that is no installed package is refused."""
    with pytest.raises(ValueError, match="name must be an installed package, got nothing-of-that-name"):
        kit.repack("nothing-of-that-name", wheels)


def test_the_course_is_copied_without_what_is_the_users(course, tmp_path):
    """Without git, all goes along but the environment, the student's work and what Python leaves behind."""
    for name in (".venv/x", "my_work/01.ipynb", "site/index.html", "src/__pycache__/a.pyc", ".progress.json"):
        (course / name).parent.mkdir(parents=True, exist_ok=True)
        (course / name).write_text("mine")
    (course / ".ci").mkdir()
    (course / ".ci/run").write_text("#!/bin/bash\n")
    target = tmp_path / "copy"
    assert kit.copy_course(target, course) == 4
    found = sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
    assert found == [".ci/run", "constraints.txt", "course.py", "pyproject.toml"]


def test_with_git_its_own_list_is_copied(course, tmp_path):
    """In a checkout only tracked files go along."""
    subprocess.run(["git", "-C", course, "init", "-q"], check=True)
    subprocess.run(["git", "-C", course, "add", "course.py"], check=True)
    assert kit.copy_course(tmp_path / "copy", course) == 1


def test_a_kit_says_what_it_serves(index, course, tmp_path, capsys, monkeypatch):
    """START.txt and about.json name platforms and Pythons; the course lies beside its wheels."""
    tiny_wheel(index, "lab", "1.2")
    folder = tmp_path / "stick"
    kit.write_kit(folder, ["windows", "mac"], ["3.12"], with_site=False, root=course)
    about = json.loads((folder / "tiny-frontier/wheels/about.json").read_text())
    assert about == {"platforms": ["Windows", "macOS arm64"], "pythons": ["3.12"]}
    start = (folder / "START.txt").read_text()
    assert "for Windows, macOS arm64 with Python 3.12" in start
    assert "python3 course.py lab" in start
    assert "site/index.html" not in start
    assert (folder / "tiny-frontier/course.py").exists()
    assert "wheels for Windows, Python 3.12: 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("inside", "python", "message"),
    [
        ("course/kit", PYTHON, "outside the course"),
        ("full", PYTHON, "new or empty"),
        ("new", "2.7", "3.11 on, got 2.7"),
    ],
)
def test_a_wrong_folder_or_python_is_refused(course, tmp_path, inside, python, message):
    """Nothing is written into the course itself, over something else, or for a Python that it does not know."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    with pytest.raises(ValueError, match=message):
        kit.write_kit(tmp_path / inside, ["this"], [python], with_site=False, root=course)
    assert not (tmp_path / "new").exists()
