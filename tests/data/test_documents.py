"""The documentation corpus: repeatable, stable under other choices, nothing shared between its parts."""

import sys
from collections import Counter

import pytest

from tinyfrontier.data import documentation, python_source
from tinyfrontier.data.documents import LICENCES


@pytest.fixture(scope="module")
def small():
    return documentation(("python", "numpy", "networkx"), max_characters=200_000)


def test_it_says_what_it_is(small):
    """Source with versions, a licence for each package, text of each package."""
    assert "Python 3." in small.source
    assert "networkx " in small.source
    assert all(f"{name}: {LICENCES[name]}" in small.licence for name in ("python", "numpy", "networkx"))
    assert {document.package for document in small.train} == {"python", "numpy", "networkx"}
    assert 400_000 < len(small.train_text) + len(small.test_text) < 900_000


def test_no_paragraph_stands_twice(small):
    """Held-out paragraphs are not in the training part, and none is repeated, whatever its indentation."""
    keys = [" ".join(p.split()) for part in (small.train, small.test) for d in part for p in d.paragraphs]
    assert len(keys) > 3000
    assert Counter(keys).most_common(1)[0][1] == 1


def test_the_same_call_gives_the_same_text(small):
    """Reading twice gives equal documents; another seed holds out other modules."""
    assert documentation(("python", "numpy", "networkx"), max_characters=200_000) == small
    other = documentation(("python", "numpy", "networkx"), max_characters=200_000, seed=1)
    assert {d.module for d in other.test} != {d.module for d in small.test}


def test_a_module_stays_held_out_for_any_choice(small):
    """Fewer packages or characters never move a module from the held-out part to the training part."""
    alone = documentation(["networkx"])
    held_out = {d.module for d in small.test if d.package == "networkx"}
    assert held_out
    assert held_out <= {d.module for d in alone.test}
    assert not held_out & {d.module for d in alone.train}
    wider = documentation(("python", "numpy", "networkx"), max_characters=200_000, test_share=0.3)
    assert {d.module for d in small.test} <= {d.module for d in wider.test}


def test_modules_are_read_and_not_imported():
    """Reading a package does not import it."""
    was_there = "antigravity" in sys.modules
    documentation("python", max_characters=50_000)
    assert ("antigravity" in sys.modules) == was_there


def test_entries_carry_their_names(small):
    """A document's text has each entry under its dotted name, and its paragraphs in the same order."""
    document = max(small.train, key=lambda d: len(d.entries))
    assert all(name.startswith(document.package) or document.package != "networkx" for name, _ in document.entries)
    assert document.text.startswith(f"# {document.entries[0][0]}\n\n")
    assert all(paragraph in document.text for paragraph in document.paragraphs)


def test_docstrings_added_in_calls_are_found():
    """Numpy's compiled functions are documented in calls of add_newdoc; those count."""
    corpus = documentation("numpy")
    names = {name for part in (corpus.train, corpus.test) for d in part for name, _ in d.entries}
    assert any(name.endswith("ndarray.astype") or name == "numpy._core.multiarray.arange" for name in names)


def test_source_code_is_another_domain():
    """Source code comes without docstrings and full-line comments, split like the documentation."""
    code = python_source(300_000)
    assert 250_000 < len(code.train) + len(code.test) < 700_000
    lines = code.train.decode().splitlines()
    assert not any(line.lstrip().startswith("#") for line in lines if "'''" not in line)
    assert "PSF" in code.licence
    assert code == python_source(300_000)


@pytest.mark.parametrize("function", [documentation, python_source])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"packages": ("pandas",)}, ValueError, "packages must be among .*, got 'pandas'"),
        ({"packages": ()}, ValueError, "packages must name at least one"),
        ({"packages": ("numpy", "numpy")}, ValueError, "each once"),
        ({"packages": ("numpy",), "test_share": 1}, ValueError, "test_share must lie between 0 and 1"),
        ({"packages": ("numpy",), "test_share": "a"}, TypeError, "test_share must be a number"),
        ({"packages": ("numpy",), "seed": 0.5}, TypeError, "seed must be an int"),
        ({"packages": ("numpy",), "max_characters": 0}, ValueError, "max_characters must be a positive int"),
    ],
)
def test_bad_arguments_are_named(function, arguments, error, message):
    """Each bad argument is refused by name."""
    with pytest.raises(error, match=message):
        function(**arguments)
