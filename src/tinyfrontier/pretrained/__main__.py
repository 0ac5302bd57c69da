"""Remake shipped weights: `python -m tinyfrontier.pretrained gpt`, or another name of a folder here."""

import argparse
from importlib import import_module
from pathlib import Path

from .loading import HOME, NAMES


def main(arguments: list[str] | None = None) -> None:
    """Run one recipe and print what it measured."""
    parser = argparse.ArgumentParser(prog="python -m tinyfrontier.pretrained", description=main.__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--out", type=Path, help="folder to write to (default: over the shipped files)")
    parser.add_argument("--steps", type=int, help="training steps (default: the recipe's)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    options = {} if given.steps is None else {"steps": given.steps}
    recipe = import_module(f".{given.name}.recipe", __package__)
    measured = recipe.make(given.out or HOME / given.name, seed=given.seed, **options)
    for name, value in measured.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
