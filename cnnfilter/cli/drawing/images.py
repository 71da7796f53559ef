"""An image in the terminal: what it is, how it is read, statistics, histograms."""

from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from cnnfilter.cli.drawing.canvas import NAMES, Canvas, listing
from cnnfilter.cli.preview import half_blocks
from cnnfilter.cli.show import short
from cnnfilter.core.statistics import ChannelStatistics
from cnnfilter.core.words import by, printable
from cnnfilter.images.details import ORIENTATIONS
from cnnfilter.images.image import Image
from cnnfilter.images.report import ImageReport

# Lines of the picture itself.
PREVIEW_ROWS = 20
# Width of terminals below which a table has fewer columns.
NARROW = 52
HISTOGRAM_ROWS = 3
# Channels beyond these are only counted.
MOST_CHANNELS = 16
INKS = {"red": "red", "green": "green", "blue": "blue"}


def draw_image(canvas: Canvas, report: ImageReport, image: Image, name: str) -> None:
    """Print all that is told of an image."""
    shape = by(report.shape)
    title = Text.assemble((printable(name), "bold"), f"  {shape} {report.format} image")
    canvas.show(title, Text(), listing(_properties(report)), Text())
    canvas.show(half_blocks(image.pixels, canvas.width, PREVIEW_ROWS, alpha=image.alpha), Text())
    canvas.show(_statistics(canvas, report))
    shown = list(report.channels.items())[:MOST_CHANNELS]
    if len(shown) < len(report.channels):
        canvas.show(Text(f"... and {len(report.channels) - len(shown)} more channels (--report json)"))
    for channel, found in shown:
        canvas.show(Text(), _histogram(canvas, channel, found))
    canvas.show(Text(f"{'':<{NAMES}}  {_ends(report)}: samples of each level", "dim"))


def _properties(report: ImageReport) -> list[tuple[str, Any]]:
    height, width, *rest = report.shape
    megapixels = f"{height * width / 1e6:.2f} megapixels" if height * width >= 5000 else f"{height * width} pixels"
    alpha = "; transparency (alpha) apart" if report.has_alpha else ""
    found: list[tuple[str, Any]] = [
        ("size", f"{height} high, {width} wide, {_channels(rest)}; {megapixels}"),
        ("read as", f"{report.dtype}, {report.levels[0]} is black and {report.levels[1]} white{alpha}"),
    ]
    if report.nbytes is not None:
        memory = height * width * (rest[0] if rest else 1) * report.itemsize
        found.append(("bytes", f"{report.nbytes} in the file, {short(memory)} in memory"))
    details = report.details
    if details is not None:
        palette = f" of {details.colours} colours" if details.colours else ""
        packed = f", {details.compression}" if details.compression else ""
        found.append(("in the file", f"{details.mode}{palette}{packed}"))
        if details.orientation in ORIENTATIONS:
            found.append(("orientation", f"{ORIENTATIONS[details.orientation]}, as EXIF says (already done here)"))
        if details.profile_bytes:
            name = printable(details.profile or "without a name")
            found.append(("ICC profile", f"{name}, {details.profile_bytes} bytes; kept, pixels are not converted"))
        if details.dpi:
            found.append(("resolution", f"{details.dpi[0]:g} x {details.dpi[1]:g} dots per inch"))
        if details.exif:
            found.append(("EXIF", f"{details.exif} entries; kept"))
        if details.frames > 1:
            found.append(("frames", f"{details.frames}, of which the first is read"))
    return [*found, *(("warning", Text(note, "yellow")) for note in report.warnings)]


def _channels(rest: list[int]) -> str:
    if not rest:
        return "gray"
    return "3 channels: red, green, blue" if rest[0] == 3 else f"{rest[0]} channels"


def _statistics(canvas: Canvas, report: ImageReport) -> Table:
    """A row a channel; the shares of the darkest and the brightest level where there is room."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("channel", no_wrap=True, style="cyan")
    low, high = map(_level, report.levels)
    ends = [f"at {low}", f"{'above' if report.dtype.startswith('float') else 'at'} {high}"]
    ends = ends if canvas.width >= NARROW else []
    odd = ["NaN, inf"] if any(found.nonfinite for found in report.channels.values()) else []
    for name in ("min", "max", "mean", "std", *ends, *odd):
        table.add_column(name, justify="right")
    for name, found in list(report.channels.items())[:MOST_CHANNELS]:
        numbers = [_level(n) for n in (found.low, found.high, found.mean, found.deviation)]
        shares = [f"{found.at_low:.1%}", f"{found.at_high:.1%}"]
        table.add_row(name, *numbers, *shares[: len(ends)], *[str(found.nonfinite)] * len(odd))
    return table


def _histogram(canvas: Canvas, name: str, found: ChannelStatistics) -> Text:
    """Bars from dark to bright; those of levels that very many samples have are cut off, so that the others show."""
    room = min(len(found.histogram), max(8, canvas.width - NAMES - 2))
    step = -(-len(found.histogram) // room)
    counts = [sum(found.histogram[start : start + step]) for start in range(0, len(found.histogram), step)]
    ranked = sorted(counts)
    top = max(ranked[-2] if len(ranked) > 1 else 0, ranked[-1] / 4)
    lines = canvas.columns(counts, top, HISTOGRAM_ROWS)
    names = [*[""] * (HISTOGRAM_ROWS - 1), name]
    rows = [((f"{n:<{NAMES}}  ", "cyan"), (line, INKS.get(name, ""))) for n, line in zip(names, lines, strict=True)]
    return Text("\n").join(Text.assemble(*row) for row in rows)


def _ends(report: ImageReport) -> str:
    low, high = next(iter(report.channels.values())).edges
    return f"from {_level(low)} to {_level(high - 1 if high == report.levels[1] + 1 else high)}"


def _level(value: float) -> str:
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e12 else f"{value:.4g}"
