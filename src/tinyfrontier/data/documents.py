"""Documentation and source code that ship with Python and with the course's packages, read when asked for.

The files are parsed, never imported, so that reading is quick, has no side effects and always comes in the same order.
"""

import ast
import gc
import inspect
import os
import sys
import sysconfig
import warnings
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from .text import TextCorpus, check_split

LICENCES = {
    "python": "PSF-2.0, Copyright Python Software Foundation",
    "numpy": "BSD-3-Clause, Copyright NumPy Developers",
    "scipy": "BSD-3-Clause, Copyright SciPy Developers",
    "sklearn": "BSD-3-Clause, Copyright the scikit-learn developers",
    "matplotlib": "Matplotlib licence (PSF-based), Copyright Matplotlib Development Team",
    "networkx": "BSD-3-Clause, Copyright NetworkX Developers",
    "sympy": "BSD-3-Clause, Copyright SymPy Development Team",
    "torch": "BSD-3-Clause, Copyright Meta Platforms and contributors",
}
# Tests, other people's code in a package, and generated code: not this package's documentation.
_SKIPPED = {"_vendor", "external", "externals", "extern", "idlelib", "site-packages", "test", "tests", "_inductor"}


@dataclass(frozen=True)
class Document:
    """The documentation of one module.

    Attributes:
        package: a key of `LICENCES`, such as "numpy".
        module: dotted name, such as "numpy.linalg".
        entries: (dotted name of a function, class or module; its paragraphs), in the order of the file.
    """

    package: str
    module: str
    entries: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def paragraphs(self) -> tuple[str, ...]:
        """All paragraphs, in order."""
        return tuple(paragraph for _, paragraphs in self.entries for paragraph in paragraphs)

    @property
    def text(self) -> str:
        """All entries, each under a line with its name: `# numpy.linalg.norm`."""
        return "\n\n".join("\n\n".join([f"# {name}", *paragraphs]) for name, paragraphs in self.entries)


@dataclass(frozen=True)
class Documentation:
    """Documents in two parts that share no paragraph.

    Attributes:
        train: documents to learn from.
        test: documents held out.
        source: where the text comes from.
        licence: the terms that each package is shared under.
    """

    train: tuple[Document, ...]
    test: tuple[Document, ...]
    source: str
    licence: str

    @property
    def train_text(self) -> str:
        """The training documents as one text."""
        return "\n\n".join(document.text for document in self.train)

    @property
    def test_text(self) -> str:
        """The held-out documents as one text."""
        return "\n\n".join(document.text for document in self.test)


def documentation(
    packages: Iterable[str] = ("python", "numpy", "scipy", "sklearn", "matplotlib", "networkx"),
    *,
    test_share: float = 0.1,
    seed: int = 0,
    max_characters: int | None = None,
) -> Documentation:
    """Docstrings of the standard library and of installed packages, split by module into training and held-out parts.

    Whether a module is held out depends on its name and `seed` alone, so it falls into the same part for any choice of
    packages and in any version of them. Every paragraph is kept at one place only; where both parts have it, it
    belongs to the held-out part. The text belongs to the installed versions: sizes differ a little between them.

    Args:
        packages: keys of `LICENCES`.
        test_share: share of the modules to hold out, between 0 and 1.
        seed: which modules are held out, and the order in which they are read.
        max_characters: stop reading a package once this many characters are found in it; None reads everything.

    Raises:
        TypeError: if `seed` is not an int or `test_share` is not a number.
        ValueError: if a package is unknown, named twice or not installed, or a number is out of range.
    """
    packages = _check(packages, test_share, seed, max_characters)
    found = [module for package in packages for module in _docstrings(package, seed, max_characters)]
    found.sort(key=lambda module: not _held_out(module[1], test_share, seed))
    seen: set[str] = set()
    parts: tuple[list[Document], list[Document]] = ([], [])
    for package, module, docstrings in found:
        entries = tuple((name, kept) for name, text in docstrings if (kept := _unseen(text, seen)))
        if entries:
            parts[_held_out(module, test_share, seed)].append(Document(package, module, entries))
    return Documentation(
        train=tuple(parts[0]),
        test=tuple(parts[1]),
        source="docstrings of " + ", ".join(map(_title, packages)),
        licence="; ".join(f"{package}: {LICENCES[package]}" for package in packages),
    )


def python_source(
    max_characters: int | None = 2_000_000,
    *,
    packages: Iterable[str] = ("python",),
    test_share: float = 0.1,
    seed: int = 0,
) -> TextCorpus:
    """Python source code without its docstrings, split by module: a second domain beside `documentation`.

    Docstrings and comments on lines of their own are dropped, so that nothing of `documentation` comes back. A module
    is held out here exactly when it is held out there.

    Args:
        max_characters: stop reading a package once this many characters are found in it; None reads everything.
        packages: keys of `LICENCES`.
        test_share: share of the modules to hold out, between 0 and 1.
        seed: which modules are held out, and the order in which they are read.

    Raises:
        TypeError: if `seed` is not an int or `test_share` is not a number.
        ValueError: if a package is unknown, named twice or not installed, or a number is out of range.
    """
    packages = _check(packages, test_share, seed, max_characters)
    parts: tuple[list[bytes], list[bytes]] = ([], [])
    for package in packages:
        count = 0
        for module, source in _sources(package, seed):
            code = _code_alone(source)
            if code.strip():
                parts[_held_out(module, test_share, seed)].append(code.encode())
                count += len(code)
            if max_characters is not None and count >= max_characters:
                break
    return TextCorpus(
        train=b"\n\n".join(parts[0]),
        test=b"\n\n".join(parts[1]),
        source="source code of " + ", ".join(map(_title, packages)),
        licence="; ".join(f"{package}: {LICENCES[package]}" for package in packages),
    )


def _check(packages, test_share, seed, max_characters) -> tuple[str, ...]:
    packages = (packages,) if isinstance(packages, str) else tuple(packages)
    if not packages or len(set(packages)) < len(packages):
        raise ValueError(f"packages must name at least one package, and each once, got {packages}")
    for package in packages:
        if package not in LICENCES:
            raise ValueError(f"packages must be among {', '.join(LICENCES)}, got {package!r}")
    check_split(test_share, seed)
    if max_characters is not None and not (isinstance(max_characters, int) and max_characters > 0):
        raise ValueError(f"max_characters must be a positive int or None, got {max_characters!r}")
    return packages


def _rank(module: str, seed: int) -> float:
    """A number in [0, 1) that belongs to the module's name."""
    return zlib.crc32(f"{seed}:{module}".encode()) / 2**32


def _held_out(module: str, test_share: float, seed: int) -> bool:
    return _rank(module, seed) < test_share


def _root(package: str) -> Path:
    if package == "python":
        return Path(sysconfig.get_path("stdlib"))
    spec = find_spec(package)  # a top-level package is found without importing it
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"packages: {package} is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


def _title(package: str) -> str:
    if package == "python":
        return f"Python {sys.version_info[0]}.{sys.version_info[1]}"
    from importlib.metadata import version

    return f"{package} {version('scikit-learn' if package == 'sklearn' else package)}"


def _sources(package: str, seed: int) -> Iterator[tuple[str, str]]:
    """(dotted module name, source) of every file, in an order that the names and the seed decide."""
    root = _root(package)
    files = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in _SKIPPED and name.isidentifier()]
        for name in names:
            stem, ending = os.path.splitext(name)
            if ending != ".py" or stem.startswith("test_"):
                continue
            path = Path(folder, name)
            dotted = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix("__init__").rstrip(".")
            module = dotted if package == "python" else f"{package}.{dotted}".rstrip(".")
            files.append((module, path))
    # Decorrelated from the held-out draw, so that a character limit does not read the held-out modules first.
    files.sort(key=lambda file: (_rank("order " + file[0], seed), file[0]))
    for module, path in files:
        try:
            yield module, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def _docstrings(
    package: str, seed: int, max_characters: int | None
) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """(package, module, [(name, docstring)]) until the limit is reached."""
    count = 0
    for module, source in _sources(package, seed):
        tree = _parsed(source)
        docstrings = [] if tree is None else list(_walk(tree, module))
        if docstrings:
            yield package, module, docstrings
        count += sum(len(text) for _, text in docstrings)
        if max_characters is not None and count >= max_characters:
            return


def _parsed(source: str) -> ast.Module | None:
    """The syntax tree of `source`, or None where this Python cannot read it."""
    # The collector would search the millions of new nodes for cycles, again and again; they hold none.
    collecting = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings(action="ignore"):  # other people's odd backslashes are not the reader's concern
            return ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    finally:
        if collecting:
            gc.enable()


def _walk(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    """(dotted name, docstring) of `node` and of what is defined in it, from top to bottom."""
    body = node.body
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        yield name, inspect.cleandoc(first.value.value)
    for child in body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _walk(child, f"{name}.{child.name}")
        elif isinstance(child, ast.Expr) and isinstance(child.value, ast.Call):
            yield from _added_later(child.value)


def _added_later(call: ast.Call) -> Iterator[tuple[str, str]]:
    """The docstring in a call such as numpy's `add_newdoc("numpy.linalg", "norm", text)`."""
    named = isinstance(call.func, ast.Name) and call.func.id in ("add_newdoc", "add_docstr", "_add_docstr")
    words = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    for argument in call.args:
        if isinstance(argument, ast.Tuple) and len(argument.elts) == 2:  # ("method", text)
            words += [e.value for e in argument.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)]
    if named and words and len(words[-1]) > 40:
        name = ".".join(word for word in words[:-1] if "\n" not in word and " " not in word)
        target = call.args[0]
        yield (
            name or (ast.unparse(target) if isinstance(target, ast.Attribute) else call.func.id),
            inspect.cleandoc(words[-1]),
        )


def _unseen(text: str, seen: set[str]) -> tuple[str, ...]:
    """The paragraphs of `text` that did not come before, each without its indentation when compared."""
    kept = []
    for paragraph in text.split("\n\n"):
        paragraph = "\n".join(line.rstrip() for line in paragraph.strip("\n").splitlines())
        key = " ".join(paragraph.split())
        if key and key not in seen:
            seen.add(key)
            kept.append(paragraph)
    return tuple(kept)


def _code_alone(source: str) -> str:
    """`source` without docstrings, without lines that hold only a comment, without runs of empty lines."""
    tree = _parsed(source)
    if tree is None:
        return ""
    dropped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                dropped.update(range(first.lineno, first.end_lineno + 1))
    lines = []
    for number, line in enumerate(source.splitlines(), 1):
        if number in dropped or line.lstrip().startswith("#") or (not line.strip() and (not lines or not lines[-1])):
            continue
        lines.append(line.rstrip())
    return "\n".join(lines).strip("\n")
