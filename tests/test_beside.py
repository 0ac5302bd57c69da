"""Modules beside a lesson are imported from anywhere, and what is missing is told."""

import pickle
import subprocess
import sys

import pytest

from tinyfrontier.beside import LESSONS, folder_of, load_record


def test_a_module_beside_a_lesson_is_imported_from_any_folder(tmp_path):
    """A notebook in any folder gets the lesson's own module, and its objects survive pickling."""
    code = (
        "import pickle, sys; from tinyfrontier.beside.lesson_10.programs import programming_problems; "
        "sys.stdout.buffer.write(pickle.dumps(programming_problems('train', 2)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True)
    from tinyfrontier.beside.lesson_10.programs import programming_problems

    assert pickle.loads(done.stdout) == programming_problems("train", 2)  # noqa: S301 - written two lines above


def test_a_lesson_without_a_folder_has_no_modules():
    """Importing from a lesson that keeps nothing beside itself fails as any missing module does."""
    with pytest.raises(ModuleNotFoundError, match=r"tinyfrontier\.beside\.lesson_99"):
        __import__("tinyfrontier.beside.lesson_99.programs")


def test_folders_and_records_are_found_by_number(tmp_path):
    """A lesson's folder bears its number; where there is none, or no record in it, that is said."""
    assert folder_of(16) == LESSONS / "16_stable_diffusion"
    with pytest.raises(ValueError, match="got 99"):
        folder_of(99)
    (tmp_path / "07_empty").mkdir()
    with pytest.raises(ValueError, match=r"got 7: 07_empty/record\.json is missing"):
        load_record(7, tmp_path)
