"""Pipelines by way of files, and pictures for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import cnnfilter

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from numpy.typing import NDArray

    Array = NDArray[Any]


EDGES = "gray | convolve sobel-v stride=2 | relu | pool max size=2"
RNG = np.random.default_rng(30)
RGB = RNG.integers(0, 256, (21, 26, 3)).astype(np.uint8)


def loaded(folder: Path, text: str, **tensors: Array) -> cnnfilter.Pipeline:
    """A pipeline by way of a file, with `x.npz` beside it where tensors are given (`__` stands for a dot)."""
    if tensors:
        named: dict[str, Any] = {name.replace("__", "."): array for name, array in tensors.items()}
        np.savez(folder / "x.npz", **named)
    (folder / "x.toml").write_text(text, encoding="utf-8")
    return cnnfilter.load_pipeline(str(folder / "x.toml"))


def toml(*layers: str, top: str = "") -> str:
    """A pipeline file; each layer's keys are separated by semicolons."""
    tables = ["[[layer]]\n" + "\n".join(part.strip() for part in layer.split(";")) for layer in layers]
    return "\n\n".join([top, *tables]) + "\n"


def message(caught: pytest.ExceptionInfo[BaseException]) -> str:
    """The one line of an error."""
    text = str(caught.value)
    assert text.isprintable()
    return text


def floats(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


CONV = 'type = "conv2d"; filters = 4; size = 3; params = "features.0"; name = "conv"'
WEIGHTS = 'weights = "x.npz"'
