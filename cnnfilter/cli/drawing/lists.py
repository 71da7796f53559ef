"""All there is, in the terminal: kernels, families, layers, formats."""

from collections.abc import Callable
from typing import Any

from rich.table import Table
from rich.text import Text

from cnnfilter.cli.drawing.canvas import Canvas
from cnnfilter.core.geometry import PAD_MODES
from cnnfilter.images.formats import FORMATS
from cnnfilter.model import listing

HINT = """\
  cnnfilter inspect sobel-v                        what a kernel does, and why
  cnnfilter inspect relu                           a layer; an option: stride
  cnnfilter inspect photo.jpg                      what an image holds
  cnnfilter inspect net.toml --input 224x224x3     shapes and cost of a network
  cnnfilter inspect photo.jpg -k sobel-v --at 3,4  one value, step by step"""
NOTE = """\
  Capitals: the value that needs no key. weight, bias, mean, variance: tensors, found by params.
  All layers take name and from, those with tensors also params, init, seed."""


def everything() -> dict[str, Any]:
    """All there is as plain data. Keys: kind, kernels, families, layers, pad_modes, formats."""
    formats = [
        {"name": each.name, "suffixes": list(each.suffixes), "writes": each.writable, "alpha": each.alpha}
        for each in FORMATS
    ]
    return {"kind": "list", **listing.as_dict(), "pad_modes": PAD_MODES, "formats": formats}


def draw_everything(canvas: Canvas) -> None:
    """Print all there is."""
    _draw_kernels(canvas)
    canvas.show(Text())
    _draw_layers(canvas)
    canvas.show(Text())
    _section(canvas, "Padding", "--pad-mode: what lies around a row abcd", PAD_MODES)
    canvas.show(Text())
    _draw_formats(canvas)
    canvas.show(Text(), Text("More", "bold"), Text(HINT))


def _draw_kernels(canvas: Canvas) -> None:
    _section(canvas, "Kernels", "-k NAME: what an image is filtered with", listing.kernels())
    canvas.show(Text())
    _section(canvas, "Families of kernels", '-k "gaussian:7:1.5"; parts in [ ] may be left out', listing.families())


def _draw_layers(canvas: Canvas) -> None:
    _section(canvas, "Layers", '--steps "gray | convolve sobel-v stride=2 | relu | pool"', _layers())
    canvas.show(Text(NOTE, "dim"))


def _draw_formats(canvas: Canvas) -> None:
    written = " ".join(each.name for each in FORMATS if each.writable)
    read = " ".join(each.name for each in FORMATS if not each.writable)
    arrays = "height x width [x channels] of bool, integers up to int64, or floats"
    formats = {"read and written": written, "read only": read, "npy holds": arrays}
    _section(canvas, "Formats", "of image files", formats)


# What can be printed alone, by the words that ask for it.
PARTS: dict[str, Callable[[Canvas], None]] = {
    "kernels": _draw_kernels,
    "layers": _draw_layers,
    "formats": _draw_formats,
}


def _layers() -> dict[str, str]:
    """The meaning of each layer, and its keys with their defaults."""
    return {layer.type: f"{layer.meaning}\n{keys_in_words(layer)}".rstrip() for layer in listing.layers()}


def keys_in_words(layer: listing.LayerListing) -> str:
    """The keys of a layer with their defaults; in capitals the one whose value needs no key."""
    parts = []
    for key, default in layer.keys.items():
        name = key.upper() if key == layer.main else key
        word = f"{name}={default}" if default else name
        parts.append(f"[{word}]" if key == layer.main and default else word)
    return " ".join(parts)


def _section(canvas: Canvas, title: str, told: str, rows: dict[str, str]) -> None:
    canvas.show(Text.assemble((title, "bold"), f"  {told}"))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, meaning in rows.items():
        first, *rest = meaning.split("\n")
        table.add_row(f"  {name}", Text.assemble(first, *[("\n" + line, "dim") for line in rest]))
    canvas.show(table)
