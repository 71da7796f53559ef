"""The operations of a convolutional neural network on real images, in NumPy alone.

>>> import cnnfilter
>>> cnnfilter.convolve([[0, 0, 9], [0, 0, 9], [0, 0, 9]], "sobel-v", padding="valid").tolist()
[[36]]

Names load when they are first used: importing the package imports neither NumPy nor Pillow, Click or rich.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnfilter.core.convolution import conv2d, convolve
    from cnnfilter.core.kernels import Kernel, kernel, kernel_names
    from cnnfilter.errors import CnnfilterError, FileError, ParameterError
    from cnnfilter.images.files import read_image, write_image

    __version__: str

_HOMES = {
    "CnnfilterError": "cnnfilter.errors",
    "FileError": "cnnfilter.errors",
    "Kernel": "cnnfilter.core.kernels",
    "ParameterError": "cnnfilter.errors",
    "conv2d": "cnnfilter.core.convolution",
    "convolve": "cnnfilter.core.convolution",
    "kernel": "cnnfilter.core.kernels",
    "kernel_names": "cnnfilter.core.kernels",
    "read_image": "cnnfilter.images.files",
    "write_image": "cnnfilter.images.files",
}

__all__ = [
    "CnnfilterError",
    "FileError",
    "Kernel",
    "ParameterError",
    "conv2d",
    "convolve",
    "kernel",
    "kernel_names",
    "read_image",
    "write_image",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("cnnfilter")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES, "__version__"])
