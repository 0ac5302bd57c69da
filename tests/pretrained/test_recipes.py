"""The recipes still run: one step on little data writes every file, the same ones again, and they load."""

import pytest

from tinyfrontier.pretrained import loading
from tinyfrontier.pretrained.__main__ import main
from tinyfrontier.pretrained.loading import HOME, NAMES


@pytest.fixture(scope="session")
def little():
    """A slice of one package's documentation."""
    from tinyfrontier.data import documentation

    return documentation(("networkx",), max_characters=30_000, test_share=0.3)


@pytest.fixture
def small(monkeypatch, little):
    """Recipes that read and measure little."""
    from tinyfrontier.pretrained.bert import recipe as bert
    from tinyfrontier.pretrained.folding import recipe as folding
    from tinyfrontier.pretrained.gpt import recipe as gpt
    from tinyfrontier.pretrained.inscriptions import recipe as inscriptions
    from tinyfrontier.pretrained.molecules import recipe as molecules
    from tinyfrontier.pretrained.programs import recipe as programs
    from tinyfrontier.pretrained.proteins import recipe as proteins
    from tinyfrontier.pretrained.weather import recipe as weather

    for module in (bert, gpt):
        monkeypatch.setattr(module, "documentation", lambda packages: little)
    monkeypatch.setattr(bert, "BATCHES", 1)
    monkeypatch.setattr(folding, "FAMILIES", 2)
    monkeypatch.setattr(folding, "EXAM", 1)
    monkeypatch.setattr(inscriptions, "documentation", lambda test_share: little)
    monkeypatch.setattr(molecules, "ATOMS", 3)
    monkeypatch.setattr(programs, "REQUESTS", 100)
    monkeypatch.setattr(programs, "EXAM", 4)
    monkeypatch.setattr(proteins, "FAMILIES", 5)
    monkeypatch.setattr(weather, "RUNS", 2)
    monkeypatch.setattr(weather, "DAYS", 12)


def made(name, folder):
    main([name, "--out", str(folder), "--steps", "1"])
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def shipped(name):
    paths = [path for path in (HOME / name).rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    return {str(path.relative_to(HOME / name)) for path in paths}


@pytest.mark.parametrize("name", [name for name in NAMES if name != "stable_diffusion"])
def test_a_recipe_still_runs(name, tmp_path, monkeypatch, small):
    """One step writes the shipped folder's files, the same weights again, and they load as the shipped ones do."""
    once, again = (made(name, tmp_path / turn / name) for turn in ("one", "two"))
    assert set(once) == shipped(name)
    same = {"model.safetensors", "tokenizer.json"} & set(once)
    assert all(once[file] == again[file] for file in same)
    monkeypatch.setattr(loading, "HOME", tmp_path / "one")
    getattr(loading, f"load_{name}")()
    assert loading.figures_of(name)["measured"]["steps"] == 1
    assert "1 steps" in loading.card(name)


@pytest.mark.slow
def test_the_pipelines_recipe_still_runs(tmp_path):
    """One step writes a folder with the shipped one's files, which loads."""
    from diffusers import StableDiffusionPipeline

    assert set(made("stable_diffusion", tmp_path / "made")) == shipped("stable_diffusion")
    StableDiffusionPipeline.from_pretrained(tmp_path / "made")
