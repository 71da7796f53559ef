"""What becomes of a response: its mapping and sample type, the form of a picture, the file."""

import os
import sys
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnfilter.batch.settings import Settings
from cnnfilter.core.samples import UINT8, UINT16, Rendering, SampleType
from cnnfilter.core.vocabulary import STANDARD_STREAM, Depth, Mapping
from cnnfilter.errors import OutputError, ParameterError, UnfitError
from cnnfilter.images import files
from cnnfilter.images.encoding import WriteOptions, encoded
from cnnfilter.images.formats import Format
from cnnfilter.images.image import Image
from cnnfilter.model.layer import Layer

# What the levels of the tiles mean, for the foot of a grid.
LEGENDS: dict[Mapping, str] = {
    "normalize": "each map stretched on its own: black its minimum, white its maximum",
    "clip": "all maps on one scale: values clipped to the range of the samples",
    "abs": "all maps on one scale: absolute values, clipped",
    "shift": "all maps on one scale: zero is mid-gray",
    "raw": "",
}


class Form(NamedTuple):
    """The samples of one output; `samples` is None for a raw response. A stack has feature maps for channels."""

    mapping: Mapping
    samples: SampleType | None
    depth: Depth
    level_scale: Fraction = Fraction(1)
    is_stack: bool = False

    @property
    def rendering(self) -> Rendering:
        """What becomes of responses."""
        return Rendering(self.mapping, self.level_scale, samples=self.samples, per_map=self.is_stack)

    @property
    def target(self) -> SampleType:
        """The samples; those of float responses for raw ones."""
        return self.samples or SampleType.of(np.dtype(np.float32))


def check_depth(settings: Settings, file_format: Format) -> None:
    """Refuse a depth or mapping that the format holds for no image.

    Raises:
        ParameterError: names what can hold it.
    """
    depth = settings.depth
    if depth != "auto" and not file_format.holds(depth, colour=False):
        raise ParameterError("depth", _refusal(depth, file_format, colour=False))
    to_float = depth in ("auto", "float") and file_format.holds("float", colour=False)
    if settings.mapping == "raw" and not to_float:
        why = f"{file_format.name} has no room for one" if depth in ("auto", "float") else f"not --depth {depth}"
        raise ParameterError("mapping", f"raw needs a float depth, {why}; -o x.npy or a gray x.tiff has room")


def form_of(
    settings: Settings,
    file_format: Format,
    dtype: np.dtype[Any],
    layer: Layer,
    output_shape: tuple[int, ...],
    *,
    is_stack: bool,
) -> Form:
    """How the output of `layer`, from an image with samples of `dtype`, is written.

    Raises:
        UnfitError: the format cannot hold what would come out of this image.
    """
    deep = dtype.kind in "iu" and dtype.itemsize == 2
    depth, level_scale = settings.depth, Fraction(1)
    colour = len(output_shape) == 3 and output_shape[2] == 3 and not is_stack
    if depth == "auto" and file_format.is_array:
        mapping = layer.resolve(settings.mapping, to_float=True, is_stack=is_stack)
        return Form(mapping, None if mapping == "raw" else SampleType.of(dtype), depth, is_stack=is_stack)
    if depth == "auto":
        stays_float = dtype.kind == "f" and file_format.holds("float", colour=colour)
        depth = "float" if stays_float and not is_stack else "16" if deep else "8"
    elif depth != "float" and (depth == "16") != deep:
        level_scale = Fraction(257) if depth == "16" else Fraction(1, 257)
    if not file_format.holds(depth, colour=colour):
        raise UnfitError("depth", _refusal(depth, file_format, colour=colour))
    mapping = layer.resolve(settings.mapping, to_float=depth == "float", is_stack=is_stack)
    if depth == "float":
        floats = SampleType(np.dtype(np.float32), 0, 65535 if deep else 255)
        return Form(mapping, None if mapping == "raw" else floats, depth, is_stack=is_stack)
    if mapping == "raw":
        raise UnfitError("mapping", f"raw needs a float depth: --depth float, or npy (this is {depth}-bit)")
    return Form(mapping, UINT16 if depth == "16" else UINT8, depth, level_scale, is_stack)


def _refusal(depth: str, file_format: Format, *, colour: bool) -> str:
    kind = ("floats" if depth == "float" else f"{depth} bits") + (" in colour" if colour else "")
    if colour:
        return f"{file_format.name} cannot hold {kind}; npy can, and --depth 8 or --gray luma would fit"
    can = "npy and tiff can" if depth == "float" else "png, tiff and npy can"
    return f"{file_format.name} cannot hold {kind}; {can}, and --depth 8 would fit"


def as_picture(result: NDArray[Any], form: Form, file_format: Format, name: str) -> NDArray[Any]:
    """The array to be written: as it is for npy, a grid of maps, made by `name`, for a stack of them."""
    if form.samples is None and form.depth != "auto":
        result = result.astype(np.float32, copy=False)
    if file_format.is_array or result.ndim < 3:
        return result
    if result.shape[2] == 1:
        return result[:, :, 0]
    if not form.is_stack:
        return result
    from cnnfilter.images.drawing import grid  # fonts take a while to load, and few results are stacks

    height, width, count = result.shape
    return grid(result, form.target.high, f"{name}: {count} maps of {height}x{width}; {LEGENDS[form.mapping]}")


def write(path: str, image: Image, file_format: Format, options: WriteOptions) -> int:
    """Write a picture to a file, making its folder, or to standard output; returns its bytes.

    Raises:
        FileError: it cannot be written.
    """
    if path != STANDARD_STREAM:
        folder = os.path.dirname(path)
        try:
            os.makedirs(folder or ".", exist_ok=True)
        except OSError as error:
            raise OutputError(folder, f"the folder cannot be made: {error.strerror}", error.errno) from error
        return files.write(path, image, file_format, options)
    content = encoded(image, file_format, options)
    if sys.stdout is None:
        raise OutputError(path, "standard output is closed")
    out = sys.stdout.buffer
    try:
        rest = memoryview(content)
        while rest:  # an unbuffered stream takes only a part at a time
            rest = rest[out.write(rest) or 0 :]
        out.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError("standard output", f"cannot be written: {error.strerror}") from error
    return len(content)


def map_paths(path: str, count: int) -> list[str]:
    """The paths of the files of single maps: the number of the map before the suffix.

    >>> map_paths("out/cat.png", 11)[10]
    'out/cat.10.png'
    """
    stem, suffix = os.path.splitext(path)
    digits = len(str(count - 1))
    return [f"{stem}.{index:0{digits}}{suffix}" for index in range(count)]
