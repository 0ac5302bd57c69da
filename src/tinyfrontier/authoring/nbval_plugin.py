"""A pytest plugin that runs notebooks the way the course promises: offline, on one thread, within budget. Wraps nbval.

Use it with `pytest -p tinyfrontier.authoring.nbval_plugin --nbval-lax notebooks solutions`. Solutions run in strict
mode, so that a check that fails stops the run; students' copies run as a student sees them.
"""

from __future__ import annotations

import os
import sys
import types

from .kernels import CPU_SECONDS_LIMIT, PEAK_MIB_LIMIT, Cost, cost_of_process, kernel_environment
from .offline import GUARD

# jsonschema asks for this parser when it is installed (JupyterLab brings it), at 2.5 s an import; nothing here uses it.
sys.modules.setdefault("rfc3987_syntax", types.ModuleType("rfc3987_syntax"))

CELL_TIMEOUT = 180.0


def over_budget(name: str, cost: Cost) -> str:
    """A sentence that says by how much a run is over the hard limits, or ""."""
    faults = []
    if cost.cpu_seconds > CPU_SECONDS_LIMIT:
        faults.append(f"{cost.cpu_seconds:.1f} CPU s (limit {CPU_SECONDS_LIMIT:.0f})")
    if cost.peak_mib > PEAK_MIB_LIMIT:
        faults.append(f"a peak of {cost.peak_mib:.0f} MiB (limit {PEAK_MIB_LIMIT:.0f})")
    return f"{name} took {' and '.join(faults)}" if faults else ""


def _environment_for(folder: str) -> dict[str, str]:
    return kernel_environment(strict=folder == "solutions")


def _run_quietly(kernel, code: str) -> None:
    reply = kernel.kc.execute_interactive(code, silent=True, store_history=False, timeout=60)
    if reply["content"]["status"] != "ok":
        raise RuntimeError(f"the offline guard did not start: {reply['content']}")


def pytest_configure(config) -> None:
    """Wrap nbval's notebook collector: environment and guard before the first cell, the budget after the last."""
    from nbval.plugin import IPyNbFile

    if hasattr(IPyNbFile, "_tinyfrontier"):
        return
    IPyNbFile._tinyfrontier = True
    config.option.nbval_cell_timeout = CELL_TIMEOUT
    plain_setup, plain_teardown = IPyNbFile.setup, IPyNbFile.teardown

    def setup(self) -> None:
        kept = dict(os.environ)
        environment = _environment_for(self.path.parent.name)
        os.environ.clear()
        os.environ.update(environment)
        try:
            plain_setup(self)
        finally:
            os.environ.clear()
            os.environ.update(kept)
        _run_quietly(self.kernel, GUARD)

    def teardown(self) -> None:
        fault = ""
        if self.kernel is not None and self.kernel.is_alive():
            cost = cost_of_process(self.kernel.km.provisioner.pid)
            fault = over_budget(f"{self.path.parent.name}/{self.path.name}", cost)
            name = f"{self.path.parent.name}/{self.path.stem}"
            print(f"{name}: {cost.cpu_seconds:.1f} CPU s, peak {cost.peak_mib:.0f} MiB")
        plain_teardown(self)
        if fault:
            raise AssertionError(fault)

    IPyNbFile.setup, IPyNbFile.teardown = setup, teardown
