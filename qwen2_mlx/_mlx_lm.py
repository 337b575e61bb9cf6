"""Makes mlx-lm's light modules importable without mlx-lm's start-up.

`import mlx_lm.models.cache` first runs `mlx_lm/__init__.py`, which imports its command
line tools and with them transformers: about a second before the first token, for
modules that need nothing but MLX. `install()` puts a stand-in for the package in
place that carries its import path and runs the real `__init__` when, and only when,
somebody asks the package itself for an attribute.
"""

import importlib.util
import sys
from types import ModuleType
from typing import Any

from qwen2_mlx.errors import Qwen2Error

#: Submodules whose names the package's `__init__` gives to functions of theirs.
_HIDDEN_BY_FUNCTIONS = ("convert", "generate")


class _DeferredPackage(ModuleType):
    """A package whose `__init__` runs on the first use of a name it does not have yet."""

    _started = False

    def __getattr__(self, name: str) -> Any:
        probed_by_import_system = name.startswith("__") and name not in ("__version__", "__all__")
        if self._started or probed_by_import_system:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self._start()
        return getattr(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in _HIDDEN_BY_FUNCTIONS and not self._started:
            self._start()  # else the submodule, just imported, would stand in the function's place

    def _start(self) -> None:
        self._started = True
        spec = self.__spec__
        assert spec is not None and spec.loader is not None
        spec.loader.exec_module(self)


def install() -> None:
    """Defers `mlx_lm/__init__`; does nothing where mlx_lm is already imported."""
    if "mlx_lm" in sys.modules:
        return
    spec = importlib.util.find_spec("mlx_lm")
    if spec is None:
        raise Qwen2Error("mlx-lm is not installed; run: pip install 'mlx-lm>=0.32.2,<0.33'")
    package = _DeferredPackage(spec.name)
    package.__spec__ = spec
    package.__loader__ = spec.loader
    package.__package__ = spec.name
    package.__file__ = spec.origin
    package.__path__ = list(spec.submodule_search_locations or ())
    sys.modules[spec.name] = package
