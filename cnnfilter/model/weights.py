"""Tensors from files: `.npz`, and `.safetensors` through the library of that name; PyTorch's names and layouts."""

import contextlib
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core import npy
from cnnfilter.errors import FileError, ParameterError

# Deflate makes nothing smaller than this: a member that promises more is no honest one.
_MOST_COMPRESSION = 1032


class Weights(ABC):
    """The tensors of a file by name; each is read when it is asked for, as float32.

    Sizes are checked against the file before memory is asked for, and nothing is unpickled.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.shapes: dict[str, tuple[int, ...]] = {}

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        with np.errstate(over="ignore"):
            return self.read(name).astype(np.float32)

    @abstractmethod
    def read(self, name: str) -> NDArray[Any]:
        """The tensor as the file has it."""


class _Npz(Weights):
    def __init__(self, path: str) -> None:
        super().__init__(path)
        with self._archive() as archive:
            for member in archive.infolist():
                if member.filename.endswith(".npy"):
                    self.shapes[member.filename.removesuffix(".npy")] = _checked_header(archive, member).shape

    def read(self, name: str) -> NDArray[Any]:
        """The tensor as the file has it."""
        with self._archive() as archive:
            member = archive.getinfo(f"{name}.npy")
            _checked_header(archive, member)
            with archive.open(member) as file:
                return npy.read(file, member.file_size)

    @contextlib.contextmanager
    def _archive(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except (OSError, zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError, RuntimeError, EOFError) as e:
            raise _unreadable(self.path, e) from e


def _checked_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> npy.Header:
    with archive.open(member) as file:
        try:
            header = npy.read_header(file)
        except ValueError as error:
            raise ValueError(f"{member.filename}: {error}") from error
    if header.nbytes > _MOST_COMPRESSION * member.compress_size:
        raise ValueError(f"{member.filename} promises {header.nbytes} bytes, more than the file can hold")
    return header


class _Safetensors(Weights):
    def __init__(self, path: str) -> None:
        super().__init__(path)
        try:
            from safetensors import SafetensorError, safe_open
        except ImportError as error:
            raise ParameterError(
                "weights", f"{path}: safetensors are read with the extra: pip install 'cnnfilter[safetensors]'"
            ) from error
        self.errors = (SafetensorError, OSError, ValueError, TypeError)
        try:
            self.file = cast("Any", safe_open(path, "np"))
            for name in self.file.keys():  # noqa: SIM118 - it is no mapping
                self.shapes[name] = tuple(self.file.get_slice(name).get_shape())
        except self.errors as error:
            raise _unreadable(path, error) from error

    def read(self, name: str) -> NDArray[Any]:
        """The tensor as the file has it."""
        try:
            return np.asarray(self.file.get_tensor(name))
        except self.errors as error:
            raise _unreadable(self.path, error) from error


def load(path: str) -> Weights:
    """The tensors in a `.npz` or `.safetensors` file.

    Raises:
        ParameterError: another suffix, or a missing library.
        FileError: missing or unreadable.
    """
    if not Path(path).is_file():
        raise FileError(path, "there is no such weights file")
    kinds = {".npz": _Npz, ".safetensors": _Safetensors}
    kind = kinds.get(Path(path).suffix.lower())
    if kind is None:
        raise ParameterError("weights", f"{path!r} is neither .npz nor .safetensors")
    return kind(path)


def _unreadable(path: str, error: Exception) -> FileError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())[:200]
    return FileError(path, f"the weights cannot be read: {reason}")
