"""The lists of packages agree with one another and with what is installed; the package itself imports lightly."""

import os
import re
import subprocess
import tomllib
from importlib import metadata

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import tinyfrontier
from tinyfrontier.authoring.lessons import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIREMENTS = [Requirement(text) for texts in (PROJECT["dependencies"], *EXTRAS.values()) for text in texts]
CONSTRAINTS = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]
as_tested = pytest.mark.skipif(
    os.environ.get("TINYFRONTIER_VERSIONS", "tested") != "tested", reason="other versions were asked for"
)


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def version_of(constraint: Requirement) -> str:
    return next(iter(constraint.specifier)).version


def test_each_requirement_has_a_tested_version_in_its_range():
    """What pyproject.toml asks for stands in constraints.txt, at a version that the range allows."""
    for requirement in REQUIREMENTS:
        found = [version_of(line) for line in CONSTRAINTS if plain(line.name) == plain(requirement.name)]
        assert len(found) == 1, requirement
        assert requirement.specifier.contains(found[0]), requirement


def test_each_requirement_is_a_range():
    """A requirement names its oldest version, and pins none, so that it does not rot."""
    for requirement in REQUIREMENTS:
        operators = {part.operator for part in requirement.specifier}
        assert ">=" in operators, requirement
        assert "==" not in operators, requirement
        assert requirement.url is None, requirement


def test_constraints_are_exact_and_hold_everywhere():
    """Each line is one exact public version, without a build of one platform; a name comes twice only with markers."""
    for line in CONSTRAINTS:
        operators = [part.operator for part in line.specifier]
        assert operators == ["=="], line
        assert Version(version_of(line)).local is None, line
        assert not re.match(r"(nvidia|cuda|triton)\b", line.name), line
        twins = [other for other in CONSTRAINTS if plain(other.name) == plain(line.name)]
        assert len(twins) == 1 or all(twin.marker for twin in twins), line


def test_each_version_is_pinned_once_for_any_python():
    """Markers never leave two lines for one package in force together, whatever the platform or Python."""
    for python in ("3.11.2", "3.11.9", "3.12.4", "3.13.0", "3.14.0"):
        for platform in ("linux", "darwin", "win32"):
            surroundings = {"python_full_version": python, "sys_platform": platform}
            names = [
                plain(line.name) for line in CONSTRAINTS if line.marker is None or line.marker.evaluate(surroundings)
            ]
            assert len(names) == len(set(names))


@as_tested
def test_what_is_installed_is_what_is_tested():
    """The running environment holds the tested version of each listed package that it holds at all."""
    other = []
    for line in CONSTRAINTS:
        if line.marker is not None and not line.marker.evaluate():
            continue
        try:
            installed = Version(metadata.version(line.name))
        except metadata.PackageNotFoundError:
            continue
        if installed.public != version_of(line):
            other.append(f"{line.name} {installed}, tested {version_of(line)}")
    assert other == []


@as_tested
def test_every_installed_package_has_a_tested_version():
    """What the requirements bring with them is pinned too, so that a learner gets what was tested."""
    pinned, waiting, seen = {plain(line.name) for line in CONSTRAINTS}, ["tinyfrontier"], set()
    while waiting:
        name = waiting.pop()
        for text in metadata.requires(name) or []:
            requirement = Requirement(text)
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if wanted and plain(requirement.name) not in seen:
                seen.add(plain(requirement.name))
                waiting.append(requirement.name)
    cuda = {name for name in seen if re.match(r"(nvidia|cuda|triton)\b", name)}  # PyTorch pins these itself
    assert seen - cuda - pinned == set()


def test_every_requirement_is_installed():
    """The environment in which the tests run is complete, test tools included."""
    for requirement in REQUIREMENTS:
        assert requirement.specifier.contains(metadata.version(requirement.name), prereleases=True), requirement


def test_the_environment_file_leaves_the_lists_to_pip():
    """From conda come Python and pip alone; pip installs the package itself under the constraints."""
    file = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *conda, through_pip = file["dependencies"]
    assert [re.match(r"\w+", entry).group() for entry in conda] == ["python", "pip"]
    assert through_pip == {"pip": ["-c constraints.txt", "-e ."]}
    python = SpecifierSet(conda[0].removeprefix("python").strip())
    wanted = SpecifierSet(PROJECT["requires-python"])
    for minor in range(9, 15):
        assert (Version(f"3.{minor}") in python) == (Version(f"3.{minor}") in wanted)


def test_the_launcher_asks_for_the_same_python():
    """course.py and pyproject.toml agree on the oldest Python."""
    oldest = re.search(r"OLDEST_PYTHON = \((\d+), (\d+)\)", (ROOT / "course.py").read_text(encoding="utf-8"))
    assert PROJECT["requires-python"] == f">={oldest[1]}.{oldest[2]}"


@pytest.mark.parametrize(
    "name", ["pyproject.toml", "constraints.txt", "environment.yml", "course.py", "Makefile", ".ci/run"]
)
def test_no_package_host_is_named(name):
    """Where packages come from is for each machine to say: no file of the installation names a host."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"\w+://|--(extra-)?index-url|--find-links|\bpypi\.|\bpytorch\.org", text)


def test_make_knows_the_launchers_words():
    """Each command of course.py is a target of the Makefile."""
    launcher = (ROOT / "course.py").read_text(encoding="utf-8")
    commands = re.findall(r'^    "(\w+)": ', launcher[launcher.index("COMMANDS = {") :], re.MULTILINE)
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert len(commands) == 10
    assert f"\n{' '.join(commands)}:\n" in targets


@pytest.mark.skipif(os.name == "nt", reason="the CI script is for bash")
def test_the_ci_script_is_sound():
    """The CI script can be executed, bash accepts it, and it runs the launcher's tests."""
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert "course.py test" in script.read_text(encoding="utf-8")


def test_modules_load_when_they_are_used():
    """Rooms of the package are attributes without being imported first; other names are refused."""
    assert tinyfrontier.data.__name__ == "tinyfrontier.data"
    assert {"data", "exercises", "show", "training"} <= set(dir(tinyfrontier))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = tinyfrontier.nothing


def test_the_version_is_said_once():
    """The package's version is the one that is installed."""
    assert tinyfrontier.__version__ == metadata.version("tinyfrontier")
