"""One kernel on every channel: the sum of shifted and scaled copies of a band of rows.

The plain strategy, right for every kernel, stride, dilation, padding and sample type. A band of padded rows is loaded
once in the type of the sums; each tap then is one multiplication and one addition over the whole band (one addition for
1 and -1, nothing for 0 among whole numbers). About 0.3 ns a tap and value in int32, twice that in int64 and float64.

Float sums are kept in float64: rounded once, to float32 at the end, they stay within 1e-7 of the largest product sum.
Zero taps count among floats, so that a NaN reaches every window that holds it.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.engine.padding import padded_rows
from cnnfilter.core.engine.task import Correlation


def sums(
    task: Correlation, image: NDArray[Any], accumulator: np.dtype[Any], band_rows: int
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """(rows of the output, their sums) band by band; the sums are overwritten by the next band's."""
    windows = task.windows
    rows, columns, channels = task.output_shape(image.shape)
    taps = [
        (y * windows.dilation[0], x * windows.dilation[1], k)
        for (y, x), k in np.ndenumerate(task.weights.astype(accumulator))
        if k != 0 or accumulator.kind == "f"
    ]
    total = np.empty((min(band_rows, rows), columns, channels), accumulator)
    product = np.empty_like(total)
    (step_y, step_x), width = windows.stride, (columns - 1) * windows.stride[1] + 1
    for start in range(0, rows, band_rows):
        count = min(band_rows, rows - start)
        height = (count - 1) * step_y + 1
        band = padded_rows(
            image,
            start * step_y - windows.padding[0][0],
            height + windows.extent[0] - 1,
            windows.padding,
            task.pad_mode,
            accumulator,
            sum_channels=task.sum_channels,
        )
        with np.errstate(invalid="ignore", over="ignore"):  # inf * 0, inf - inf: NaN is the answer
            shifted = ((band[y : y + height : step_y, x : x + width : step_x], k) for y, x, k in taps)
            _add_up(shifted, total[:count], product[:count])
        yield slice(start, start + count), total[:count]


def _add_up(shifted: Iterator[tuple[NDArray[Any], Any]], total: NDArray[Any], product: NDArray[Any]) -> None:
    view, k = next(shifted, (None, 0))
    if view is None:
        total[...] = 0
        return
    np.multiply(view, k, out=total)
    for view, k in shifted:
        if k == 1:
            np.add(total, view, out=total)
        elif k == -1:
            np.subtract(total, view, out=total)
        else:
            np.multiply(view, k, out=product)
            np.add(total, product, out=total)
