"""Runs MLX's custom Metal kernels on a CPU and looks for what is wrong with them. See README.md."""

from .errors import MetalHostError
from .host import HostKernel, Launched, MetalHost
from .toolchain import Toolchain

__all__ = ["HostKernel", "Launched", "MetalHost", "MetalHostError", "Toolchain"]
