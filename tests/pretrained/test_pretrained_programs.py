"""The shipped writer of small programs: small, quick to load, what its card says, and made by a recipe that runs."""

import pytest
import torch
from tinyfrontier.beside.lesson_10.programs import HEADER, programming_problems

from tinyfrontier.models import GPT
from tinyfrontier.pretrained import card, figures_of, load_programs
from tinyfrontier.pretrained.loading import HOME

FOLDER = HOME / "programs"


@pytest.fixture(scope="module")
def shipped():
    """The model and its tokenizer."""
    return load_programs()


def measured() -> dict:
    return figures_of("programs")["measured"]


def test_the_model_loads_with_its_tokenizer(shipped):
    """Model and tokenizer load for evaluation, in float32."""
    model, tokenizer = shipped
    assert isinstance(model, GPT)
    assert not model.training
    assert len(tokenizer) == model.config.vocabulary
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_the_files_are_small_and_safe():
    """Weights under 1.5 MB, in safetensors; nothing that could hold a pickle."""
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir() if path.is_file()}
    assert set(sizes) == {"README.md", "figures.json", "model.safetensors", "recipe.py", "tokenizer.json"}
    assert sizes["model.safetensors"] < 1_500_000


@pytest.mark.parametrize("split", ["compositions", "wordings"])
def test_the_stored_figures_are_the_measured_ones(shipped, split):
    """On a sample of the held-out requests the share of exact programs is near the stored one."""
    from tinyfrontier.pretrained.programs.recipe import exact_share, program_nats

    sample = programming_problems(split, 120)  # the first of the 400 that were measured
    assert abs(exact_share(*shipped, sample) - measured()[f"{split}_exact"]) < 0.08
    assert program_nats(*shipped, sample) < 2 * measured()[f"{split}_nats"] + 0.1
    assert measured()["compositions_exact"] > 0.8
    assert measured()["wordings_exact"] > 0.65


def test_an_untrained_model_fails_the_same_measure(shipped):
    """The measure can fail: fresh weights of the same size write no exact program."""
    from tinyfrontier.pretrained.programs.recipe import exact_share

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


def test_the_card_names_the_size(shipped):
    """The number of parameters is the model's."""
    assert f"{measured()['parameters']:,} parameters" in card("programs")
    assert measured()["parameters"] == sum(p.numel() for p in shipped[0].parameters())
