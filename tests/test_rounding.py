"""A kernel that rounds as another machine might: how far it moves what is trained, and that it repeats."""

import json
import os
import subprocess
import sys

import pytest

from tinyfrontier._rounding import PLAINER_PROCESSOR, round_otherwise

# The hook holds for the rest of a process, so each training has its own.
TRAIN = """
import json, sys, torch
from tinyfrontier._rounding import round_otherwise
way, steps, dtype = int(sys.argv[1]), int(sys.argv[2]), getattr(torch, sys.argv[3])
if way:
    round_otherwise(way)
torch.manual_seed(0)
weight = torch.randn(50, dtype=dtype, requires_grad=True)
optimizer = torch.optim.Adam([weight], lr=0.01)
for _ in range(steps):
    optimizer.zero_grad()
    weight.square().sum().backward()
    optimizer.step()
print(json.dumps([weight.tolist(), torch.rand(1).item()]))
"""


def trained(way, steps=1, dtype="float32"):
    """The weights after so many steps, and the next random number."""
    command = [sys.executable, "-c", TRAIN, str(way), str(steps), dtype]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.parametrize(("dtype", "digit"), [("float32", 2.0**-23), ("float64", 2.0**-52)])
def test_a_step_moves_the_last_digits_and_no_more(dtype, digit):
    """Weights differ by a few units of the last place, and the random stream not at all."""
    (plain, draw), (moved, same) = trained(0, dtype=dtype), trained(1, dtype=dtype)
    apart = [abs(a - b) / abs(a) for a, b in zip(plain, moved, strict=True)]
    assert 0 < max(apart) < 4 * digit
    assert sum(part > 0 for part in apart) > 25
    assert draw == same


def test_a_way_repeats_and_another_way_differs():
    """Two runs of one way are equal bit by bit; two ways are not."""
    assert trained(1, steps=20) == trained(1, steps=20)
    assert trained(1, steps=20) != trained(2, steps=20)


@pytest.mark.parametrize(("way", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), ("1", TypeError)])
def test_a_way_is_a_whole_number_above_zero(way, error):
    """Anything else is refused by name, before any hook is set."""
    with pytest.raises(error, match=r"way needs a whole number.*got"):
        round_otherwise(way)


def test_the_plainer_processor_is_heard():
    """PyTorch loads the kernels that the variables ask for, where the processor has better ones."""
    code = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    environment = {**os.environ, **PLAINER_PROCESSOR}
    said = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
    ).stdout
    assert "512" not in said
