"""The shipped writer of small programs: small, quick to load, what its card says, and made by a recipe that runs."""

import json
import time

import pytest
import torch

from tinyfrontier.data import programming_problems
from tinyfrontier.data.programs import HEADER
from tinyfrontier.models import GPT
from tinyfrontier.pretrained import card, load_programs
from tinyfrontier.pretrained.loading import HOME

FOLDER = HOME / "programs"


@pytest.fixture(scope="module")
def shipped():
    """The model and its tokenizer."""
    return load_programs()


def measured() -> dict:
    return json.loads((FOLDER / "config.json").read_text())["measured"]


def test_loading_is_quick(shipped):
    """Model and tokenizer load in under half a second, for evaluation, in float32."""
    start = time.process_time()
    model, tokenizer = load_programs()
    assert time.process_time() - start < 0.5
    assert isinstance(model, GPT)
    assert not model.training
    assert len(tokenizer) == model.config.vocabulary
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_the_files_are_small_and_safe():
    """Weights under 1.5 MB, in safetensors; nothing that could hold a pickle."""
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert set(sizes) == {"README.md", "config.json", "model.safetensors", "tokenizer.json"}
    assert sizes["model.safetensors"] < 1_500_000


@pytest.mark.parametrize("split", ["compositions", "wordings"])
def test_the_stored_figures_are_the_measured_ones(shipped, split):
    """On a sample of the held-out requests the share of exact programs is near the stored one."""
    from tinyfrontier.pretrained.programs import exact_share, program_nats

    sample = programming_problems(split, 120)  # the first of the 400 that were measured
    assert abs(exact_share(*shipped, sample) - measured()[f"{split}_exact"]) < 0.08
    assert program_nats(*shipped, sample) < 2 * measured()[f"{split}_nats"] + 0.1
    assert measured()["compositions_exact"] > 0.8
    assert measured()["wordings_exact"] > 0.65


def test_an_untrained_model_fails_the_same_measure(shipped):
    """The measure can fail: fresh weights of the same size write no exact program."""
    from tinyfrontier.pretrained.programs import exact_share

    model, tokenizer = shipped
    torch.manual_seed(0)
    assert exact_share(GPT(model.config).eval(), tokenizer, programming_problems("compositions", 60)) < 0.02


def test_it_sorts_a_list_on_request(shipped):
    """Taking the likeliest token each time, it writes a program that sorts."""
    model, tokenizer = shipped
    end, middle = tokenizer.special["<end>"], tokenizer.special["<program>"]
    for request, line in (("sort the list", "sorted ( xs )"), ("sort in descending order", "reverse = True")):
        prompt = torch.tensor([[*tokenizer.encode(request), middle]])
        written = model.generate(prompt, 30, temperature=0)[0, prompt.shape[1] :].tolist()
        assert line in tokenizer.decode(written[: written.index(end)])


def test_the_tokenizer_loses_nothing_of_a_program(shipped):
    """Decoded tokens are Python with the same syntax tree, and no held-out request needs an unknown token."""
    import ast

    tokenizer = shipped[1]
    for split in ("train", "compositions", "wordings"):
        for problem in programming_problems(split, 100):
            tokens = tokenizer.encode(problem.program.removeprefix(HEADER))
            assert ast.dump(ast.parse(HEADER + tokenizer.decode(tokens))) == ast.dump(ast.parse(problem.program))
            assert tokenizer.special["<unknown>"] not in (*tokens, *tokenizer.encode(problem.request))
    assert tokenizer.encode("gnus") == [tokenizer.special["<unknown>"]]


def test_the_card_is_the_recipes():
    """The card is what the recipe writes for these weights, and has every part."""
    from tinyfrontier.pretrained.programs import write_card

    text = card("programs")
    assert text == write_card(json.loads((FOLDER / "config.json").read_text()))
    for part in ("Size", "Data", "Training", "Losses", "Remake", "Meant for", "Limits", "CPU seconds"):
        assert part in text
    assert f"{measured()['parameters']:,} parameters" in text
    assert measured()["parameters"] == sum(p.numel() for p in load_programs()[0].parameters())


def test_the_recipe_still_runs(tmp_path, monkeypatch):
    """A few steps write the same four files, and the same ones again."""
    from tinyfrontier.pretrained import programs, recipes

    monkeypatch.setattr(programs, "REQUESTS", 300)
    monkeypatch.setattr(programs, "EXAM", 20)
    for folder in ("one", "two"):
        recipes.main(["programs", "--out", str(tmp_path / folder), "--steps", "2"])
    written = [{p.name: p.read_bytes() for p in (tmp_path / f).iterdir()} for f in ("one", "two")]
    assert set(written[0]) == {"README.md", "config.json", "model.safetensors", "tokenizer.json"}
    assert all(written[0][n] == written[1][n] for n in ("model.safetensors", "tokenizer.json"))
