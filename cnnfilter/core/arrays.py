"""Arrays that users pass: numbers, in the shape of an image where one is needed."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.errors import ParameterError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def as_numbers(values: "ArrayLike", parameter: str) -> NDArray[Any]:
    """`values` as an array of booleans, integers or floats.

    Raises:
        ParameterError: ragged, or of another type.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ParameterError(parameter, "rows of different lengths are no array") from error
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise ParameterError(parameter, f"booleans, integers or floats are needed, {array.dtype} came")
    return array


def as_image(image: "ArrayLike", parameter: str = "image") -> NDArray[Any]:
    """`image` as an array of numbers, height x width or height x width x channels.

    Raises:
        ParameterError: any other shape or type, or no values.
    """
    array = as_numbers(image, parameter)
    if array.ndim not in (2, 3) or not array.size:
        raise ParameterError(parameter, f"height x width or height x width x channels is needed, {array.shape} came")
    if array.dtype.kind == "u" and array.dtype.itemsize == 8:
        if int(array.max()) >= 2**63:
            raise ParameterError(parameter, "whole numbers above 2^63 are too large")
        array = array.astype(np.int64)
    return array


def as_planes(image: NDArray[Any]) -> NDArray[Any]:
    """An image as (height, width, channels)."""
    return image if image.ndim == 3 else image[:, :, None]
