"""Importing the package costs next to nothing; its rooms load when they are asked for."""

import subprocess
import sys

import pytest

import tinyfrontier


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_does_not_load_the_big_libraries():
    """After `import tinyfrontier` neither torch nor any other heavy library is in memory."""
    heavy = ("torch", "numpy", "matplotlib", "sklearn", "scipy", "transformers", "diffusers", "ipywidgets", "IPython")
    assert run(f"import sys, tinyfrontier; print([name for name in {heavy} if name in sys.modules])") == "[]"


def test_rooms_load_when_they_are_asked_for():
    """`tinyfrontier.training` is a module after one attribute access, without an import statement."""
    used = "import sys, tinyfrontier; tinyfrontier.training.fit; print('tinyfrontier.training' in sys.modules)"
    assert run(used) == "True"
    assert {"data", "exercises", "show", "training", "authoring"} <= set(dir(tinyfrontier))


def test_what_does_not_exist_is_an_attribute_error():
    """A misspelt room raises AttributeError and names it, as for any module."""
    with pytest.raises(AttributeError, match="trainning"):
        tinyfrontier.trainning  # noqa: B018  # the access is what is tested
