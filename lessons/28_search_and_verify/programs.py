"""Lesson 28's programs: what they read of a point, random ones, changed ones, their text; and a worker for a sandbox.

A program is a name, a number as text, or a tuple: an operator and its operands, as in ("%", "ones", "3"). It knows
nothing of caps or of how it is judged.
"""

import itertools

import numpy as np

WORDS = {
    "zeros": "x.count(0)",
    "ones": "x.count(1)",
    "twos": "x.count(2)",
    "same": "sum(a == b for a, b in zip(x, x[1:] + x[:1]))",
    "touch": "sum(a * b for a, b in zip(x, x[1:] + x[:1]))",
    "skip": "sum(a * b for a, b in zip(x, x[2:] + x[:2]))",
    "larger": "sum(max(a, b) for a, b in zip(x, x[1:] + x[:1]))",
    "mirror": "sum(a == b for a, b in zip(x, x[::-1]))",
    "slope": "sum(i * a for i, a in enumerate(x))",
    "first": "x[0]",
    "last": "x[-1]",
}  # what a program may read of a point x, a list of its n digits; neighbours are taken in a ring
NAMES = list(WORDS)
MOST = 25  # signs of the longest program


def counts(n):
    """What a program may read of every point of n digits: name to integers (3**n,), points in counting order.

    Raises:
        ValueError: if n is not 2 to 8.
    """
    if n not in range(2, 9):
        raise ValueError(f"n must be 2 to 8, got {n!r}")
    x = np.array(list(itertools.product(range(3), repeat=n)))
    after, then = np.roll(x, -1, axis=1), np.roll(x, -2, axis=1)
    return {
        "zeros": (x == 0).sum(1),
        "ones": (x == 1).sum(1),
        "twos": (x == 2).sum(1),
        "same": (x == after).sum(1),
        "touch": (x * after).sum(1),
        "skip": (x * then).sum(1),
        "larger": np.maximum(x, after).sum(1),
        "mirror": (x == x[:, ::-1]).sum(1),
        "slope": (x * np.arange(n)).sum(1),
        "first": x[:, 0],
        "last": x[:, -1],
    }


def random_program(rng, depth=3):
    """A program drawn from the grammar; `rng` is a `random.Random`."""
    if depth == 0 or rng.random() < 0.2:
        return rng.choice(NAMES) if rng.random() < 0.8 else str(rng.randint(1, 4))
    operator = rng.choice(["+", "-", "*", "%", "max", "min", "abs"])
    first = random_program(rng, depth - 1)
    if operator == "abs":
        return (operator, first)
    return (operator, first, rng.choice("234") if operator == "%" else random_program(rng, depth - 1))


def parts(program, path=()):
    """Each part of a program that may be exchanged, with the way to it."""
    yield path, program
    if not isinstance(program, str):
        for place, part in enumerate(program[1:], 1):
            if (program[0], place) != ("%", 2):
                yield from parts(part, (*path, place))


def _put(program, path, new):
    if not path:
        return new
    return (*program[: path[0]], _put(program[path[0]], path[1:], new), *program[path[0] + 1 :])


def offspring(rng, mother, father):
    """`mother` with one part exchanged, for a part of `father` or, as often, for a random one."""
    path, _ = rng.choice(list(parts(mother)))
    new = random_program(rng, 2) if rng.random() < 0.5 else rng.choice(list(parts(father)))[1]
    child = _put(mother, path, new)
    return child if len(list(parts(child))) <= MOST else random_program(rng)


def renew(world, rng):
    """Empty the worse islands, in place; each starts anew from a best program of a better one.

    An island maps sizes of caps to the programs that made them.
    """
    world.sort(key=max, reverse=True)
    half = (len(world) + 1) // 2
    for place in range(half, len(world)):
        better = rng.choice(world[:half])
        world[place] = {max(better): [rng.choice(better[max(better)])]}


def text(program):
    """The program as a Python expression."""
    if isinstance(program, str):
        return program
    operator, *rest = program
    if operator in ("max", "min", "abs"):
        return f"{operator}({', '.join(map(text, rest))})"
    return f"({text(rest[0])} {operator} {text(rest[1])})"


def priorities(program, read):
    """The program's value for every point, float64 (3**n,): `read` is what `counts(n)` gave."""
    names = {**read, "max": np.maximum, "min": np.minimum, "abs": np.abs, "__builtins__": {}}
    return np.zeros(len(read["ones"])) + eval(text(program), names)


def function(program):
    """The program as the text of a Python function f(x) of one point, a list of digits."""
    used = [name for name in NAMES if any(part == name for _, part in parts(program))]
    return "\n".join(["def f(x):", *(f"    {name} = {WORDS[name]}" for name in used), f"    return {text(program)}"])


WORKER = """
import builtins, json, os, sys
try:
    import resource, signal
    for name, most in (("RLIMIT_AS", 512 * 2**20), ("RLIMIT_CPU", 60), ("RLIMIT_FSIZE", 0), ("RLIMIT_NOFILE", 3)):
        try:
            resource.setrlimit(getattr(resource, name), (most, most))
        except (AttributeError, ValueError, OSError):
            pass
except ImportError:  # Windows: the parent's clock and the guard remain
    signal = None
SAFE = "abs enumerate len max min range sum zip".split()

def guard(event, arguments, write=os.write, leave=os._exit):
    if event not in ("compile", "exec"):
        write(2, event.encode())
        leave(77)

def clock(seconds):
    if signal:
        signal.setitimer(signal.ITIMER_PROF, seconds)

def attempt(source, inputs, bare):
    try:
        clock(0.25)  # CPU seconds for all points together
        space = {"__builtins__": {name: getattr(builtins, name) for name in SAFE}}
        exec(compile(source, "<program>", "exec"), space)
        return json.dumps([space["f"](list(x)) for x in inputs])
    except BaseException as error:
        return json.dumps(type(error).__name__)
    finally:
        clock(0)

results, sys.stdout = sys.stdout, None
sys.addaudithook(guard)
for line in sys.stdin:
    results.write(attempt(*json.loads(line)) + "\\n")
    results.flush()
"""  # the two walls of lesson 10, shortened
