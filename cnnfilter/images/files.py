"""Reading and writing picture files: limits before decoding, exact modes, atomic replacement."""

import contextlib
import io
import os
import stat
import sys
import warnings
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any, BinaryIO

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from cnnfilter.core import npy
from cnnfilter.core.vocabulary import STANDARD_STREAM
from cnnfilter.errors import FileError, OutputError, ParameterError
from cnnfilter.images import formats, temporary
from cnnfilter.images.decoding import Header, check_pixels, read_header, read_picture
from cnnfilter.images.encoding import WriteOptions, encode, transparency_lost
from cnnfilter.images.formats import MAX_PIXELS, Format
from cnnfilter.images.image import Image

if TYPE_CHECKING:
    from cnnfilter.images.details import Details


def read_image(path: "str | os.PathLike[str]", *, max_pixels: int = MAX_PIXELS) -> NDArray[Any]:
    """The picture in a file as an array, height x width [x channels], alpha as its last channel.

    Orientation is applied, palettes become colour, CMYK is converted; 8- and 16-bit gray, int32 and float stay. `.npy`
    holds height x width [x channels] of bool, integers (int64, too, but not uint64) or floats, which become float32.
    What reading loses (64-bit floats, 16-bit colour, all but the first frame) is a warning.

    Raises:
        FileError: missing, unreadable, in no format that is read, or larger than `max_pixels`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_image(f"{folder}/two.png", np.array([[0, 255]], np.uint8))
    ...     read_image(f"{folder}/two.png").tolist()
    [[0, 255]]
    """
    image = read(os.fspath(path), max_pixels)
    for note in image.warnings:
        warnings.warn(f"{path!s}: {note}", stacklevel=2)
    if image.alpha is not None:
        return np.dstack([image.pixels, image.alpha])
    return image.pixels if image.pixels.flags.writeable else image.pixels.copy()


def write_image(path: "str | os.PathLike[str]", array: NDArray[Any], *, options: WriteOptions | None = None) -> None:
    """Write an array, height x width or height x width x 1 to 4 channels (2 and 4: the last is alpha), to a file.

    The suffix names the format. uint8 is written as it is, uint16 and float32 in gray to formats that hold them; int32
    and floats elsewhere are levels from 0 to 255, rounded halves up. Where the format holds no alpha it is dropped,
    with a warning. A file that exists is replaced atomically.

    Raises:
        ParameterError: the suffix names no format, or the array is no picture that it can hold.
        FileError: the file cannot be written.

    >>> write_image("two.pgn", np.array([[0, 255]], np.uint8))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    cnnfilter.errors.ParameterError: ...
    """
    name, array = os.fspath(path), np.asarray(array)
    file_format = formats.for_output(name, "path")
    if array.ndim not in (2, 3) or not array.size or array.dtype.kind not in "biuf":
        raise ParameterError("array", f"{array.dtype} of shape {array.shape} is no picture")
    alpha = None
    if not file_format.is_array:
        if array.ndim == 3 and array.shape[2] > 4:
            raise ParameterError("array", f"a picture has 1 to 4 channels, not {array.shape[2]}; .npy holds any number")
        array = _writable(array, file_format)
        if array.ndim == 3:
            channels = array.shape[2]
            alpha = array[:, :, -1] if channels in (2, 4) else None
            array = array[:, :, :3] if channels > 2 else array[:, :, 0]
    depth = depth_of(array.dtype)
    if not file_format.holds(depth, colour=array.ndim == 3):
        kind = "floats" if depth == "float" else f"{depth} bits"
        kind, can = kind + " in colour" * (array.ndim == 3), formats.holders(depth, colour=array.ndim == 3)
        raise ParameterError("array", f"{file_format.name} cannot hold {kind}; {can} can, and uint8 would fit")
    if alpha is not None and (lost := transparency_lost(file_format, array.dtype)):
        warnings.warn(f"{name}: {lost}", stacklevel=2)
        alpha = None
    write(name, Image(array, alpha), file_format, options or WriteOptions())


def depth_of(dtype: np.dtype[Any]) -> str:
    """8, 16 or float: the depth of a picture with such samples."""
    if dtype.kind == "f":
        return "float"
    return "16" if dtype.kind in "iu" and dtype.itemsize == 2 else "8"


def _writable(array: NDArray[Any], file_format: Format) -> NDArray[Any]:
    """The array in a sample type of pictures."""
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype in (np.uint8, np.uint16):
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind == "f" and array.ndim == 2 and "float" in file_format.depths:
        return array.astype(np.float32)
    if not np.isfinite(array).all():
        raise ParameterError("array", "NaN or infinity has no level in an integer format")
    wide = array.astype(np.float64)
    high = 65535 if array.dtype.kind == "i" and array.dtype.itemsize == 2 else 255
    return np.clip(np.floor(wide + 0.5), 0, high).astype(np.uint16 if high > 255 else np.uint8)


# ---------------------------------------------------------------------------------------------------------- reading


def read(path: str, max_pixels: int = MAX_PIXELS) -> Image:
    """The picture in the file `path`, or on standard input for `-`.

    Raises:
        FileError: whatever is wrong with it.
    """
    with _source(path, max_pixels) as (file, size), _as_file_error(path):
        if _is_npy(file, path):
            return _read_npy(file, size, max_pixels)
        return read_picture(file, size, max_pixels)


def examine(path: str, max_pixels: int = MAX_PIXELS) -> "tuple[Image, Details | None]":
    """The picture in a file and what its header says besides; None for an npy array, which has no header of a picture.

    Raises:
        FileError: whatever is wrong with it.
    """
    with _source(path, max_pixels) as (file, size), _as_file_error(path):
        if _is_npy(file, path):
            return _read_npy(file, size, max_pixels), None
        from cnnfilter.images.details import read_details  # which only inspect wants

        details = read_details(file, max_pixels)
        file.seek(0)
        return read_picture(file, size, max_pixels), details


def probe(path: str, max_pixels: int = MAX_PIXELS) -> Header:
    """What the header of a file says of its picture; nothing is decoded.

    Raises:
        FileError: whatever is wrong with it.
    """
    with _source(path, max_pixels) as (file, _), _as_file_error(path):
        if _is_npy(file, path):
            header = _npy_header(file, max_pixels)
            return Header(_squeezed(header.shape), _sample_type(header.dtype), False, formats.NPY)
        return read_header(file, max_pixels)


@contextlib.contextmanager
def _source(path: str, max_pixels: int) -> Iterator[tuple[BinaryIO, int]]:
    """(file, size) of a regular file, or of all that standard input gives."""
    if path == STANDARD_STREAM:
        limit = 16 * max_pixels + (1 << 20)  # no picture within the limit takes more bytes
        try:
            content = sys.stdin.buffer.read(limit + 1)
        except (OSError, AttributeError) as error:
            raise FileError(path, "standard input cannot be read") from error
        if len(content) > limit:
            raise FileError(path, f"standard input gives more bytes than {max_pixels} pixels take (--max-pixels)")
        if not content:
            raise FileError(path, "nothing came on standard input")
        yield io.BytesIO(content), len(content)
        return
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise FileError(path, "is a folder")
        if not stat.S_ISREG(status.st_mode):
            raise FileError(path, "is no regular file; a stream is read from standard input, named -")
        if not status.st_size:
            raise FileError(path, "is empty")
        file = open(path, "rb")  # noqa: SIM115 - closed below, not within this handler
    except (OSError, ValueError) as error:
        raise FileError(path, _reason(error)) from error
    with file:
        yield file, status.st_size


@contextlib.contextmanager
def _as_file_error(path: str) -> Iterator[None]:
    """Whatever a decoder raises becomes one FileError; nobody touches the picture after that."""
    try:
        yield
    except FileError as error:
        raise FileError(path, error.message) from error
    except MemoryError as error:
        raise FileError(path, "not enough memory to decode it") from error
    except Exception as error:  # decoders raise what they like: SyntaxError, KeyError, struct.error, ...
        raise FileError(path, _reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, PIL.UnidentifiedImageError):
        return "is in none of the formats that are read"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    text = " ".join(str(error).split())
    return f"cannot be decoded: {text[:200] or type(error).__name__}"


def _is_npy(file: BinaryIO, path: str) -> bool:
    magic = file.read(len(npy.MAGIC))
    file.seek(0)
    named = formats.by_suffix(path)
    if magic == npy.MAGIC and named not in (None, formats.NPY):
        raise FileError(path, f"holds an npy array, although its suffix says {named.name if named else ''}")
    return magic == npy.MAGIC


def _npy_header(file: BinaryIO, max_pixels: int) -> npy.Header:
    try:
        header = npy.read_header(file)
    except ValueError as error:
        raise FileError("", str(error)) from error
    if header.dtype.kind == "u" and header.dtype.itemsize == 8:
        raise FileError("", "an npy file of uint64; integers of 8 to 32 bits and int64 are read")
    if len(header.shape) not in (2, 3):
        raise FileError("", f"an npy file of shape {header.shape}; height x width [x channels] is read")
    check_pixels(header.shape[1], header.shape[0], max_pixels)
    return header


def _read_npy(file: BinaryIO, size: int, max_pixels: int) -> Image:
    header = _npy_header(file, max_pixels)
    try:
        array = npy.read_data(file, header, size)
    except ValueError as error:
        raise FileError("", str(error)) from error
    notes = ("64-bit floats are read as 32-bit",) if array.dtype == np.float64 else ()
    with np.errstate(over="ignore"):
        pixels = array.astype(_sample_type(array.dtype), copy=False).reshape(_squeezed(array.shape))
    return Image(pixels, None, formats.NPY, warnings=notes, nbytes=size)


def _sample_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.float32) if dtype.kind == "f" else dtype.newbyteorder("=")


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """One channel is gray."""
    return shape[:2] if len(shape) == 3 and shape[2] == 1 else shape


# ---------------------------------------------------------------------------------------------------------- writing


def write(path: str, image: Image, file_format: Format, options: WriteOptions) -> int:
    """Write a picture to `path` and return its size in bytes; a file that exists is replaced atomically.

    Raises:
        OutputError: it cannot be written; what was there before still is.
    """
    try:
        with temporary.replacing(path) as file:
            encode(image, file_format, file, options)
            return _size(file)
    except OSError as error:
        if error.errno is None:  # an encoder's own words
            raise FileError(path, f"cannot be written as {file_format.name}: {error}") from error
        raise _unwritten(path, error) from error
    except (ValueError, OverflowError, SystemError) as error:  # what encoders raise, as for a WebP of 16384 pixels
        raise FileError(path, f"cannot be written as {file_format.name}: {error}") from error


def commit(written: temporary.Written) -> None:
    """Let a file take its place that was written where files are committed later.

    Raises:
        OutputError: it cannot; what was there before still is.
    """
    try:
        written.commit()
    except OSError as error:
        raise _unwritten(written.path, error) from error


def _unwritten(path: str, error: OSError) -> OutputError:
    return OutputError(path, f"cannot be written: {_reason(error)}", error.errno)


def _size(file: IO[bytes]) -> int:
    return file.seek(0, os.SEEK_END)
