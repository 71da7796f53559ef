"""What a montage shows: of each image its input, kernels, layers and outputs, drawn small as soon as they are there."""

import math
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from numpy.typing import NDArray

from cnnfilter.batch.captions import MOST_LAYERS, MOST_MAPS, enlargement, heading, keys_of, range_of, result_keys
from cnnfilter.batch.kernel_panels import SHARE, filter_panels, kernel_panel, slices_share
from cnnfilter.batch.outputs import Form
from cnnfilter.batch.settings import Step
from cnnfilter.core.geometry import channels_of
from cnnfilter.core.kernels import Kernel
from cnnfilter.core.vocabulary import STANDARD_STREAM
from cnnfilter.core.words import by
from cnnfilter.errors import UnfitError
from cnnfilter.images.charts import bars
from cnnfilter.images.image import Image
from cnnfilter.images.montage import GAP, INNER_GAP, MARGIN, MOST_GROUPS, WIDTH, Exhibit, Group, Key, Panel
from cnnfilter.images.tiles import columns_for, shown, size_in_area, size_in_box, tiled, value_range
from cnnfilter.model.filters import Convolve, Pool
from cnnfilter.model.layer import Layer

# A picture takes between so many pixels.
LEAST_AREA, LARGEST_AREA = 96**2, 540**2
CAPTIONS = 56  # the height of the words above a picture and the gap below it
FEW_MAPS = 8  # of a layer on the way
LEAST_MAP = 72**2
MOST_CLASSES = 10


class Gathering:
    """The panels of one image, step by step; `height` is about how high they may be together."""

    def __init__(self, source: str, image: Image, steps: Sequence[Step], height: int) -> None:
        self.source, self.shape, self.steps = source, image.pixels.shape, steps
        shape = self.shape
        counts = [_count(step, shape) for step in steps]
        count = sum(counts)
        more = f", the first {MOST_GROUPS} of {count} shown" if count > MOST_GROUPS else ""
        self._box = box_for(1 + min(count, MOST_GROUPS), shape[:2], max(_beside(step, shape) for step in steps), height)
        name = "standard input" if source == STANDARD_STREAM else PurePath(source).name
        self._heading = f"{name}: {heading(steps, shape, counts[0])}{more}"
        is_stack = len(shape) == 3 and shape[2] not in (1, 3)
        self._input = self._panel("input", "", image.pixels, image.alpha, is_stack=is_stack, most=FEW_MAPS)

    def begin(self, step: Step) -> None:
        """What comes now belongs to that step.

        Raises:
            UnfitError: the image does not fit it.
        """
        self._step = step
        self._chosen = frozenset(chosen_layers(step, self.shape))
        self._groups: list[Group] = []

    def observe(self, name: str, output: NDArray[Any]) -> None:
        """Draw the output of a layer on the way, if it is one of those that are shown."""
        pipeline = self._step.pipeline
        if name not in self._chosen or name == pipeline.last.name or output.ndim == 1:
            return
        kind = pipeline.node(name).layer.type
        most = MOST_MAPS if name in self._step.taps else FEW_MAPS
        is_stack = pipeline.is_stack(name, self.shape)
        words = "" if name.startswith(kind) else kind
        layer = pipeline.node(name).layer
        drawn = self._panel(name, words, output, None, is_stack=is_stack, most=most, signed=_is_signed(layer))
        self._groups.append((*self._kernels(layer), drawn))

    def result(
        self,
        result: NDArray[Any],
        alpha: NDArray[Any] | None,
        form: Form | None,
        classes: Sequence[dict[str, Any]] | None,
    ) -> None:
        """Draw the output of the step as it is written, beside its kernel; of a vector the classes, if it has some."""
        if result.ndim == 1 or form is None:
            if classes is not None:
                self._groups.append((self._ranked(classes),))
            return
        layer = self._step.pipeline.last.layer
        keys = result_keys(result, form)
        words = form.mapping if keys else ""
        bank = self._bank(layer)
        if bank is not None and self._step.operation == "convolve":
            self._groups += self._filters(bank, result, keys, words)
            return
        title, is_signed = self._title(layer), _is_signed(layer)
        drawn = self._panel(
            title, words, result, alpha, is_stack=form.is_stack, most=MOST_MAPS, keys=keys, signed=is_signed
        )
        self._groups.append((*self._kernels(layer), drawn))

    def _bank(self, layer: Layer) -> Kernel | None:
        """The bank of filters of a layer that has one, for the channels of the image."""
        if not isinstance(layer, Convolve) or not layer.operation.kernel.is_bank:
            return None
        bank = layer.operation.kernel.spanning(channels_of(self.shape))
        return bank.flipped() if layer.operation.flip else bank

    def _kernels(self, layer: Layer) -> tuple[Panel, ...]:
        """The heat maps of a layer's kernel."""
        if not isinstance(layer, Convolve) or layer.operation.kernel.is_bank:
            return ()
        kernel, flip = layer.operation.kernel, layer.operation.flip
        several = len(self.steps) > 1 or self._step.operation == "pipeline"
        title = "kernel" if len(self.steps) > 1 or kernel.label == "kernel" else f"kernel {kernel.name}"
        kernel = kernel.flipped() if flip else kernel
        return (kernel_panel(kernel, title, self._box, flipped=flip, several=several),)

    def _title(self, layer: Layer) -> str:
        if isinstance(layer, Pool) and self._step.operation == "pool":
            size = layer.operation.windows(self.shape).size
            return f"{layer.operation.kind} {by(size)}"
        if self._step.operation == "pipeline":
            return self._step.pipeline.last.name
        assert isinstance(layer, Convolve)
        return "output" if len(self.steps) == 1 else layer.operation.kernel.name

    def _ranked(self, ranked: Sequence[dict[str, Any]]) -> Panel:
        """The likeliest classes as bars."""
        rows = [(str(row["label"]), float(row["probability"])) for row in ranked[:MOST_CLASSES]]
        note = f"{len(rows)} of " * (len(rows) < len(ranked)) + f"{len(ranked)} classes"
        return Panel(self._step.pipeline.last.name, note, bars(rows))

    def taken(self) -> Exhibit:
        """What was gathered of the step."""
        return Exhibit(self.source, self._heading, ((self._input,), *self._groups[:MOST_GROUPS]))

    def _filters(self, kernel: Kernel, result: NDArray[Any], keys: tuple[Key, ...], words: str) -> list[Group]:
        """Of each filter its slices and its map."""
        size = size_in_box(result.shape[:2], self._box)
        several = len(self.steps) > 1
        filters = filter_panels(kernel, size, MOST_MAPS, several=several)
        groups: list[Group] = []
        for index, slices in enumerate(filters):
            tile = shown(result[:, :, index], size)
            note = ", ".join(word for word in (by(result.shape[:2]), words or range_of(tile)) if word)
            title = f"{kernel.name} map {index}" if several else f"map {index}"
            panel = Panel(title, note, tile.pixels, keys or keys_of(tile))
            groups.append((slices, panel))
        return groups

    def _panel(
        self,
        title: str,
        words: str,
        array: NDArray[Any],
        alpha: NDArray[Any] | None,
        *,
        is_stack: bool,
        most: int,
        keys: tuple[Key, ...] = (),
        signed: bool = False,
    ) -> Panel:
        """An output: a picture, or some of its maps as tiles; `signed` ones stay so if none is negative."""
        shape = by(array.shape)
        flat = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
        signed = flat.dtype.kind in "if" and (signed or value_range(flat)[0] < 0)
        if flat.ndim == 3 and (is_stack or flat.shape[2] != 3 or signed):
            pixels, found, note = self._tiles(flat, is_stack=is_stack, most=most, signed=signed)
        else:
            size = size_in_box(flat.shape[:2], self._box)
            tile = shown(flat, size, alpha, signed=signed)
            pixels, found, note = tile.pixels, keys_of(tile), range_of(tile)
            note = ", ".join(part for part in (enlargement(flat.shape, size), note) if part)
        note = ", ".join(part for part in (f"{words} {shape}".strip(), note) if part)
        return Panel(title, note, pixels, keys or found)

    def _tiles(
        self, maps: NDArray[Any], *, is_stack: bool, most: int, signed: bool
    ) -> tuple[NDArray[Any], tuple[Key, ...], str]:
        """(picture, keys, note) of the first maps of a stack."""
        count = min(maps.shape[2], most)
        grow = max(1.0, math.sqrt(count * LEAST_MAP / (self._box[0] * self._box[1])))
        box = round(self._box[0] * grow), round(self._box[1] * grow)
        columns, size = columns_for(count, maps.shape[:2], box)
        drawn = [shown(maps[:, :, index], size, signed=signed) for index in range(count)]
        names = list("RGB") if not is_stack and maps.shape[2] == 3 else [str(index) for index in range(count)]
        keys = tuple(dict.fromkeys(key for tile in drawn for key in keys_of(tile)))
        note = f"{count} of {maps.shape[2]} maps" if count < maps.shape[2] else ""
        return tiled([tile.pixels for tile in drawn], columns, names), keys, note


def box_for(count: int, shape: tuple[int, int], beside: float, height: int) -> tuple[int, int]:
    """The size in which pictures of `shape` are drawn, so that `count` groups of them are at most about `height` high.

    A picture has as few neighbours as that takes. `beside` is what stands beside each but the first, as a part of its
    width.
    """
    aspect = min(max(shape[1] / shape[0], 1 / 9), 9.0)
    for columns in range(1, count + 1):
        across = 0.98 * (WIDTH - 2 * MARGIN - GAP * (columns - 1)) - INNER_GAP * columns
        width = across / (2 + beside) if columns == count == 2 else across / columns / (1 + beside)
        if -(-count // columns) * (width / aspect + CAPTIONS) <= height:
            break
    else:
        width = aspect * (height - CAPTIONS)
    return size_in_area(shape, min(max(round(width * width / aspect), LEAST_AREA), LARGEST_AREA))


def _is_signed(layer: Layer) -> bool:
    """Whether a layer's responses may be negative: its kernel has such weights, or they were learned."""
    if isinstance(layer, Convolve):
        operation = layer.operation
        return not operation.kernel.is_gradient and bool((operation.kernel.matrix < 0).any())
    return layer.type in ("conv2d", "batchnorm")


def _beside(step: Step, shape: tuple[int, ...]) -> float:
    """How wide a kernel or the slices of a filter are, as a part of the width of the map."""
    kernels = [layer.operation.kernel for layer in step.pipeline.layers if isinstance(layer, Convolve)]
    if not kernels:
        return 0.0
    if kernels[0].is_bank and step.operation == "convolve":
        return slices_share(channels_of(shape))
    return 0.0 if all(kernel.is_bank for kernel in kernels) else SHARE * math.sqrt(shape[0] / shape[1])


def chosen_layers(step: Step, shape: tuple[int, ...]) -> list[str]:
    """The layers on the way whose outputs are shown: the taps, or all that have maps, evenly thinned out."""
    if step.operation != "pipeline":
        return []
    if step.taps:
        return list(step.taps)
    shapes, last = step.pipeline.shapes(shape), step.pipeline.last.name
    names = [
        node.name
        for node in step.pipeline.nodes
        if len(shapes[node.name]) > 1 and node.name != last and node.layer.type != "dropout"
    ]
    if len(names) <= MOST_LAYERS:
        return names
    return [names[index * len(names) // MOST_LAYERS] for index in range(MOST_LAYERS)]


def _count(step: Step, shape: tuple[int, ...]) -> int:
    """How many panels a step has for an image of that shape."""
    layer = step.pipeline.layers[0]
    if step.operation == "convolve" and isinstance(layer, Convolve) and layer.operation.kernel.is_bank:
        return min(int(layer.operation.kernel.matrix.shape[3]), MOST_MAPS)
    try:
        return 1 + len(chosen_layers(step, shape))
    except UnfitError:  # told of when the step is done
        return 1
