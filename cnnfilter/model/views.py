"""Parts of arrays as drawings need them: cells of the padded input around a window, and the largest of many."""

from dataclasses import dataclass

import numpy as np

from cnnfilter.core.engine.padding import indices
from cnnfilter.model.layer import Array
from cnnfilter.model.traced import Pooled, Weighted


@dataclass(frozen=True, eq=False)
class View:
    """Cells of one channel of a padded input: their rows and columns, samples, and which are padding.

    `levels` are the samples of black and white. `is_whole` where nothing of the input is left out.
    """

    rows: range
    columns: range
    values: Array
    padding: Array
    levels: tuple[float, float]
    is_whole: bool = False


def spans_of(image: Array, how: Weighted | Pooled) -> tuple[range, range]:
    """Rows and columns of the padded input; ceil mode's windows reach beyond it."""
    assert how.window is not None
    padding = how.windows.padding if how.windows else ((0, 0), (0, 0))
    rows, columns = (
        range(min(-padding[axis][0], cells[0]), max(image.shape[axis] + padding[axis][1], cells[-1] + 1))
        for axis, cells in enumerate((how.window.rows, how.window.columns))
    )
    return rows, columns


def view(image: Array, channel: int, how: Weighted | Pooled, rows: range, columns: range) -> View:
    """The cells in these rows and columns of the padded input."""
    plane = image if image.ndim == 2 else image[:, :, channel]
    mode = how.pad_mode if isinstance(how, Weighted) else "zero"
    sources = [
        indices(mode, plane.shape[axis], span.start, len(span)).clip(-1) for axis, span in enumerate((rows, columns))
    ]
    values = plane[np.ix_(*sources)].copy()
    values[sources[0] < 0] = 0
    values[:, sources[1] < 0] = 0
    outside = [
        np.array([not 0 <= place < plane.shape[axis] for place in span]) for axis, span in enumerate((rows, columns))
    ]
    levels = (0.0, 255.0) if values.dtype == np.uint8 else ends(values)
    values = values.astype(np.uint8) if values.dtype.kind == "b" else values
    whole = (rows, columns) == spans_of(image, how)
    return View(rows, columns, values, outside[0][:, None] | outside[1][None, :], levels, whole)


def ends(values: Array) -> tuple[float, float]:
    """The least and the greatest value, passing over NaN."""
    with np.errstate(invalid="ignore"):
        return float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))


def finite(values: Array) -> Array:
    """Floats, with zero in the place of NaN and infinities."""
    return np.asarray(np.nan_to_num(values.astype(np.float64), nan=0, posinf=0, neginf=0))


def heaviest(values: Array, count: int) -> list[int]:
    """The places, in the flattened array, of the values that are farthest from zero.

    >>> heaviest(np.array([[1, -3], [2, 0]]), 2)
    [1, 2]
    """
    found: list[int] = np.argsort(-np.abs(finite(values)), axis=None, kind="stable")[:count].tolist()
    return found
