"""Parts of arrays that drawings of windows show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cnnfilter.model import views
from cnnfilter.model.filters import Convolve, Pool
from cnnfilter.model.pipeline import Pipeline
from cnnfilter.model.trace import tracer
from cnnfilter.model.traced import Combined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnnfilter.model.traced import Pooled, Position, Weighted

    Array = NDArray[Any]

IMAGE = np.arange(1, 21, dtype=np.uint8).reshape(4, 5)


def how_of(layer: Convolve | Pool, position: Position, image: Array = IMAGE) -> Weighted | Pooled:
    how = tracer(Pipeline((layer,)), image).at(position).how
    assert not isinstance(how, Combined)
    return how


def whole(image: Array, how: Weighted | Pooled, channel: int = 0) -> views.View:
    return views.view(image, channel, how, *views.spans_of(image, how))


@pytest.mark.parametrize("mode", ["reflect", "symmetric", "zero", "edge", "wrap"])
def test_the_whole_padded_input(mode: str) -> None:
    found = whole(IMAGE, how_of(Convolve("blur", pad_mode=mode), (0, 0)))
    words: Any = {"zero": "constant"}.get(mode, mode)
    assert (found.rows, found.columns, found.is_whole) == (range(-1, 5), range(-1, 6), True)
    np.testing.assert_array_equal(found.values, np.pad(IMAGE, 1, mode=words))
    np.testing.assert_array_equal(found.padding, np.pad(np.zeros((4, 5), bool), 1, constant_values=True))
    assert found.levels == (0, 255)


def test_a_part_of_it() -> None:
    how = how_of(Convolve("blur", padding="valid"), (1, 1))
    found = views.view(IMAGE, 0, how, range(1, 3), range(2, 5))
    assert found.values.tolist() == [[8, 9, 10], [13, 14, 15]]
    assert not found.padding.any()
    assert not found.is_whole


def test_one_channel_of_several_and_levels_of_other_types() -> None:
    image = np.dstack([IMAGE, IMAGE * 2]).astype(np.float32)
    image[0, 0, 1] = np.nan
    found = whole(image, how_of(Convolve("identity"), (0, 0, 1), image), channel=1)
    assert (found.values[1, 2], found.levels) == (4, (4, 40))
    truth = whole(IMAGE > 7, how_of(Convolve("identity"), (0, 0), IMAGE > 7))
    assert truth.values.dtype == np.uint8
    assert truth.values[1:-1, 1:-1].tolist() == (IMAGE > 7).astype(int).tolist()


def test_windows_of_ceil_mode_reach_beyond_the_padding() -> None:
    how = how_of(Pool("max", size=2, ceil_mode=True), (1, 2))
    found = whole(IMAGE, how)
    assert (found.rows, found.columns) == (range(4), range(6))
    assert found.values[:, 5].tolist() == [0, 0, 0, 0]
    assert found.padding[:, 5].all()
    assert not found.padding[:, :5].any()


def test_one_window_over_everything() -> None:
    found = whole(IMAGE, how_of(Pool("avg", size="all"), (0, 0)))
    assert found.is_whole
    np.testing.assert_array_equal(found.values, IMAGE)


def test_ends_and_the_heaviest_pass_over_what_is_no_number() -> None:
    values = np.array([[np.nan, -7, 3], [np.inf, 0, 5]], np.float32)
    assert views.ends(values[:, 1:]) == (-7, 5)
    assert views.finite(values).tolist() == [[0, -7, 3], [0, 0, 5]]
    assert views.heaviest(values, 3) == [1, 5, 2]
