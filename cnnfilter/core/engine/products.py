"""Filter banks: the windows of a block of pixels as the rows of a matrix, times the filters as its columns.

Known as im2col (Chellapilla, Puri and Simard, "High performance convolutional neural networks for document processing",
2006). BLAS does the work; the copy of the windows costs about a nanosecond a value. In float64, so that whole numbers
stay exact up to 2^53 and floats, rounded once to float32 at the end, within 1e-7 of the largest product sum.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from cnnfilter.core.engine.padding import padded_rows
from cnnfilter.core.engine.task import Correlation

# Values of the matrix of windows: 8 MB in float64.
BLOCK = 1 << 20


def sums(
    task: Correlation, image: NDArray[Any], accumulator: np.dtype[Any], band_rows: int
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """(rows of the output, their sums) band by band; the sums are overwritten by the next band's."""
    windows = task.windows
    rows, columns, filters = task.output_shape(image.shape)
    height, width, inputs, _ = task.weights.shape
    matrix = task.weights.reshape(-1, task.groups, filters // task.groups).astype(accumulator)
    total = np.empty((min(band_rows, rows), columns, filters), accumulator)
    for start in range(0, rows, band_rows):
        count = min(band_rows, rows - start)
        band = padded_rows(
            image,
            start * windows.stride[0] - windows.padding[0][0],
            (count - 1) * windows.stride[0] + windows.extent[0],
            windows.padding,
            task.pad_mode,
            accumulator,
        )
        s_y, s_x, s_c = band.strides
        steps = (s_y * windows.stride[0], s_x * windows.stride[1], s_y * windows.dilation[0], s_x * windows.dilation[1])
        with np.errstate(invalid="ignore", over="ignore"):  # inf * 0, inf - inf: NaN is the answer
            for group in range(task.groups):
                channels = band[:, :, group * inputs :]
                view = as_strided(channels, (count, columns, height, width, inputs), (*steps, s_c), writeable=False)
                out = total[:count, :, group * (filters // task.groups) : (group + 1) * (filters // task.groups)]
                _multiply(view, matrix[:, group], out)
        yield slice(start, start + count), total[:count]


def _multiply(windows: NDArray[Any], matrix: NDArray[Any], out: NDArray[Any]) -> None:
    """Out (rows, columns, filters) = windows (rows, columns, height, width, channels) x matrix, a block at a time."""
    rows, columns = windows.shape[:2]
    block = max(1, BLOCK // max(1, rows * matrix.shape[0]))
    for first in range(0, columns, block):
        part = windows[:, first : first + block]
        product = part.reshape(-1, matrix.shape[0]) @ matrix
        out[:, first : first + block] = product.reshape(rows, part.shape[1], -1)
