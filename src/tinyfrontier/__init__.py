"""Tiny Frontier: the AI frontier rebuilt small, for two CPU cores and no network.

The package's modules and sub-packages load when they are first used (`tinyfrontier.data.digits()`), so importing the
package itself costs milliseconds and does not import torch.
"""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

__version__ = "0.1.0"


def __getattr__(name: str) -> ModuleType:
    if not name.startswith("_") and name in __dir__():
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({"__version__", *(m.name for m in iter_modules(__path__) if m.name[0] != "_")})
