"""Rules that hold for the whole repository: floors, hosts, paths, weights, sizes, glossary."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tinyfrontier.authoring.lessons import ROOT, find_lessons, read_lesson

PACKAGE = ROOT / "src" / "tinyfrontier"
FLOORS = {
    "data": 1,
    "models": 1,
    "training": 1,
    "beside": 1,
    "worlds": 2,
    "pretrained": 2,
    "show": 3,
    "exercises": 3,
    "authoring": 4,
}


def tracked() -> list[Path]:
    """The files of the repository, as git lists them; also new ones that are not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("this copy of the course is not a git checkout")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def rooms_imported(path: Path) -> set[str]:
    """The rooms of the package that a module imports, wherever the import stands."""
    package = list(path.relative_to(PACKAGE).parent.parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            parts = base + (node.module or "").split(".")
            names = [parts[0]] if parts[0] else [alias.name for alias in node.names]
            found.update(names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tinyfrontier."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found.update(a.name.split(".")[1] for a in node.names if a.name.startswith("tinyfrontier."))
    return found & set(FLOORS)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_room_imports_a_higher_one(path):
    """A lower floor never imports a higher one."""
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own.startswith("_"):
        own = "data"  # what the package itself and its private modules use must stand on the ground floor
    higher = {room for room in rooms_imported(path) if FLOORS[room] > FLOORS[own]}
    assert not higher


def test_only_the_checker_imports_a_lessons_exercises():
    """No module names an exercises file of a lesson in an import; the engine loads them by number."""
    for path in PACKAGE.rglob("*.py"):
        assert not re.search(r"import lesson_\d\d|exercises\.lesson_\d\d import", path.read_text(encoding="utf-8")), (
            path
        )


def test_no_file_names_a_package_host():
    """No file names the host of a package index."""
    hosts = re.compile(
        "|".join(["py" + "pi[.]org", "python" + "hosted", "download[.]py" + "torch", "ana" + "conda[.]org"])
    )
    for path in tracked():
        if path.suffix not in (".png", ".safetensors"):
            assert not hosts.search(path.read_text(encoding="utf-8", errors="replace")), path


def test_no_file_holds_a_path_of_one_machine():
    """No absolute path of a developer's machine stands in a file."""
    local = re.compile(r"(?<![\w.])/(?:root|work|home/\w+|Users/\w+)/[\w.]")
    for path in tracked():
        if path.suffix in (".md", ".py", ".ipynb", ".toml", ".yml", ".txt"):
            assert not local.search(path.read_text(encoding="utf-8")), path


def test_weights_are_safetensors_and_small():
    """No pickled file ships; weights stay under 3 MB each and 25 MB together, the checkout under 60 MB."""
    files = tracked()
    assert not [path for path in files if path.suffix in (".pt", ".pth", ".pkl", ".bin", ".ckpt", ".npy", ".npz")]
    weights = [path.stat().st_size for path in files if path.suffix == ".safetensors"]
    assert sum(weights) < 25e6
    assert all(size < 3e6 for size in weights)
    assert sum(path.stat().st_size for path in files) < 60e6


def glossary_rows() -> list[list[str]]:
    """The cells of the glossary's rows."""
    lines = (ROOT / "lessons" / "glossary.md").read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]


def test_the_glossary_is_sorted_whole_and_bilingual():
    """Each term stands once, in order, with a Chinese term, a sentence, and the number of a finished lesson."""
    rows = glossary_rows()
    lessons = {path.stem[:2] for path in find_lessons()}
    terms = [row[0] for row in rows]
    assert terms == sorted(set(terms), key=str.lower)
    for row in rows:
        assert len(row) == 4, row
        assert re.search(r"[\u4e00-\u9fff]", row[1]), row
        assert len(row[2].split()) >= 4, row
        assert row[2].endswith("."), row
        assert row[3] in lessons, row


@pytest.mark.parametrize("path", find_lessons()[1:], ids=lambda path: path.stem)
def test_each_lesson_adds_terms_to_the_glossary(path):
    """A finished lesson has explained at least five terms."""
    assert sum(row[3] == path.stem[:2] for row in glossary_rows()) >= 5


@pytest.mark.parametrize("path", find_lessons()[1:], ids=lambda path: path.stem)
def test_a_lesson_has_its_standing_sections(path):
    """Each lesson says what the real system adds, and what it did not show, after its verdict, with references."""
    lesson = read_lesson(path)
    text = path.read_text(encoding="utf-8")
    wild, verdict = text.index("## In the wild"), lesson.tagged("verdict")[-1].line
    shown = text.index("## What this did not show")
    assert wild < shown
    assert verdict < text[:shown].count("\n") + 1
    assert "https://" in text[shown:]


@pytest.mark.parametrize("path", find_lessons()[1:], ids=lambda path: path.stem)
def test_a_check_hands_back_the_function_to_go_on_with(path):
    """`name = check(name)`: without the assignment a student's unsolved copy stops at the next cell."""
    cells = [cell.source.strip() for cell in read_lesson(path).tagged("check")]
    assert cells
    for source in cells:
        assert re.fullmatch(r"(\w+) = check\(\1\)", source), source


def test_the_contributing_table_names_real_files():
    """What CONTRIBUTING calls derived exists, and each command in the README is one of the launcher's."""
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name in ("lessons/README.md", "lessons/signatures.png", "lessons/curriculum.yml"):
        assert name in table
        assert (ROOT / name).exists()
    commands = set(re.findall(r"python3 course\.py (\w+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    launcher = (ROOT / "course.py").read_text(encoding="utf-8")
    assert commands == {"lab", "update", "test", "build", "grade", "site", "kit", "hub", "doctor", "bench"}
    assert all(f'"{command}":' in launcher for command in commands)


def asks(source: str) -> tuple[bool, bool]:
    """Whether code asks for the fastest device or Apple's by name, and whether it asks for float64."""
    tree = ast.parse(source)
    words = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    words |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return "device" in called or "mps" in texts | words, bool(words & {"float64", "double", "set_default_dtype"})


def test_asking_is_recognised():
    """The check below sees both halves in the forms in which a lesson would write them."""
    assert asks("x = torch.zeros(3).to(device()).double()") == (True, True)
    assert asks('y = torch.zeros(3, dtype=torch.float64, device="mps")') == (True, True)
    assert asks("z = torch.zeros(3, device=x.device)") == (False, False)


@pytest.mark.parametrize("path", find_lessons(), ids=lambda path: path.stem)
def test_no_lesson_asks_apples_chip_for_float64(path):
    """Apple's MPS has no float64: a lesson that moves to the fastest device does without it."""
    code = "\n".join(cell.source for cell in read_lesson(path).cells if cell.kind == "code")
    moves, double = asks(code)
    assert not (moves and double)


@pytest.mark.parametrize("path", find_lessons(), ids=lambda path: path.stem)
def test_a_lesson_has_one_title(path):
    """One heading of the first level, at the top; the site and the slides count on it."""
    prose = "\n\n".join(cell.source for cell in read_lesson(path).cells if cell.kind == "markdown")
    titles = re.findall(r"^# .+", re.sub(r"```.*?```", "", prose, flags=re.S), flags=re.M)
    assert len(titles) == 1
    assert prose.startswith(titles[0])
