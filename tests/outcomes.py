"""What runs of the command leave: pictures and arrays reopened, files that are there, lines of a JSON report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Result
    from numpy.typing import NDArray

    Array = NDArray[Any]

# The keys of the report, in their order.
KEYS = [
    *("input", "output", "status", "operation", "kernel", "kernel_shape", "stride", "padding", "pad_mode", "dilation"),
    *("mapping", "input_shape", "output_shape", "input_values", "output_values", "compression", "clipped"),
    *("input_bytes", "output_bytes", "params", "macs", "seconds", "warnings", "error"),
]


def save(name: str | Path, array: Array, **options: Any) -> None:
    """A picture, or an array where the name ends so."""
    if str(name).endswith(".npy"):
        np.save(name, array)
    else:
        PIL.Image.fromarray(array).save(name, **options)


def load(name: str | Path) -> Array:
    """The samples in a file as Pillow or NumPy gives them; 2-D for gray."""
    if str(name).endswith(".npy"):
        array: Array = np.load(name)
        return array
    with PIL.Image.open(name) as picture:
        return np.array(picture)


def entries(folder: Path) -> list[str]:
    """All files and folders below, relative."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def ok(result: Result) -> Result:
    """The result of a run that has done all, without a word on standard error."""
    assert (result.code, result.err) == (0, b"")
    return result


def lines(result: Result) -> list[dict[str, Any]]:
    """The JSON lines on standard output."""
    return [json.loads(line) for line in result.out.splitlines()]


def record(result: Result) -> dict[str, Any]:
    """The only line of the report of a run that has done all."""
    (only,) = lines(ok(result))
    return only


def one_line(printed: bytes | str) -> str:
    """The one line of text that came; no escape characters drive the terminal."""
    text = printed.decode() if isinstance(printed, bytes) else printed
    assert text.endswith("\n")
    assert text[:-1].isprintable()  # which a second line is not
    return text[:-1]


def refused(result: Result, code: int = 2) -> str:
    """The one line of a refusal, which says nothing on standard output."""
    assert (result.code, result.out) == (code, b"")
    return one_line(result.err)
