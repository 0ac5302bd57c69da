"""Requests with programs: right answers, and an exam of which training has seen nothing."""

from itertools import pairwise

import pytest
from tinyfrontier.beside.lesson_10.programs import (
    HELD_OUT_PAIRS,
    INPUTS,
    OPERATIONS,
    SPLITS,
    program_of,
    programming_problems,
)


@pytest.fixture(scope="module")
def drawn():
    """Many problems of each split."""
    return {split: programming_problems(split, 6000 if split == "train" else 600) for split in SPLITS}


def neighbours(problem):
    return set(pairwise(problem.operations))


def result_of(source):
    space = {}
    exec(source, space)  # the grammar's own programs, written by hand in this repository
    return [space["f"](list(values)) for values in INPUTS]


def test_every_program_does_what_its_request_asks(drawn):
    """Running the program gives the answers that were worked out without it, types included."""
    for problems in drawn.values():
        for problem in problems[:600]:
            assert repr(result_of(problem.program)) == repr(problem.answers()), problem


def test_every_operation_occurs_in_training(drawn):
    """Training asks for each operation, in each of its wordings and as a noun."""
    text = "\n".join(problem.request for problem in drawn["train"])
    for operation in OPERATIONS.values():
        assert any(operation.name in problem.operations for problem in drawn["train"])
        for wording in operation.wordings:
            assert wording.replace("N", "3").replace("None", "") in text, wording


def test_no_training_request_asks_for_a_held_out_pair(drawn):
    """The compositions split holds a held-out pair in every request, the other splits in none."""
    for problem in drawn["compositions"]:
        assert neighbours(problem) & HELD_OUT_PAIRS
    for split in ("train", "wordings"):
        for problem in drawn[split]:
            assert not neighbours(problem) & HELD_OUT_PAIRS


def test_a_tenth_of_the_pairs_is_held_out_and_every_operation_keeps_most_of_its_own():
    """67 of 672 pairs; no operation loses more than a quarter of the pairs it stands first or last in."""
    steps = [name for name, operation in OPERATIONS.items() if not operation.ending]
    pairs = {(a, b) for a in steps for b in OPERATIONS if a != b}
    assert pairs >= HELD_OUT_PAIRS
    assert len(HELD_OUT_PAIRS) == len(pairs) // 10
    for name in OPERATIONS:
        for place in (0, 1):
            mine = {pair for pair in pairs if pair[place] == name}
            assert len(mine & HELD_OUT_PAIRS) <= 0.35 * len(mine)


def test_held_out_wordings_are_new_sentences_of_known_words(drawn):
    """No training request holds a held-out wording, and the exam needs no word that training lacks."""
    requests = [problem.request.split() for problem in drawn["train"]]
    known = {word for words in requests for word in words}
    bounded = [f" {' '.join(words)} " for words in requests]
    for operation in OPERATIONS.values():
        for number in (2, 7):
            wording = operation.held_out.replace("N", str(number))
            assert set(wording.split()) <= known, wording
            assert not any(f" {wording} " in request for request in bounded), wording
    for split in ("compositions", "wordings"):
        assert {word for problem in drawn[split] for word in problem.request.split()} <= known


def test_each_request_of_the_wordings_split_uses_held_out_wordings_alone(drawn):
    """Every operation of such a request stands there in its held-out wording."""
    for problem in drawn["wordings"]:
        for name, number in zip(problem.operations, problem.numbers, strict=True):
            assert OPERATIONS[name].held_out.replace("N", str(number)) in problem.request


def test_no_wording_has_two_meanings():
    """Each wording, held out or not, belongs to one operation."""
    owners = {}
    for operation in OPERATIONS.values():
        for wording in (*operation.wordings, operation.held_out, operation.noun):
            assert owners.setdefault(wording, operation.name) == operation.name
    assert len(owners) == sum(len(operation.wordings) + 2 for operation in OPERATIONS.values())


def test_no_request_has_two_programs(drawn):
    """The same words never ask for different programs, and no request stands in two splits."""
    programs = {}
    for problems in drawn.values():
        assert len({problem.request for problem in problems}) == len(problems)
        for problem in problems:
            assert programs.setdefault(problem.request, problem.program) == problem.program
    assert len(programs) == sum(map(len, drawn.values()))


def test_the_tests_tell_programs_with_one_step_apart():
    """Programs with one step and the list as result differ somewhere on the test lists, in all but a few cases."""
    found = {}
    for name, operation in OPERATIONS.items():
        if operation.ending:
            continue
        for number in range(2, 10) if operation.numbered else (0,):
            found.setdefault(repr(result_of(program_of((name, "list"), (number, 0)))), []).append((name, number))
    alike = [programs for programs in found.values() if len(programs) > 1]
    assert alike == [[("even", 0), ("multiple", 2)]]


def test_it_is_the_same_at_every_call_and_differs_by_seed():
    """Equal seeds give equal problems; another seed gives others."""
    assert programming_problems("train", 50) == programming_problems("train", 50)
    assert programming_problems("train", 50) != programming_problems("train", 50, seed=1)


def test_operations_can_be_restricted():
    """Only the operations asked for occur, held-out pairs stay held out, and steps may be absent."""
    chosen = ("even", "negate", "plus", "sum", "count")
    for split in SPLITS:
        for problem in programming_problems(split, 40, operations=chosen):
            assert set(problem.operations) <= set(chosen)
            assert bool(neighbours(problem) & HELD_OUT_PAIRS) == (split == "compositions")
    assert {p.operations for p in programming_problems("train", 4, operations=("sum",))} == {("sum",)}


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("test", 5), ValueError, "^split must be one of train, compositions, wordings, got 'test'"),
        (("train", 0), ValueError, "^count must be at least 1, got 0"),
        (("train", 2.0), TypeError, "^count must be an int, got float"),
        (("train", 2, "a"), TypeError, "^seed must be an int, got str"),
        (("train", 2, 0, ("sum", "shuffle")), ValueError, "^operations must be among .*'shuffle'"),
        (("train", 2, 0, ("even",)), ValueError, "^operations must contain an ending, got even"),
        (("train", 500, 0, ("sum",)), ValueError, "^count must be at most about"),
        (("compositions", 2, 0, ("even", "sum")), ValueError, "^operations must allow a request"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, words):
    """A wrong argument raises an error that starts with its name."""
    with pytest.raises(error, match=words):
        programming_problems(*arguments)
