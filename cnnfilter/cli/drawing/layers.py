"""A type of layer in the terminal: its keys, its values, an example with the shapes that come of it."""

from rich import box
from rich.table import Table
from rich.text import Text

from cnnfilter.cli.drawing.canvas import Canvas, listing
from cnnfilter.cli.drawing.lists import keys_in_words
from cnnfilter.cli.drawing.pipelines import layers_table
from cnnfilter.core.catalogue import COMMON_KEYS, LEARNED_KEYS
from cnnfilter.core.words import by, figure
from cnnfilter.model.explain_layer import PLACES, SHAPE, LayerExplanation
from cnnfilter.model.layers import LAYERS
from cnnfilter.model.listing import is_learned

# The width of a terminal below which every other value is told.
NARROW = 76


def draw_layer(canvas: Canvas, explained: LayerExplanation) -> None:
    """Print all that is told of a type of layer."""
    about = explained.listing
    canvas.show(Text.assemble((about.type, "bold"), "  layer: ", (about.meaning, "bold")), Text())
    if explained.values is not None:
        canvas.show(_values(canvas, explained.values, about.type), Text())
    common = (*COMMON_KEYS, *(LEARNED_KEYS if is_learned(LAYERS[about.type]) else ()))
    rows = [("keys", keys_in_words(about) or "none of its own"), ("also", ", ".join(common))]
    if about.main is not None:
        rows.insert(1, ("", f"{about.main.upper()} needs no key: {about.type} VALUE"))
    canvas.show(listing(rows), Text())
    assert explained.report.summary is not None
    canvas.show(Text(f"What becomes of a picture of {by(SHAPE)} (sees: the receptive field) with"))
    canvas.show(Text(f'  --steps "{explained.example}"'), Text())
    canvas.show(layers_table(canvas, explained.report, explained.report.summary), Text())
    canvas.show(Text('One value step by step: cnnfilter inspect img.png --steps "..." --at Y,X', "dim"))


def _values(canvas: Canvas, values: tuple[float, ...], name: str) -> Table:
    """The values of an activation below those that it is given."""
    step = 1 if canvas.width >= NARROW else 2
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("x", style="cyan", no_wrap=True)
    for place in PLACES[::step]:
        table.add_column(figure(place), justify="right", no_wrap=True)
    table.add_row(name, *(figure(value, 3) for value in values[::step]))
    return table
