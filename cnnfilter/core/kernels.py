"""Kernels: how a name, a family, a file or a matrix becomes a Kernel."""

import functools
import math
import os
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from cnnfilter.core.catalogue import FAMILIES, GRADIENTS, NAMED, kernel_names
from cnnfilter.core.geometry import Pair
from cnnfilter.core.numbers import LARGEST_DENOMINATOR, exact
from cnnfilter.core.words import by
from cnnfilter.errors import ParameterError, UnfitError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Matrix = NDArray[np.int64] | NDArray[np.float64]

FILE_SUFFIXES = (".npy", ".txt", ".csv")
# Kernels with more entries than this are a slip (a picture taken for a kernel).
LARGEST_KERNEL = 1 << 24
LARGEST_SIDE = 100_000
_ENTRY_GAP = r"\s*,\s*|\s+"
_EXACT_INTEGER = 1 << 53
# How many kernels are remembered after they have been parsed, of up to SMALL entries.
REMEMBERED, SMALL = 64, 4096
_LARGEST_DIVISOR = 1 << 53


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
        axes = (0, 1) if self.is_bank else (-2, -1)
        import numpy as np

        return replace(self, matrix=np.flip(self.matrix, axes))

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
        raise UnfitError(
            "kernel", f"the bank {self.name} takes {self.matrix.shape[2]} channels, the image has {channels}"
        )


def kernel(text: str) -> Kernel:
    """The kernel that `text` describes: a name, a family with parameters, an existing file, or a matrix.

    >>> kernel("sobel-v").matrix.tolist()
    [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    >>> kernel("1/2 1/3").matrix.tolist(), kernel("1/2 1/3").divisor
    ([[3, 2]], 6)

    Raises:
        ParameterError: an unknown name (near names are listed), or parameters, a file or a matrix of no use.
    """
    text = text.strip()
    family = text.partition(":")[0]
    if text.lower().endswith(FILE_SUFFIXES) and not {text, family} & {*NAMED, *GRADIENTS, *FAMILIES}:
        return _from_file(text)
    return _remembered(text, functools.partial(_from_text, text))


def _from_text(text: str) -> Kernel:
    """The kernel that text other than a file's name describes."""
    if text in NAMED:
        return _named(text)
    if text in GRADIENTS:
        return _gradient(text)
    family = text.partition(":")[0]
    if family in FAMILIES:
        from cnnfilter.core import families

        return families.build(text)
    is_file_name = re.fullmatch(r"[^\s;,]+\.[a-z]\w*", text, re.IGNORECASE)
    if re.match(r"[-+.\d;,\s]|(nan|inf)\b", text, re.IGNORECASE) and not is_file_name:
        entries = parse_matrix(text)
        return _from_fractions(text, entries)
    from cnnfilter.core.slips import kernel_meant

    meant = kernel_meant(text, family, [*kernel_names(), *FAMILIES], FILE_SUFFIXES)
    raise ParameterError("kernel", f"there is no kernel {_short(text)}{meant}")


def as_kernel(value: "str | Kernel | ArrayLike") -> Kernel:
    """A Kernel from what `convolve` takes: text as for `kernel`, a Kernel, or a matrix of numbers."""
    if isinstance(value, Kernel):
        return value
    if isinstance(value, str):
        return kernel(value)
    import numpy as np

    if isinstance(value, np.ndarray) and value.size <= SMALL and value.dtype.kind in "biuf":
        return _remembered((value.tobytes(), value.dtype, value.shape), functools.partial(from_array, value))
    return from_array(value)


def _remembered(key: Hashable, parse: Callable[[], Kernel]) -> Kernel:
    """What `parse` gives, or gave for the same key, if that is small."""
    found = _known.get(key) or parse()
    if found.matrix.size <= SMALL:
        if len(_known) >= REMEMBERED:
            _known.clear()
        _known[key] = found
    return found


_known: dict[Hashable, Kernel] = {}


def from_array(values: "ArrayLike", name: str | None = None, label: str = "kernel") -> Kernel:
    """A Kernel from an array: height x width, or height x width x channels in x filters out for a bank.

    Without a name a matrix is named by its text. Floats that are the nearest ones to fractions with one small divisor
    (1/9, 0.0625) become integers over it.

    Raises:
        ParameterError: wrong number of axes, empty, not numbers, not finite.
    """
    import numpy as np

    text, name = name, name or "the matrix"
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ParameterError("kernel", "the matrix is ragged: its rows differ in length") from error
    if array.ndim not in (2, 4):
        raise ParameterError(
            "kernel",
            f"{name} has {array.ndim} axes; a kernel is height x width, a bank height x width x channels x filters",
        )
    if array.dtype.kind not in "biuf":
        raise ParameterError("kernel", f"{name} holds {array.dtype}, not numbers")
    if not 0 < array.size <= LARGEST_KERNEL or max(array.shape[:2]) > LARGEST_SIDE:
        size = by(array.shape)
        raise ParameterError("kernel", f"{name} is {size}; 1 to {LARGEST_KERNEL} entries fit, {LARGEST_SIDE} a side")
    if not np.isfinite(array).all():
        raise ParameterError("kernel", f"{name} holds NaN or infinity")
    integers, divisor = _rational(array)
    matrix: Matrix = array.astype(np.float64) if integers is None else integers
    return Kernel(text or _as_text(matrix, divisor), matrix, divisor, label)


def _as_text(matrix: "Matrix", divisor: int) -> str:
    """The matrix as `parse_matrix` reads it; only the shape of a bank."""
    if matrix.ndim == 4:
        return "bank " + "x".join(map(str, matrix.shape))
    whole = matrix.dtype.kind == "i"
    rows = [[str(Fraction(entry, divisor)) if whole else repr(entry) for entry in row] for row in matrix.tolist()]
    return "; ".join(" ".join(row) for row in rows)


def parse_matrix(text: str) -> list[list[Fraction]]:
    """Rows of exact numbers from text: entries apart by blanks or commas, rows by `;` or line ends.

    Raises:
        ParameterError: an entry that is no number, rows of different lengths, no entries.
    """
    lines = [re.split(_ENTRY_GAP, line.strip()) for line in re.split(r"[;\n]", text) if line.strip()]
    if not lines:
        raise ParameterError("kernel", "the matrix has no entries")
    rows = [[exact(entry, "kernel") for entry in line] for line in lines]
    lengths = [len(row) for row in rows]
    if len(set(lengths)) > 1:
        raise ParameterError("kernel", f"the matrix is ragged: its rows have {_listed(lengths)} entries")
    return rows


def _named(name: str) -> Kernel:
    import numpy as np

    rows, _, divisor = NAMED[name].partition("|")
    matrix = np.array([[int(entry) for entry in row.split()] for row in rows.split(";")], dtype=np.int64)
    return Kernel(name, matrix, int(divisor or 1), name)


def _gradient(name: str) -> Kernel:
    import numpy as np

    both = np.stack([_named(f"{name}-v").matrix, _named(f"{name}-h").matrix])
    return Kernel(name, both.astype(np.int64), 1, name)


def _from_fractions(name: str, rows: list[list[Fraction]], label: str = "kernel") -> Kernel:
    import numpy as np

    divisor = math.lcm(*(entry.denominator for row in rows for entry in row))
    integers = [[int(entry * divisor) for entry in row] for row in rows]
    largest = max(abs(entry) for row in integers for entry in row)
    if divisor <= _LARGEST_DIVISOR and largest <= _EXACT_INTEGER:
        return Kernel(name, np.array(integers, dtype=np.int64), divisor, label)
    floats = np.array([[float(entry) for entry in row] for row in rows])  # whose range numbers in text keep to
    return Kernel(name, floats, 1, label)


def _from_file(name: str) -> Kernel:
    stem, suffix = os.path.splitext(os.path.basename(name))
    try:
        if not os.path.isfile(name):
            raise ParameterError("kernel", f"there is no kernel file {name!r}")
        if os.path.getsize(name) > 8 * LARGEST_KERNEL + 4096:
            raise ParameterError("kernel", "too large for a kernel")
        if suffix.lower() == ".npy":
            return from_array(_load_npy(name), name, stem)
        with open(name, encoding="utf-8-sig") as file:
            text = re.sub(r"#.*", "", file.read())  # np.savetxt leads headers by #
        return _from_fractions(name, parse_matrix(text), stem)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise ParameterError("kernel", f"{name!r} cannot be read: {reason}") from error
    except ParameterError as error:
        if name in error.message:
            raise
        raise ParameterError("kernel", f"{name!r}: {error.message}") from error


def _load_npy(path: str) -> "NDArray[Any]":
    from cnnfilter.core import npy

    with open(path, "rb") as file:
        try:
            return npy.read(file, os.path.getsize(path))
        except ValueError as error:
            raise ParameterError("kernel", str(error)) from error


def _rational(array: "NDArray[Any]") -> "tuple[NDArray[np.int64] | None, int]":
    """(integers, divisor) with array == integers / divisor to the last bit of its own type, or (None, 1)."""
    import numpy as np

    if array.dtype.kind in "biu":
        whole = array.astype(np.int64)
        return (whole, 1) if (whole == array).all() else (None, 1)
    values = np.unique(array)
    with np.errstate(over="ignore", invalid="ignore"):
        if abs(values).max() * LARGEST_DENOMINATOR > _EXACT_INTEGER:
            return None, 1
        return _with_divisor(array, values)


def _with_divisor(array: "NDArray[Any]", values: "NDArray[Any]") -> "tuple[NDArray[np.int64] | None, int]":
    import numpy as np

    divisors = np.arange(1, LARGEST_DENOMINATOR + 1 if array.ndim == 2 else 2, dtype=array.dtype)

    def fitting(some: "NDArray[Any]", among: "NDArray[Any]") -> "NDArray[Any]":
        among = among[:, None]
        return np.asarray((np.rint(some * among) / among == some).all(axis=1))

    few = values[:: max(1, len(values) // 16)]  # enough to see that most divisors do not fit
    for divisor in divisors[fitting(few, divisors)].tolist():
        if fitting(values, np.array([divisor], array.dtype)).all():
            return np.rint(array.astype(np.float64) * divisor).astype(np.int64), int(divisor)
    return None, 1


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _listed(numbers: list[int]) -> str:
    shown = [str(n) for n in numbers[:8]]
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(numbers) <= 8 else f"{', '.join(shown)}, ..."
