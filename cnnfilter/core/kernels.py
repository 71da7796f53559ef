"""Kernels: how a name, a family, a file or a matrix becomes a Kernel.

NumPy is loaded where a matrix is made, and not for a slip in a name.
"""

import functools
import os
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cnnfilter.core.catalogue import FAMILIES, GRADIENTS, KERNEL_FILES, NAMED, kernel_names
from cnnfilter.core.geometry import Pair
from cnnfilter.core.numbers import table
from cnnfilter.core.recent import Recent
from cnnfilter.errors import ParameterError, UnfitError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cnnfilter.core.matrices import Matrix

# How many kernels are remembered after they have been parsed, of up to SMALL entries.
REMEMBERED, SMALL = 64, 4096
TRANSPOSED = "a bank is height x width x channels x filters, so PyTorch's weights need .transpose(2, 3, 1, 0)"


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel: its response is the sum of `matrix` x samples / `divisor`.

    `matrix` is (height, width); for a gradient magnitude (2, height, width), the -v and the -h kernel; for a filter
    bank (height, width, channels in, filters out). Its entries are int64 where all of them are whole, else float64.
    `label` stands for the kernel in file names. `seed` marks a random bank, drawn for any number of channels.

    >>> import numpy as np
    >>> edge = Kernel("edge", np.array([[-1, 0, 1]]))
    >>> edge.size, edge.params, edge.sums_to_zero
    ((1, 3), 3, True)
    """

    name: str
    matrix: "Matrix"
    divisor: int = 1
    label: str = "kernel"
    seed: int | None = None

    def __post_init__(self) -> None:
        """Keep the matrix from being changed: what was planned for a kernel is remembered."""
        if self.matrix.flags.writeable:
            object.__setattr__(self, "matrix", self.matrix.copy())
            self.matrix.flags.writeable = False

    @property
    def size(self) -> Pair:
        """Height and width of a window."""
        height, width = self.matrix.shape[:2] if self.is_bank else self.matrix.shape[-2:]
        return height, width

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width), for a bank (height, width, channels in, filters out)."""
        return self.matrix.shape if self.is_bank else self.size

    @property
    def is_bank(self) -> bool:
        """Whether it makes several feature maps, each from all channels."""
        return self.matrix.ndim == 4

    @property
    def is_gradient(self) -> bool:
        """Whether it is a gradient magnitude."""
        return self.matrix.ndim == 3

    @property
    def seems_transposed(self) -> bool:
        """Whether it is a bank in PyTorch's order, by the look of it: the last two axes are those of square windows."""
        return self.is_bank and self.matrix.shape[2] == self.matrix.shape[3] > 1 and self.size[0] != self.size[1]

    @property
    def params(self) -> int:
        """Number of entries."""
        return self.matrix.size

    @property
    def sums_to_zero(self) -> bool:
        """Whether flat areas answer with zero: |sum| within 1e-6 of the L1 norm, for each of its matrices."""
        matrices = self.matrix.reshape(-1, *self.size) if self.is_gradient else self.matrix[None]
        return all(abs(float(m.sum())) <= 1e-6 * float(abs(m).sum()) for m in matrices)

    def flipped(self) -> "Kernel":
        """The kernel turned by 180 degrees, for true convolution."""
        turned = self.matrix[::-1, ::-1] if self.is_bank else self.matrix[..., ::-1, ::-1]
        return replace(self, matrix=turned)

    def spanning(self, channels: int) -> "Kernel":
        """The kernel as it is for an image with that many channels; redraws a random bank.

        Raises:
            UnfitError: a bank made for another number of channels.
        """
        if not self.is_bank or self.matrix.shape[2] == channels:
            return self
        if self.seed is not None:
            from cnnfilter.core import families

            height, width, _, count = self.matrix.shape
            return replace(self, matrix=families.random((height, width), channels, count, self.seed))
        told = f"the bank {self.name} takes {self.matrix.shape[2]} channels, the image has {channels}"
        raise UnfitError("kernel", f"{told}; {TRANSPOSED}" if self.seems_transposed else told)


def kernel(text: "str | Kernel | ArrayLike") -> Kernel:
    """The kernel that `text` describes: a name, a family with parameters, an existing file, or a matrix.

    What `convolve` takes besides is a kernel, too: a matrix of numbers, a Kernel.

    >>> kernel("sobel-v").matrix.tolist()
    [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    >>> kernel("1/2 1/3").matrix.tolist(), kernel("1/2 1/3").divisor
    ([[3, 2]], 6)

    Raises:
        ParameterError: an unknown name (near names are listed), or parameters, a file or a matrix of no use.
    """
    if not isinstance(text, str):
        return as_kernel(text)
    text = text.strip()
    family = text.partition(":")[0]
    if text.lower().endswith(KERNEL_FILES) and not {text, family} & {*NAMED, *GRADIENTS, *FAMILIES}:
        if not os.path.isfile(text):
            raise ParameterError("kernel", f"there is no kernel file {text!r}")
        from cnnfilter.core import matrices

        return Kernel(text, *matrices.from_file(text), label=os.path.splitext(os.path.basename(text))[0])
    return _remembered(text, functools.partial(_from_text, text))


def _from_text(text: str) -> Kernel:
    """The kernel that text other than a file's name describes."""
    if text in NAMED or text in GRADIENTS:
        from cnnfilter.core import matrices

        return Kernel(text, *matrices.named(text), label=text)
    family = text.partition(":")[0]
    if family in FAMILIES:
        from cnnfilter.core import families

        return families.build(text)
    is_file_name = re.fullmatch(r"[^\s;,]+\.[a-z]\w*", text, re.IGNORECASE)
    if re.match(r"[-+.\d;,\s]|(nan|inf)\b", text, re.IGNORECASE) and not is_file_name:
        rows = table(text, "kernel")
        from cnnfilter.core import matrices

        return Kernel(text, *matrices.from_fractions(rows))
    from cnnfilter.core.slips import kernel_meant

    meant = kernel_meant(text, family, [*kernel_names(), *FAMILIES], KERNEL_FILES)
    raise ParameterError("kernel", f"there is no kernel {_short(text)}{meant}")


def as_kernel(value: "str | Kernel | ArrayLike") -> Kernel:
    """A Kernel from what `convolve` takes: text as for `kernel`, a Kernel, or a matrix of numbers.

    Raises:
        ParameterError: as for `kernel`, or an array that is none.
    """
    if isinstance(value, Kernel):
        return value
    if isinstance(value, str):
        return kernel(value)
    import numpy as np

    if type(value) is np.ndarray and (key := _by_content(value)):
        return _remembered(key, functools.partial(from_array, value))
    return from_array(value)


def known(value: object) -> Hashable:
    """What a kernel that has been parsed is remembered by; None for others, and where the same text may change."""
    import numpy as np

    key: Hashable = None
    if isinstance(value, str):
        key = value.strip()
    elif type(value) is np.ndarray:
        key = _by_content(value)
    return key if key in _known else None


def _by_content(values: "NDArray[Any]") -> Hashable:
    """A key for a small array of numbers; None for others."""
    if values.size > SMALL or values.dtype.kind not in "biuf":
        return None
    return values.tobytes(), values.dtype, values.shape


def _remembered(key: Hashable, parse: Callable[[], Kernel]) -> Kernel:
    """What `parse` gives, or gave for the same key, if that is small."""
    found = _known.get(key) or parse()
    if found.matrix.size <= SMALL:
        _known.keep(key, found)
    return found


_known: Recent[Kernel] = Recent(REMEMBERED)


def from_array(values: "ArrayLike", name: str | None = None, label: str = "kernel") -> Kernel:
    """A Kernel from an array: height x width, or height x width x channels in x filters out for a bank.

    Without a name a matrix is named by its text. Floats that are the nearest ones to fractions with one small divisor
    (1/9, 0.0625) become integers over it.

    Raises:
        ParameterError: wrong number of axes, empty, too large, not numbers, not finite.
    """
    from cnnfilter.core import matrices

    matrix, divisor = matrices.from_array(values, name or "the matrix")
    return Kernel(name or matrices.as_text(matrix, divisor), matrix, divisor, label)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
