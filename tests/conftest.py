"""Shared by all tests: no progress file is written, nothing reaches for the network, one thread a process."""

import os

import pytest

os.environ.update(
    TINYFRONTIER_PROGRESS="off",
    HF_HUB_OFFLINE="1",
    OMP_NUM_THREADS="1",
    MKL_NUM_THREADS="1",
    TQDM_DISABLE="1",
)
os.environ.pop("TINYFRONTIER_STRICT", None)
os.environ.pop("NBGRADER_EXECUTION", None)


@pytest.fixture(scope="session")
def built_site(tmp_path_factory):
    """The static site as readers get it: its folder, and what Sphinx had to say while it was built."""
    from tinyfrontier.authoring import site

    folder = tmp_path_factory.mktemp("built") / "site"
    return folder, site.build_site(folder)
