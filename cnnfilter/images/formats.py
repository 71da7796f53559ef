"""The formats that are read and written. A table, so that suffixes and names are known without Pillow."""

import os
from typing import NamedTuple

from cnnfilter.errors import ParameterError

MAX_PIXELS = 150_000_000  # what --max-pixels is by default


class Format(NamedTuple):
    """A file format: its name here, Pillow's names, suffixes, and what it can hold when it is written.

    `depths` are the sample types of a gray picture; colour is written with 8 bits, but for npy, which holds anything.
    """

    name: str
    pillow: tuple[str, ...]
    suffixes: tuple[str, ...]
    writable: bool = False
    alpha: bool = False
    depths: tuple[str, ...] = ("8",)
    metadata: tuple[str, ...] = ()

    @property
    def is_array(self) -> bool:
        """Whether it holds numbers as they are, rather than a picture."""
        return self.name == "npy"

    def holds(self, depth: str, *, colour: bool) -> bool:
        """Whether samples of `depth` (8, 16 or float) can be written, in gray or in colour."""
        return self.is_array or (depth in self.depths and (depth == "8" or not colour))


# EPS, PDF, SVG and the like call other programs; none of them is here.
FORMATS: tuple[Format, ...] = (
    Format("png", ("PNG",), (".png", ".apng"), True, True, ("8", "16"), ("icc_profile", "dpi", "exif")),
    Format("jpeg", ("JPEG",), (".jpg", ".jpeg", ".jpe", ".jfif"), True, metadata=("icc_profile", "dpi", "exif")),
    Format("webp", ("WEBP",), (".webp",), True, True, metadata=("icc_profile", "exif")),
    Format("tiff", ("TIFF",), (".tif", ".tiff"), True, True, ("8", "16", "float"), ("icc_profile", "dpi", "exif")),
    Format("npy", (), (".npy",), True, depths=("8", "16", "float")),
    Format("bmp", ("BMP", "DIB"), (".bmp", ".dib"), True, metadata=("dpi",)),
    Format("ppm", ("PPM",), (".ppm", ".pgm", ".pnm"), True),
    Format("tga", ("TGA",), (".tga",), True, True),
    Format("jpeg2000", ("JPEG2000",), (".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"), True, True),
    Format("avif", ("AVIF",), (".avif",), True, True, metadata=("icc_profile", "exif")),
    Format("gif", ("GIF",), (".gif",)),
    Format("pbm", ("PPM",), (".pbm", ".pfm")),
    Format("mpo", ("MPO",), (".mpo",)),
    Format("sgi", ("SGI",), (".sgi", ".rgb", ".rgba", ".bw")),
    Format("pcx", ("PCX",), (".pcx",)),
    Format("ico", ("ICO", "CUR"), (".ico", ".cur")),
    Format("icns", ("ICNS",), (".icns",)),
    Format("dds", ("DDS",), (".dds",)),
    Format("psd", ("PSD",), (".psd",)),
    Format("qoi", ("QOI",), (".qoi",)),
    Format("xbm", ("XBM",), (".xbm",)),
    Format("xpm", ("XPM",), (".xpm",)),
)
BY_NAME: dict[str, Format] = {f.name: f for f in FORMATS}
BY_SUFFIX: dict[str, Format] = {suffix: f for f in FORMATS for suffix in f.suffixes}
# Further spellings for --format.
ALIASES: dict[str, str] = {"jpg": "jpeg", "tif": "tiff", "jp2": "jpeg2000", "pgm": "ppm", "pnm": "ppm"}
WRITABLE: tuple[str, ...] = tuple(f.name for f in FORMATS if f.writable)
PNG, NPY = BY_NAME["png"], BY_NAME["npy"]


def holders(depth: str, *, colour: bool) -> str:
    """The formats that can hold samples of `depth`, in words.

    >>> holders("16", colour=False)
    'png, tiff and npy'
    """
    names = [f.name for f in FORMATS if f.writable and f.holds(depth, colour=colour)]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def by_name(name: str) -> Format:
    """The writable format that `--format` names.

    Raises:
        ParameterError: unknown, or only read.
    """
    found = BY_NAME.get(ALIASES.get(name.lower(), name.lower()))
    if found is None or not found.writable:
        raise ParameterError("format", f"{name!r} cannot be written; {', '.join(WRITABLE)} can")
    return found


def by_suffix(path: str) -> Format | None:
    """The format that a file's suffix names, if any.

    >>> by_suffix("a/B.JPG").name
    'jpeg'
    """
    return BY_SUFFIX.get(os.path.splitext(path)[1].lower())


def by_pillow(name: str | None) -> Format:
    """The format that Pillow calls `name`; png for one that is not in the table."""
    return next((f for f in FORMATS if name in f.pillow), BY_NAME["jpeg"] if name == "MPO" else PNG)


def for_output(path: str, parameter: str = "output") -> Format:
    """The format of an output by its suffix; `parameter` is where it was named.

    Raises:
        ParameterError: the suffix names no format, or one that is only read.
    """
    found = by_suffix(path)
    if found is None or not found.writable:
        suffix = os.path.splitext(path)[1]
        what = f"the suffix {suffix} of {path!r}" if suffix else f"{path!r} has no suffix, so it"
        ends = " ".join(s for f in FORMATS if f.writable for s in f.suffixes[:1])
        verb = "names" if found is None else "is only read; it names"
        option = ", or --format" if parameter == "output" else ""
        raise ParameterError(parameter, f"{what} {verb} no format that can be written; {ends} do{option}")
    return found
