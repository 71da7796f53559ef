"""Reading `.npy` from strangers: no pickles, and every size is checked against the file before memory is asked for.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

import math
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAGIC = b"\x93NUMPY"


class Header(NamedTuple):
    """What an npy file says of its array; `offset` is where the data begin."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]
    offset: int

    @property
    def nbytes(self) -> int:
        """Bytes that the data take."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(file: IO[bytes]) -> Header:
    """The header at the beginning of `file`.

    Raises:
        ValueError: not npy, or an array that is not of booleans, integers or floats of up to 64 bits.
    """
    try:
        version = np.lib.format.read_magic(file)
        parse = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]  # version 3 is for field names in UTF-8, and records are not numbers
        shape, fortran_order, dtype = parse(file)
    except Exception as error:  # NumPy's parser lets tokenizer, type and unicode errors through
        raise ValueError("not an npy file of numbers: its header cannot be read") from error
    if dtype.kind not in "biuf" or dtype.itemsize > 8 or dtype.subdtype is not None:
        raise ValueError(f"an npy file of {str(dtype)[:40]}; only booleans, integers and floats are read")
    if any(n < 1 for n in shape):
        raise ValueError(f"an npy file with an empty array of shape {shape}")
    return Header(shape, fortran_order, dtype, file.tell())


def read_data(file: IO[bytes], header: Header, size: int) -> NDArray[Any]:
    """The array that follows `header` in a file of `size` bytes, in the byte order of this machine.

    Raises:
        ValueError: the file is shorter or longer than its header says.
    """
    present = size - header.offset
    if present != header.nbytes:
        state = "cut short" if present < header.nbytes else "followed by other bytes"
        raise ValueError(
            f"an npy file that is {state}: {header.nbytes} bytes of data are promised, {present} are there"
        )
    array = np.empty(math.prod(header.shape), header.dtype)
    buffer, done = array.view(np.uint8).data, 0
    while done < len(buffer):
        count = file.readinto(buffer[done:])  # type: ignore[attr-defined]
        if not count:
            raise ValueError("an npy file that ended while it was read")
        done += count
    shaped = array.reshape(header.shape, order="F" if header.fortran_order else "C")
    return shaped.astype(header.dtype.newbyteorder("="), copy=False)


def read(file: IO[bytes], size: int) -> NDArray[Any]:
    """The array in an npy file of `size` bytes.

    Raises:
        ValueError: as `read_header` and `read_data`.
    """
    return read_data(file, read_header(file), size)
