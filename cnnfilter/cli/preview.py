"""Pictures in the terminal: half blocks in its colours, or shades of characters without any."""

from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style

from cnnfilter.core.samples import Array
from cnnfilter.images.canvas import Canvas, Colour, drawn
from cnnfilter.images.thumbnail import Thumbnail, thumbnail

UPPER, LOWER = "\u2580", "\u2584"
# From dark to bright, for light letters on a dark ground.
SHADES = " .:-=+*#%@"


class HalfBlocks:
    """A picture as characters, each two pixels high; rich prints it in the colours that the terminal has."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(self.canvas.columns, self.canvas.columns)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas = self.canvas.cut(options.max_width)
        if console.no_color or console.color_system is None:
            lines = [[Segment("".join(SHADES[shade] for shade in line))] for line in canvas.shades(len(SHADES))]
        elif options.ascii_only:
            lines = [[_space(colour) for colour in line] for line in canvas.means()]
        else:
            lines = [[_half(*pair) for pair in line] for line in canvas.pairs()]
        for line in lines:
            yield from Segment.simplify(line)
            yield Segment.line()


def half_blocks(
    array: Array | Thumbnail, width: int, height: int, *, alpha: Array | None = None, is_stack: bool = False
) -> HalfBlocks:
    """A picture for rich, at most `width` characters wide and `height` lines high, in its own proportions.

    `array` is (height, width[, channels]) of any real type: 1 channel is gray, 2 gray and alpha, 3 colour, 4 colour and
    alpha, more or `is_stack` feature maps, which are laid out as tiles. Large pictures are shrunk by the mean of areas,
    tiny ones enlarged by a whole factor with hard pixels. Transparent places and NaN show a checkerboard.
    """
    frame = 2 * height, width
    picture = array if isinstance(array, Thumbnail) else thumbnail(array, frame, alpha, is_stack=is_stack)
    return HalfBlocks(drawn(picture, frame))


def _half(above: Colour | None, below: Colour | None) -> Segment:
    """One character for two pixels, of which either may be missing."""
    if above is not None:
        ground = None if below is None else Color.from_rgb(*below)
        return Segment(UPPER, Style(color=Color.from_rgb(*above), bgcolor=ground))
    return Segment(" ") if below is None else Segment(LOWER, Style(color=Color.from_rgb(*below)))


def _space(colour: Colour | None) -> Segment:
    """The same where the terminal has no block characters."""
    return Segment(" ", None if colour is None else Style(bgcolor=Color.from_rgb(*colour)))
