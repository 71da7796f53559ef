"""The choices that options, pipeline keys and Python arguments share, with what they mean; no NumPy needed."""

from typing import Literal

from cnnfilter.errors import ParameterError

Mapping = Literal["auto", "clip", "abs", "normalize", "shift", "raw"]
Channels = Literal["each", "sum"]
Kind = Literal["max", "avg", "min"]
Gray = Literal["luma", "mean"]
Alpha = Literal["keep", "filter", "drop"]
Depth = Literal["auto", "8", "16", "float"]

# Standard input or output, as the name of a file.
STANDARD_STREAM = "-"

MAPPINGS: dict[str, str] = {
    "auto": "abs for kernels that sum to zero without bias, raw for float outputs and npy, normalize for feature maps,"
    " else clip",
    "clip": "the response, clipped",
    "abs": "its absolute value, clipped",
    "normalize": "minimum to maximum stretched over the full range",
    "shift": "the response + 128 (8 bits) or + 32768 (16 bits), clipped: zero is mid-gray",
    "raw": "the response as it is; float depths only",
}
CHANNELS: dict[str, str] = {
    "each": "every channel on its own",
    "sum": "one map out of all channels, as a CNN filter makes it",
}
KINDS: dict[str, str] = {
    "max": "the greatest value",
    "avg": "the mean",
    "min": "the least value",
}
GRAYS: dict[str, str] = {
    "luma": "0.299 R + 0.587 G + 0.114 B",
    "mean": "the mean of the channels",
}
ALPHAS: dict[str, str] = {
    "keep": "that of the pixel under the centre of the window",
    "filter": "premultiplied, filtered like a colour, unpremultiplied",
    "drop": "left out",
}
DEPTHS: dict[str, str] = {
    "auto": "8 or 16 bits as the input; npy holds the raw response",
    "8": "uint8",
    "16": "uint16",
    "float": "float32",
}


def choice(value: str, table: dict[str, str], parameter: str) -> str:
    """`value` if `table` has it.

    >>> choice("clip", MAPPINGS, "mapping")
    'clip'

    Raises:
        ParameterError: if not; names what there is.
    """
    if value not in table:
        from cnnfilter.core.slips import kind_meant

        meant = kind_meant(value) if table is KINDS else ""
        raise ParameterError(parameter, f"{str(value)[:60]!r} is not one of {', '.join(table)}{meant}")
    return value
