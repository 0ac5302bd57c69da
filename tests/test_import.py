"""Importing the package costs next to nothing; its rooms load when they are asked for."""

import statistics
import subprocess
import sys
import time

import pytest

import tinyfrontier


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def wall_seconds(code: str) -> float:
    began = time.perf_counter()
    run(code)
    return time.perf_counter() - began


def test_import_does_not_load_the_big_libraries():
    """After `import tinyfrontier` neither torch nor any other heavy library is in memory."""
    heavy = ("torch", "numpy", "matplotlib", "sklearn", "scipy", "transformers", "diffusers", "ipywidgets", "IPython")
    assert run(f"import sys, tinyfrontier; print([name for name in {heavy} if name in sys.modules])") == "[]"


def test_import_takes_less_than_300_milliseconds():
    """Median of five new processes, less what starting Python takes in the same run."""
    plain, with_import = [], []
    for _ in range(5):
        plain.append(wall_seconds("pass"))
        with_import.append(wall_seconds("import tinyfrontier"))
    cost = statistics.median(with_import) - statistics.median(plain)
    print(f"import tinyfrontier: {1000 * cost:.0f} ms beside {1000 * statistics.median(plain):.0f} ms for Python")
    assert cost < 0.3


def test_rooms_load_when_they_are_asked_for():
    """`tinyfrontier.training` is a module after one attribute access, without an import statement."""
    used = "import sys, tinyfrontier; tinyfrontier.training.fit; print('tinyfrontier.training' in sys.modules)"
    assert run(used) == "True"
    assert {"data", "exercises", "show", "training", "authoring"} <= set(dir(tinyfrontier))


def test_what_does_not_exist_is_an_attribute_error():
    """A misspelt room raises AttributeError and names it, as for any module."""
    with pytest.raises(AttributeError, match="trainning"):
        tinyfrontier.trainning  # noqa: B018  # the access is what is tested
