"""What a run does to every image."""

import os
from typing import Literal, NamedTuple

from cnnfilter.batch.paths import Result
from cnnfilter.core.catalogue import KERNEL_FILES
from cnnfilter.core.vocabulary import Alpha, Depth, Gray, Mapping
from cnnfilter.images.encoding import WriteOptions
from cnnfilter.images.formats import MAX_PIXELS
from cnnfilter.model.filters import Convolve
from cnnfilter.model.pipeline import Pipeline

Maps = Literal["grid", "files"]


class Settings(NamedTuple):
    """What a run does to every image besides its operation; the fields are the options of the same names."""

    mapping: Mapping = "auto"
    depth: Depth = "auto"
    gray: Gray | None = None
    alpha: Alpha = "keep"
    max_pixels: int = MAX_PIXELS
    no_clobber: bool = False
    dry_run: bool = False
    maps: Maps = "grid"
    inputs: frozenset[tuple[int, int]] = frozenset()  # device and inode of every input, which is never written to
    encoding: WriteOptions = WriteOptions()


class Step(NamedTuple):
    """One operation of a run: what the report and file names call it, and its layers.

    `convolve` and `pool` are pipelines of one layer. `taps` are layers whose outputs are written, too.
    """

    operation: Literal["convolve", "pool", "pipeline"]
    label: str
    pipeline: Pipeline
    taps: tuple[str, ...] = ()

    @property
    def results(self) -> list[Result]:
        """The result of the last layer, then those of the taps."""
        last = Result(self.label, None, self.pipeline.gives_vector)
        return [last, *(Result(self.label, _in_a_name(tap)) for tap in self.taps)]

    @property
    def sources(self) -> dict[str, str]:
        """The files that the operation comes from, with what each of them is."""
        pipeline, found = self.pipeline, {}
        if pipeline.source:
            found[pipeline.source] = "pipeline"
        if pipeline.weights is not None:
            found[os.path.join(pipeline.folder, pipeline.weights)] = "weights"
        kernels = [layer.operation.kernel.name for layer in pipeline.layers if isinstance(layer, Convolve)]
        return found | {name: "kernel" for name in kernels if name.lower().endswith(KERNEL_FILES)}


def _in_a_name(layer: str) -> str:
    """A layer's name as a part of a file name, where no folder can hide in it.

    >>> _in_a_name("features.0/../x")
    'features.0-..-x'
    """
    return "".join(c if c.isalnum() or c in "._-+" else "-" for c in layer)
