"""The operations of a convolutional neural network on real images, in NumPy alone.

>>> import cnnfilter
>>> cnnfilter.convolve([[0, 0, 9], [0, 0, 9], [0, 0, 9]], "sobel-v", padding="valid").tolist()
[[36]]

Names load when they are first used: importing the package imports neither NumPy nor Pillow, Click or rich.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnfilter.core.activations import batchnorm, dense, elu, leaky_relu, relu, relu6, sigmoid, silu, softmax, tanh
    from cnnfilter.core.catalogue import kernel_names
    from cnnfilter.core.convolution import conv2d, convolve
    from cnnfilter.core.engine.threads import set_threads
    from cnnfilter.core.kernels import Kernel, kernel
    from cnnfilter.core.pooling import pool
    from cnnfilter.errors import CnnfilterError, FileError, ParameterError
    from cnnfilter.images.files import read_image, write_image
    from cnnfilter.model.pipeline import Pipeline
    from cnnfilter.model.syntax import load_pipeline, parse_pipeline

    __version__: str

# Where the names live.
_MODULES = {
    "cnnfilter.core.activations": [
        "batchnorm",
        "dense",
        "elu",
        "leaky_relu",
        "relu",
        "relu6",
        "sigmoid",
        "silu",
        "softmax",
        "tanh",
    ],
    "cnnfilter.core.convolution": ["conv2d", "convolve"],
    "cnnfilter.core.engine.threads": ["set_threads"],
    "cnnfilter.core.catalogue": ["kernel_names"],
    "cnnfilter.core.kernels": ["Kernel", "kernel"],
    "cnnfilter.core.pooling": ["pool"],
    "cnnfilter.errors": ["CnnfilterError", "FileError", "ParameterError"],
    "cnnfilter.images.files": ["read_image", "write_image"],
    "cnnfilter.model.pipeline": ["Pipeline"],
    "cnnfilter.model.syntax": ["load_pipeline", "parse_pipeline"],
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "CnnfilterError",
    "FileError",
    "Kernel",
    "ParameterError",
    "Pipeline",
    "batchnorm",
    "conv2d",
    "convolve",
    "dense",
    "elu",
    "kernel",
    "kernel_names",
    "leaky_relu",
    "load_pipeline",
    "parse_pipeline",
    "pool",
    "read_image",
    "relu",
    "relu6",
    "set_threads",
    "sigmoid",
    "silu",
    "softmax",
    "tanh",
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
    return sorted([*__all__, "__version__"])
