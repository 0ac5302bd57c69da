"""Lesson 10: gate and sandbox against hostile programs, pass@k against its definition, how programs are written."""

import ast
import itertools
import json
import math
import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import hypergeom
from tinyfrontier.beside.lesson_10.programs import HEADER, programming_problems
from tinyfrontier.beside.lesson_10.sandbox import Sandbox, end_worker
from tinyfrontier.beside.lesson_10.slots import Chooser, fill_in, words_and_numbers
from tinyfrontier.beside.lesson_10.writing import split, tidy, write

from tinyfrontier.authoring import definitions
from tinyfrontier.pretrained import load_programs

INPUTS = [[3, 1, 2]]
HONEST = "def f(xs):\n    return sorted(xs)"
LINUX = sys.platform.startswith("linux")


@pytest.fixture(scope="module")
def lesson():
    """Everything that the lesson defines."""
    return definitions(10)


@pytest.fixture(scope="module")
def sandbox(lesson):
    """A sandbox with a short wait, ended with the tests."""
    sandbox = Sandbox(lesson.WORKER, wall=2.0)
    yield sandbox
    if sandbox.worker is not None:
        end_worker(sandbox.worker)


def program(body):
    return f"def f(xs):\n    {body}"


MORE = {
    "huge number": "return 9 ** 9 ** 9",
    "flood of output": "return [1] * 10 ** 6",
    "list a folder": "import os; return os.listdir('.')",
    "start a program": "return __import__('os').system('echo gotcha')",
    "swallow every exception": "while True:\n        try: print(1 // 0)\n        except BaseException: pass",
    "grow a list": "a = [1]\n    while True: a = a + a",
    "write a file": "return open('gotcha.txt', 'w').write('x')",
    "delete a file": "import os\n    return os.remove('gotcha.txt')",
    "write by descriptor": "import os\n    return os.open('gotcha.txt', os.O_CREAT | os.O_WRONLY)",
    "kill the parent": "import os\n    return os.kill(os.getppid(), 9)",
    "spawn": "import subprocess\n    return subprocess.run(['echo'])",
    "load C": "import ctypes\n    return ctypes.CDLL(None)",
    "connect": "import _socket\n    return _socket.socket().connect(('127.0.0.1', 9))",
    "climb the frames": "try: 1 / 0\n    except Exception as e: return str(e.__traceback__.tb_frame.f_back.f_globals)",
    "change the guard": "import __main__\n    __main__.guard.__defaults__ = (len, len)\n    return open('gotcha.txt')",
    "nest deeply": "for _ in range(100_000): xs = [xs]\n    return xs",
    "leave": "raise SystemExit",
    "input": "return input()",
}


def test_honest_programs_run(lesson, sandbox):
    """Plain data comes back as it is; a listed module works; one worker serves many programs."""
    assert sandbox.run(HONEST, [[3, 1, 2], []]) == [[1, 2, 3], []]
    first = sandbox.worker.pid
    assert sandbox.run("import math\ndef f(xs):\n    return math.gcd(*xs)", [[4, 6]]) == [2]
    assert sandbox.run(program("return None"), INPUTS) == [None]
    assert sandbox.worker.pid == first


def test_one_program_leaves_nothing_to_the_next(lesson, sandbox):
    """Names that a candidate defines are gone afterwards, its own copy of the inputs included."""
    values = [[3, 1, 2]]
    assert sandbox.run("seen = []\ndef f(xs):\n    xs.append(1)\n    return len(xs)", values) == [4]
    assert values == [[3, 1, 2]]
    assert sandbox.run(program("return seen"), INPUTS) == "NameError"


@pytest.fixture(scope="module")
def said(lesson, sandbox):
    """What the sandbox says of each hostile program, with the short list of functions and with all; no gate."""
    found = {}
    for name, source in (lesson.HOSTILE | {n: program(body) for n, body in MORE.items()}).items():
        found[name] = tuple(sandbox.run(source, INPUTS, bare=bare) for bare in (False, True))
        assert sandbox.run(HONEST, INPUTS) == [[1, 2, 3]], name
    return found


def test_no_hostile_program_gets_anywhere(said):
    """None of the hostile programs returns a value, even with all built-in functions at hand."""
    for name, words in said.items():
        assert all(isinstance(word, str) for word in words), (name, words)
    assert not (Path.cwd() / "gotcha.txt").exists()


@pytest.mark.skipif(not LINUX, reason="limits of other systems differ; the words too")
def test_the_right_layer_stops_it(said):
    """Loops meet the clock, files, forks, sockets and programs the guard, memory the system's limit."""
    assert said["endless loop"][1] == said["huge number"][1] == "out of time"
    assert said["fill the memory"][1] == "MemoryError"
    for name, event in {
        "read a file": "open",
        "fork": "os.fork",
        "start a program": "os.system",
        "open a socket": "import",
        "disarm the guard": "os.listdir",
        "hidden eval": "os.listdir",
        "dunder walk": "os.system",
        "walk to a loader": "os.fork",
    }.items():
        assert said[name][1] == f"stopped at {event}"


@pytest.mark.skipif(not LINUX, reason="needs the process table in /proc")
def test_a_killed_worker_leaves_no_process(lesson):
    """After a time-out by the wall clock the worker and its session are gone."""
    sandbox = Sandbox(lesson.WORKER, wall=0.4)
    sandbox.run(HONEST, INPUTS)
    worker = sandbox.worker.pid
    # A lock waited for in vain: Python 3.13 announces time.sleep to the guard, which stops it before the clock does.
    wait = program("import _thread\n    lock = _thread.allocate_lock()\n    lock.acquire()\n    lock.acquire(True, 60)")
    assert sandbox.run(wait, INPUTS, bare=True) == "out of time"
    assert not Path(f"/proc/{worker}").exists()
    assert sandbox.run(HONEST, INPUTS) == [[1, 2, 3]]
    end_worker(sandbox.worker)


@pytest.mark.skipif(not LINUX, reason="needs CPU times of children")
def test_the_clock_counts_processor_time(lesson, sandbox):
    """An endless loop costs about the quarter of a second that it is given, not the whole wait."""
    before = os.times().children_user
    assert sandbox.run(program("while True: pass"), INPUTS) == "out of time"
    assert 0.1 < os.times().children_user - before < 1.0


def test_the_worker_sees_no_environment(lesson, sandbox, monkeypatch):
    """Secrets in the parent's environment do not reach a candidate."""
    monkeypatch.setenv("SECRET", "gotcha")
    fresh = Sandbox(lesson.WORKER, wall=2.0)
    said = fresh.run(program("import os\n    return dict(os.environ)"), INPUTS, bare=True)
    end_worker(fresh.worker)
    assert "gotcha" not in json.dumps(said)


def test_a_warm_worker_is_used_again(lesson, sandbox):
    """A hundred honest candidates are run by the same process."""
    sandbox.run(HONEST, INPUTS)
    worker = sandbox.worker.pid
    for _ in range(100):
        assert sandbox.run(HONEST, INPUTS) == [[1, 2, 3]]
    assert sandbox.worker.pid == worker


def test_the_gate_lets_the_grammar_pass_and_stops_every_walk(lesson):
    """All of the grammar's programs pass; whatever uses double underscores, other modules or attributes does not."""
    for kind in ("train", "compositions"):
        for problem in programming_problems(kind, 300):
            assert lesson.is_allowed(problem.program, lesson.RULES)
    for body in (
        "return xs.__class__",
        "return __builtins__",
        "return '{0.__class__}'.format(xs)",
        "return f'{xs}'",
        "import os",
        "from math import sqrt",
        "global g",
        "yield xs",
        "return (lambda __x: 1)(2)",
        "class A: pass",
        "try:\n        pass\n    except Exception: pass",
        "with xs: pass",
        "return (y := xs)",
        "del xs",
        "async def g(): pass",
    ):
        assert not lesson.is_allowed(program(body), lesson.RULES), body
    hostile = lesson.HOSTILE | {name: program(body) for name, body in MORE.items()}
    refused = {name for name, source in hostile.items() if not lesson.is_allowed(source, lesson.RULES)}
    assert refused >= {"list a folder", "fork", "start a program", "open a socket", "dunder walk", "walk to a loader"}


def test_the_gate_never_raises(lesson):
    """Text that is no Python, too deep or binary is refused in words."""
    for source in ("def f(", "x = \0", "(" * 5000 + ")" * 5000, "-" * 100_000 + "1", "é" * 3 + "="):
        assert lesson.is_allowed(source, lesson.RULES) is False


def test_pass_at_k_equals_the_published_formula_and_brute_force(lesson):
    """For all small cases three computations agree to 1e-12."""
    for n in range(1, 9):
        for c, k in itertools.product(range(n + 1), range(1, n + 1)):
            subsets = list(itertools.combinations(range(n), k))
            brute = sum(min(subset) < c for subset in subsets) / len(subsets)
            product = 1.0 if n - c < k else 1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1))
            assert lesson.pass_at_k(n, c, k) == pytest.approx(brute, abs=1e-12)
            assert lesson.pass_at_k(n, c, k) == pytest.approx(product, abs=1e-12)
            assert lesson.published(n, c, k) == pytest.approx(product, abs=1e-12)


@pytest.mark.parametrize(("n", "c", "k"), [(200, 7, 100), (5000, 3, 1000), (10_000, 1, 9_999)])
def test_pass_at_k_is_stable_for_many_programs(lesson, n, c, k):
    """It equals SciPy's hypergeometric distribution where factorials overflow."""
    assert lesson.pass_at_k(n, c, k) == pytest.approx(1 - hypergeom.pmf(0, n, c, k), rel=1e-9)


def test_the_estimate_is_unbiased_and_the_plain_one_is_not(lesson):
    """Averaged over all outcomes, pass_at_k gives the truth; 1 - (1 - c/n)^k is too low."""
    for p in (0.03, 0.1, 0.5):
        truth = 1 - (1 - p) ** 10
        assert lesson.mean_estimate(lesson.pass_at_k, p) == pytest.approx(truth, abs=1e-12)
    plain = lesson.mean_estimate(lambda n, c, k: 1 - (1 - c / n) ** k, 0.1)
    assert plain < 1 - 0.9**10 - 0.02


def test_equal_and_different_answers_are_told_apart(lesson, sandbox):
    """Other spellings of the same function are right; True is not 1, a float is not an int."""
    answers = [[float(x) for x in v] for v in lesson.INPUTS]
    assert lesson.fate(program("return xs"), [list(v) for v in lesson.INPUTS], sandbox) == "right"
    assert lesson.fate(program("return xs"), answers, sandbox) == "wrong answer"
    assert (
        lesson.fate(program("return len(xs) > 0"), [min(len(v), 1) for v in lesson.INPUTS], sandbox) == "wrong answer"
    )
    assert lesson.fate(program("return xs["), answers, sandbox) == "no Python"
    assert lesson.fate(program("return xs[0]"), answers, sandbox) == "error"
    assert lesson.fate(program("return xs.clear()"), answers, sandbox) == "error"


def test_split_draws_as_each_writer_alone_would(lesson):
    """Writers are kept, rows are distinct, shares follow the chances, and nothing impossible is drawn."""
    generator = torch.Generator().manual_seed(0)
    chances = torch.tensor([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]])
    parent, token, writers = split(chances, torch.tensor([4000, 3]), generator)
    found = {(int(p), int(t)): int(w) for p, t, w in zip(parent, token, writers, strict=True)}
    assert set(found) == {(0, 1), (0, 2), (1, 0)}
    assert found[1, 0] == 3
    assert found[0, 1] + found[0, 2] == 4000
    assert abs(found[0, 1] / 4000 - 0.25) < 0.03


def test_shared_beginnings_change_nothing(lesson):
    """At a temperature near zero, many writers write what the library's own loop writes, whatever the lengths."""
    model, tokenizer = load_programs()
    problems = programming_problems("compositions", 8)
    written = write(model, tokenizer, [problem.request for problem in problems], tries=5, temperature=0.01)
    for problem, programs in zip(problems, written, strict=True):
        assert sum(programs.values()) == 5
        prompt = torch.tensor([[*tokenizer.encode(problem.request), 2]])
        room = model.config.context - prompt.shape[1]
        greedy = model.generate(prompt, room, temperature=0)[0, prompt.shape[1] :].tolist()
        assert tidy(HEADER + tokenizer.decode(greedy[: greedy.index(3)])) == programs.most_common(1)[0][0]


def test_the_loss_counts_the_program_alone(lesson):
    """Changing targets in the request or the padding changes nothing; the gradient reaches the weights."""
    tokenizer = load_programs()[1]
    torch.manual_seed(0)
    model = lesson.fresh_gpt(tokenizer)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    tokens = torch.tensor([[9, 8, 2, 11, 12, 3, 0, 0], [7, 6, 5, 2, 13, 14, 15, 3]])
    loss = lesson.program_loss(model, tokens)
    chances = model(tokens)[0].log_softmax(-1)
    wanted = [(0, 2, 11), (0, 3, 12), (0, 4, 3), (1, 3, 13), (1, 4, 14), (1, 5, 15), (1, 6, 3)]
    by_hand = -sum(chances[row, place, token] for row, place, token in wanted) / len(wanted)
    assert loss.item() == pytest.approx(by_hand.item(), rel=1e-5)
    loss.backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_features_and_look_up(lesson):
    """Words and pairs are counted; a known request finds its own program first; tries are distinct."""
    one, known = lesson.counted(programming_problems("wordings", 3), programming_problems("train", 50))
    assert one.shape[1] == known.shape[1]
    words = programming_problems("train", 50)[0].request.split()
    assert known[0].sum() == 2 * len(words) - 1
    library = programming_problems("train", 300)
    for problem, programs in zip(library[:20], lesson.look_up(library[:20], library), strict=True):
        assert programs[0] == problem.program
        assert len(set(programs)) == len(programs) <= 10


def test_the_told_rival_reads_numbers_in_the_order_of_doing():
    """Orders name first what is done first, nested phrases last; the 2 of halving is no number of its own."""
    assert words_and_numbers("add 3 to everything then remove every 7") == (
        "add N to everything then remove every N",
        [3, 7],
    )
    assert words_and_numbers("return the first 4 of 3 times the list")[1] == [3, 4]
    assert words_and_numbers("divide each number by 2 rounding down then take the first 5")[1] == [5]
    assert fill_in(("", "plus", "sum"), [3]) == "def f(xs):\n    xs = [x + 3 for x in xs]\n    return sum(xs)"
    for problem in programming_problems("train", 300):
        assert words_and_numbers(problem.request)[1] == [n for n in problem.numbers if n], problem.request


def test_the_told_rival_learns_what_it_is_shown():
    """It writes the programs that it has seen, one for each request."""
    problems = programming_problems("train", 400)
    written = Chooser(problems).write(problems)
    right = sum(programs == [problem.program] for programs, problem in zip(written, problems, strict=True))
    assert right > 0.95 * len(problems)


def test_grading_counts_writers(lesson, sandbox, monkeypatch):
    """pass@k of a grade follows from how many of the writers were right."""
    problem = next(p for p in programming_problems("train", 200) if p.operations == ("ascending",))
    programs = Counter({HONEST: 3, program("return xs"): 6, program("return xs["): 1})
    monkeypatch.setitem(lesson.grade.__globals__, "write", lambda *args: [programs])
    result = lesson.grade(None, None, [problem], sandbox, tries=10)
    assert result["passes"][0] == pytest.approx(0.3)
    assert result["passes"][1] == pytest.approx(1 - math.comb(7, 2) / math.comb(10, 2))
    assert result["fates"] == pytest.approx({"right": 0.3, "wrong answer": 0.6, "no Python": 0.1})


def test_tidy_keeps_the_meaning(lesson):
    """Tidied programs parse to the same tree; what is no Python stays as it is."""
    source = "def f(xs):\n     xs = [ - x for x in xs ] \n     return sorted ( xs , key = abs )"
    assert ast.dump(ast.parse(tidy(source))) == ast.dump(ast.parse(source))
    assert tidy("def f(xs:") == "def f(xs:"
