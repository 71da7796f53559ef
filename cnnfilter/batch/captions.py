"""What a montage says: of an image and what is done to it, of a picture's size and range, and of its colours."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.batch.outputs import Form
from cnnfilter.batch.settings import Step
from cnnfilter.core.words import by
from cnnfilter.images.montage import Key
from cnnfilter.images.tiles import Shown
from cnnfilter.model.filters import Convolve, Pool

MOST_MAPS = 64  # of an output
MOST_LAYERS = 24

KEYS = {
    "signed": Key(
        "signed values: blue is negative, white zero, red positive, each map or picture on a scale of its own",
        "diverging",
        ("-max", "0", "max"),
    ),
    "from-zero": Key("values from 0: white is the greatest of each map or picture", "gray", ("0", "max")),
}
STRETCHED = Key("normalize: black is the minimum of each map or picture, white its maximum", "gray", ("min", "max"))


def heading(steps: Sequence[Step], shape: tuple[int, ...], shown: int) -> str:
    """What is done to the image, for the heading; the steps differ in their kernels only."""
    step, layer = steps[0], steps[0].pipeline.layers[0]
    if step.operation == "pipeline":
        count = len(step.pipeline.nodes)
        name = f" {step.label}" * (step.label != "pipeline")
        thinned = f", {shown} of them shown" if shown > MOST_LAYERS else ""
        return f"pipeline{name}, {count} layer{'s' * (count > 1)}{thinned}"
    if isinstance(layer, Convolve):
        what = f"convolve {layer.operation.kernel.name}" if len(steps) == 1 else f"convolve with {len(steps)} kernels"
        kernel = layer.operation.kernel
        if len(steps) == 1 and kernel.is_bank and kernel.matrix.shape[3] > MOST_MAPS:
            what += f" ({MOST_MAPS} of {kernel.matrix.shape[3]} filters)"
        layers = [each.pipeline.layers[0] for each in steps]
        are_banks = all(isinstance(each, Convolve) and each.operation.kernel.is_bank for each in layers)
        return ", ".join((what, *_settings(layer, are_banks=are_banks)))
    assert isinstance(layer, Pool)
    windows = layer.operation.windows(shape)
    words = [f"pool {layer.operation.kind} {by(windows.size)}", f"stride {_pair(windows.stride)}"]
    words += [f"padding {layer.padding}"] * (layer.padding != "valid")
    return ", ".join(words)


def _settings(layer: Convolve, *, are_banks: bool) -> list[str]:
    """What differs from the defaults, and the padding."""
    operation = layer.operation
    words = [f"stride {_pair(operation.windows.stride)}"]
    words.append(f"padding {layer.padding} ({operation.pad_mode})")
    words += [f"dilation {_pair(operation.windows.dilation)}"] * (operation.windows.dilation != (1, 1))
    words += ["channels summed"] * (operation.channels == "sum" or are_banks)
    words += [f"scale {operation.scale}"] * (operation.scale != 1) + [f"bias {operation.bias}"] * (operation.bias != 0)
    return words


def enlargement(shape: tuple[int, ...], size: tuple[int, int]) -> str:
    """How much larger or smaller a picture is drawn.

    >>> enlargement((8, 8), (384, 384)), enlargement((1000, 4000), (200, 800)), enlargement((9, 9), (9, 9))
    ('drawn x48', 'drawn at 20%', '')
    """
    if size == shape[:2]:
        return ""
    if size[0] % shape[0] == 0:
        return f"drawn x{size[0] // shape[0]}"
    longest = 0 if shape[0] > shape[1] else 1
    return f"drawn at {100 * size[longest] / shape[longest]:.3g}%"


def _pair(values: tuple[int, int]) -> str:
    return str(values[0]) if values[0] == values[1] else by(values)


def keys_of(tile: Shown) -> tuple[Key, ...]:
    """What the colours of a picture mean; nothing for samples as they are."""
    return (KEYS[tile.meaning],) if tile.meaning in KEYS else ()


def range_of(tile: Shown) -> str:
    """The least and the greatest value, where the colours are stretched over them."""
    return f"{tile.low:.3g} .. {tile.high:.3g}" if tile.meaning != "samples" and math.isfinite(tile.high) else ""


def result_keys(result: NDArray[Any], form: Form) -> tuple[Key, ...]:
    """What the levels of a written result mean; nothing for samples like those of a photograph."""
    if result.dtype not in (np.uint8, np.uint16) or form.samples is None:
        return ()
    high = form.samples.high
    if form.mapping == "normalize":
        return (STRETCHED,)
    if form.mapping == "abs":
        return (Key(f"abs: the response without its sign, clipped at {high}", "gray", ("0", str(high))),)
    if form.mapping == "shift":
        middle = form.samples.middle
        marks = (str(-middle), "0", str(high - middle))
        return (Key("shift: mid-gray is zero, the response is clipped at both ends", "gray", marks),)
    return ()
