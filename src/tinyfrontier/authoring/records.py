"""Measure what a lesson shows as recorded: `python -m tinyfrontier.authoring.records NN [--quick] [--renew]`.

Beside the lesson, `lessons/NN_slug/record.py` holds `SETTINGS`, small `QUICK` settings of the same names, and
`measure(lesson, **settings)`, which returns figures for a JSON file. `lesson` is `definitions(NN)`, so it is the
lesson's own code that is measured. `record.json` keeps settings, figures and a digest of all code that took part:
`record.py`, each definition of the lesson that it names as `lesson.NAME`, whatever of the lesson and of this package
these use in turn. Prose, comments, docstrings and layout are not part of it.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import math
import os
import re
import sys
import time
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType

from ..beside import Record, folder_of, load_record
from .lessons import ROOT, defines, definitions, lesson_path, read_lesson

PACKAGE = "tinyfrontier"  # not from __name__, which is __main__ when this file is run


def recorded(root: Path = ROOT) -> list[int]:
    """The numbers of the lessons with a record's recipe."""
    return sorted(int(path.parent.name[:2]) for path in (root / "lessons").glob("[0-9][0-9]_*/record.py"))


def recipe(lesson: int, root: Path = ROOT) -> ModuleType:
    """The recipe of a lesson's record.

    Raises:
        ValueError: if there is none, or it lacks one of its three names, or `QUICK` has other names than `SETTINGS`.
    """
    path = folder_of(lesson, root / "lessons") / "record.py"
    if not path.exists():
        raise ValueError(f"lesson must be one with a recipe for its record ({recorded(root)}), got {lesson}")
    module = ModuleType(f"record_of_lesson_{int(lesson):02d}")
    module.__file__ = str(path)
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec", dont_inherit=True), module.__dict__)
    missing = [name for name in ("SETTINGS", "QUICK", "measure") if not hasattr(module, name)]
    if missing:
        raise ValueError(f"{path.parent.name}/record.py lacks {', '.join(missing)}")
    if set(module.SETTINGS) != set(module.QUICK):
        raise ValueError(
            f"{path.parent.name}/record.py: QUICK must have the names of SETTINGS, {list(module.SETTINGS)}"
        )
    return module


def measured(lesson: int, root: Path = ROOT, *, quick: bool = False) -> Record:
    """Run the recipe on the lesson's present code: a record that was not written anywhere."""
    made = recipe(lesson, root)
    settings = made.QUICK if quick else made.SETTINGS
    start = time.process_time()
    figures = made.measure(definitions(lesson_path(lesson, root)), **settings)
    record = {
        "settings": settings,
        "figures": figures,
        "cpu_seconds": round(time.process_time() - start),
        "made_with": {name: metadata.version(name) for name in ("numpy", "torch")},
        "digest": digest(lesson, root),
    }
    return json.loads(json.dumps(record), object_hook=Record)


def make(lesson: int, root: Path = ROOT) -> Path:
    """Measure a record, with the quick settings too, and write it; returns the file."""
    record = measured(lesson, root)
    record["quick"] = measured(lesson, root, quick=True).figures
    return _write(lesson, record, root)


def renew(lesson: int, root: Path = ROOT) -> Path:
    """Write the present code's digest into a record whose quick figures this code still gives; returns the file.

    For a change that was not to change any result, such as a parameter that is not used here.

    Raises:
        ValueError: if a quick figure differs, so that the record must be measured anew.
    """
    record, now = load_record(lesson, root / "lessons"), measured(lesson, root, quick=True)
    if not _alike(record["quick"], now.figures):
        raise ValueError(f"lesson {lesson} must be measured anew: its quick figures changed to {now.figures}")
    record["digest"] = now.digest
    return _write(lesson, record, root)


def _write(lesson: int, record: Record, root: Path) -> Path:
    path = folder_of(lesson, root / "lessons") / "record.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return path


def _alike(one: object, other: object) -> bool:
    """Whether two figures are equal up to rounding; `cpu_seconds` are never the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[k], other[k]) for k in one if k != "cpu_seconds")
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-3, abs_tol=1e-6) or (one != one and other != other)
    return one == other


def stale(lesson: int, root: Path = ROOT) -> str:
    """What is wrong with a lesson's record, naming the file; empty if it belongs to the present code."""
    folder = folder_of(lesson, root / "lessons")
    name = f"lessons/{folder.name}/record.json"
    remake = f"remake it with `python -m tinyfrontier.authoring.records {int(lesson):02d}`"
    if not (folder / "record.json").exists():
        return f"{name} is missing; {remake}"
    if load_record(lesson, root / "lessons").digest != digest(lesson, root):
        return f"{name} is older than the code that it measures; {remake}"
    return ""


def keys(figures: object) -> object:
    """The names in `figures`, nested as they are; lists and keys of numbers depend on the settings."""
    if not isinstance(figures, dict):
        return None
    return {"#" if re.fullmatch(r"[-\d.,() ]+", key) else key: keys(figures[key]) for key in figures}


def digest(lesson: int, root: Path = ROOT) -> str:
    """A hash of all code of the course that takes part in a lesson's record, by its syntax trees."""
    path = lesson_path(lesson, root)
    cells = [cell.source for cell in read_lesson(path).cells if cell.kind == "code"]
    own = ast.Module([node for source in cells for node in ast.parse(source).body if defines(node)], [])
    tree = ast.parse((folder_of(lesson, root / "lessons") / "record.py").read_text(encoding="utf-8"))
    named = {
        node.attr for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "lesson"
    }  # fmt: skip
    parts = {("record", ""): _shape(tree)}
    sources = {"lesson": _defined(own)}
    waiting = [("lesson", name) for name in named]
    waiting += [target for node in tree.body for target in _imported(node, "").values()]
    while waiting:
        source, name = waiting.pop()
        if (source, name) in parts:
            continue
        if source not in sources:
            sources[source] = _defined(_tree_of(source))
        parts[source, name] = []
        for node in sources[source].get(name, []):
            if isinstance(node, (ast.Import, ast.ImportFrom)):  # other names of the same line take no part
                waiting += [target for local, target in _imported(node, source).items() if local == name]
                continue
            parts[source, name].append(_shape(node))
            used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
            waiting += [(source, other) for other in used & set(sources[source])]
            waiting += [target for part in ast.walk(node) for target in _imported(part, source).values()]
    text = json.dumps([[*key, parts[key]] for key in sorted(parts)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _tree_of(module: str) -> ast.Module:
    return ast.parse(Path(import_module(module).__file__).read_text(encoding="utf-8"))


def _defined(tree: ast.Module) -> dict[str, list[ast.stmt]]:
    """The statements of a module, or of a lesson's cells, by the names that they bind."""
    found: dict[str, list[ast.stmt]] = {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names = [node.name]
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.asname or alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
        else:
            names = []
        for name in names:
            found.setdefault(name, []).append(node)
    return found


def _imported(node: ast.AST, module: str) -> dict[str, tuple[str, str]]:
    """Names that an import statement takes from this package: the module that defines each, and its name there."""
    if not isinstance(node, ast.ImportFrom):
        return {}
    home = node.module or ""
    if node.level:
        base = module.split(".")
        is_package = hasattr(sys.modules.get(module), "__path__")
        base = base[: len(base) - node.level + is_package]
        home = ".".join([*base, *([home] if home else [])])
    if home.split(".")[0] != PACKAGE:
        return {}
    found = {}
    for alias in node.names:
        thing = getattr(import_module(home), alias.name)
        source = getattr(thing, "__module__", None)
        if not isinstance(source, str) or source.split(".")[0] != PACKAGE:
            source = home
        found[alias.asname or alias.name] = (source, alias.name)
    return found


def _shape(node: object) -> object:
    """A syntax tree as nested lists, without docstrings, the same in every version of Python."""
    if isinstance(node, list):
        return [_shape(part) for part in node if not _is_text(part)]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, value) for name, value in ast.iter_fields(node) if name not in ("ctx", "kind", "type_comment")]
    return [type(node).__name__, *([name, _shape(value)] for name, value in fields if value not in (None, []))]


def _is_text(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def main(arguments: list[str] | None = None) -> int:
    """Measure a record anew and write it."""
    parser = argparse.ArgumentParser(prog="python -m tinyfrontier.authoring.records", description=main.__doc__)
    parser.add_argument("lesson", type=int, metavar="NN", help="number of the lesson")
    parser.add_argument("--quick", action="store_true", help="try the recipe with its small settings, write nothing")
    parser.add_argument("--renew", action="store_true", help="keep the figures if the quick ones are still the same")
    given = parser.parse_args(arguments)
    try:
        if given.quick:
            print(json.dumps(measured(given.lesson, quick=True)["figures"], indent=1))
        else:
            print((renew if given.renew else make)(given.lesson).relative_to(ROOT))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    os.environ.update(
        OMP_NUM_THREADS="1", MKL_NUM_THREADS="1"
    )  # before the recipe imports torch: one thread, as a kernel
    sys.exit(main())
