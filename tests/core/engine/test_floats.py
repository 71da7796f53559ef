"""Methods for float sums against the nested loops, in bands, with threads, and with samples that are no numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import assume, given, settings, strategies as st
from windowed import fits, images, modes, windows

import cnnfilter
from cnnfilter.core import engine
from cnnfilter.core.convolution import Convolution
from cnnfilter.core.engine import columns, dense, floats, planes, separable, winograd
from cnnfilter.core.engine.columns import Columns
from cnnfilter.core.engine.dense import Dense
from cnnfilter.core.engine.floats import FLOAT32, FLOAT64, Method
from cnnfilter.core.engine.fourier import Fourier
from cnnfilter.core.engine.levels import Levels
from cnnfilter.core.engine.padding import padded_tile
from cnnfilter.core.engine.planes import Planes
from cnnfilter.core.engine.separable import Separable
from cnnfilter.core.engine.task import Correlation
from cnnfilter.core.engine.winograd import Winograd
from cnnfilter.core.geometry import Windows, pad_mode
from cnnfilter.core.samples import UINT8, Rendering, SampleType

Array = Any
LIMIT = {FLOAT32: 2e-6, FLOAT64: 1e-12}


@pytest.fixture(autouse=True)
def narrow_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small images have several tiles, too."""
    for module, name, most in (
        (separable, "ROWS", 4),
        (separable, "SHORT", 2),
        (separable, "VALUES", 20),
        (separable, "WIDE", 5),
        (dense, "ROWS", 4),
        (dense, "VALUES", 20),
        (dense, "PANEL", 1),
        (dense, "NARROW", 6),
        (dense, "UNIT", 2),
        (columns, "BLOCK", 1),
        (winograd, "TILES", 1),
    ):
        monkeypatch.setattr(module, name, most)


def in_bands(method: Method, task: Correlation, image: Array, threads: int = 1) -> Array:
    fused = floats.Fused.of(task, method, Levels(), image)
    return floats.run(replace(fused, threads=threads), image)[0]


def assert_close(method: Method, task: Correlation, image: Array, factor: int = 1) -> None:
    """The sums are within the limit of the largest, or of what the taps could give where all of them cancel."""
    define = reference.convolve if task.weights.ndim == 2 else reference.conv2d
    w = task.windows
    options: dict[str, Any] = {"stride": w.stride, "padding": w.padding, "pad_mode": task.pad_mode}
    if task.weights.ndim == 2:
        options["channels"] = "sum" if task.sum_channels else "each"
    else:
        options["groups"] = task.groups
    expected = np.array(define(image.tolist(), task.weights.tolist(), dilation=w.dilation, **options))
    most = np.abs(task.weights).sum() * np.abs(image.astype(float)).max()
    found = np.full(expected.shape, np.nan)
    for rows, values in floats.sums(method, task, image):
        assert np.isnan(found[rows]).all()
        found[rows] = values
    largest = np.abs(expected).max()
    if largest <= most / 10:  # little or nothing is left of much, but for its rounding
        largest = most
    assert np.abs(found - expected).max() <= factor * LIMIT[method.dtype] * largest
    once = in_bands(method, task, image)
    assert np.abs(once - found).max() <= 1e-7 * largest
    assert (in_bands(method, task, image, 2) == once).all()


@settings(deadline=None, max_examples=80)
@given(images(), windows(), modes, st.sampled_from([FLOAT32, FLOAT64]), st.booleans(), st.integers(0, 99))
def test_separable(image: Array, w: Windows, mode: str, dtype: np.dtype[Any], together: bool, seed: int) -> None:
    assume(fits(image, w))
    rng = np.random.default_rng(seed)
    column, row = rng.uniform(0.1, 1, w.size[0]), rng.uniform(0.1, 1, w.size[1])
    task = Correlation(np.outer(column, row), w, pad_mode(mode), sum_channels=together)
    assert_close(Separable(task, image.shape, column, row, dtype), task, image)


@settings(deadline=None, max_examples=60)
@given(images(), windows(), modes, st.sampled_from([FLOAT32, FLOAT64]), st.booleans(), st.integers(0, 99))
@pytest.mark.parametrize("kind", [Dense, Fourier])
def test_kernels_of_any_rank(
    kind: Any, image: Array, w: Windows, mode: str, dtype: np.dtype[Any], together: bool, seed: int
) -> None:
    w = w._replace(stride=(1, 1)) if kind is Fourier else w
    assume(fits(image, w))
    task = Correlation(np.random.default_rng(seed).normal(size=w.size), w, pad_mode(mode), sum_channels=together)
    method = kind(task, image.shape, dtype)
    assert_close(method, task, image, factor=2 if kind is Fourier else 1)  # in float32 for integer samples only


@settings(deadline=None, max_examples=80)
@given(images(), windows(), modes, st.integers(1, 3), st.booleans(), st.booleans(), st.integers(0, 99))
def test_columns(image: Array, w: Windows, mode: str, filters: int, grouped: bool, planar: bool, seed: int) -> None:
    assume(fits(image, w))
    groups = image.shape[2] if grouped else 1
    weights = np.random.default_rng(seed).normal(size=(*w.size, image.shape[2] // groups, groups * filters))
    task = Correlation(weights, w, pad_mode(mode), groups=groups)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "FEW", 99 if planar else 0)
        assert_close(Columns(task, image.shape), task, image)


@settings(deadline=None, max_examples=80)
@given(images(), windows(), modes, st.integers(1, 4), st.sampled_from([1, 2, 99]), st.sampled_from([1, 200, 2000]),
       st.integers(0, 99))  # fmt: skip
def test_planes(
    image: Array, w: Windows, mode: str, filters: int, columns_of_a_tile: int, block: int, seed: int
) -> None:
    w = w._replace(dilation=(1, w.dilation[1]))
    assume(fits(image, w))
    weights = np.random.default_rng(seed).normal(size=(*w.size, image.shape[2], filters))
    task = Correlation(weights, w, pad_mode(mode))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planes, "BLOCK", block)
        patch.setattr(planes, "DIRECT", 1)
        patch.setattr(planes, "LEAST", columns_of_a_tile)
        assert_close(Planes(task, image.shape), task, image)


@settings(deadline=None, max_examples=80)
@given(images(), windows((3, 3), simple=True), modes, st.integers(1, 3), st.integers(1, 64), st.integers(0, 99))
def test_winograd(image: Array, w: Windows, mode: str, filters: int, chunk: int, seed: int) -> None:
    assume(fits(image, w))
    weights = np.random.default_rng(seed).normal(size=(3, 3, image.shape[2], filters))
    task = Correlation(weights, w, pad_mode(mode))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "CHUNK", chunk)
        assert_close(Winograd(task, image.shape), task, image, factor=2)  # small banks never take this way


@pytest.mark.parametrize(
    ("shape", "size", "filters", "options"),
    [
        ((40, 37, 64), 3, 64, {"padding": 1}),
        ((33, 40, 130), 3, 50, {"padding": ((0, 2), (1, 3)), "pad_mode": "reflect"}),
        ((90, 91, 3), 5, 16, {"padding": 2, "pad_mode": "wrap"}),
        ((90, 91, 16), 3, 32, {"stride": 2, "padding": 1}),
        ((60, 61, 32), 3, 32, {"groups": 2, "padding": 2, "dilation": 2}),
        ((120, 121, 32), 3, 128, {"groups": 32}),
        ((64, 64, 128), 1, 64, {}),
    ],
)
@pytest.mark.parametrize("positive", [False, True])
def test_errors_of_banks_are_within_the_promise(
    shape: tuple[int, int, int], size: int, filters: int, options: dict[str, Any], positive: bool
) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=shape).astype(np.float32)
    x = np.maximum(x, 0) if positive else x
    weight = rng.normal(size=(size, size, shape[2] // options.get("groups", 1), filters)).astype(np.float32)
    w = Windows.of(size, stride=options.get("stride", 1), padding=options.get("padding", 0),
                   dilation=options.get("dilation", 1))  # fmt: skip
    task = Correlation(weight.astype(float), w, options.get("pad_mode", "zero"), groups=options.get("groups", 1))
    exact = np.concatenate([s.copy() for _, s in engine.sums(task, x, engine.plain(task, x))])
    found = cnnfilter.conv2d(x, weight, **options)
    limit = 5e-6 if weight[..., 0].size > 400 else 2e-6
    assert engine.plan(task, x).accumulator == FLOAT32
    assert np.abs(found - exact).max() <= limit * np.abs(exact).max()


@pytest.mark.parametrize("inputs", [3, 16, 48])
def test_a_sample_that_is_no_number_reaches_its_own_windows_of_a_bank_only(inputs: int) -> None:
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(64, 64, inputs)), rng.normal(size=(3, 3, inputs, 48))
    clean = cnnfilter.conv2d(x, weight, padding=1)
    x[30, 20, 1] = np.nan
    found = cnnfilter.conv2d(x, weight, padding=1)
    touched = np.zeros(found.shape, bool)
    touched[29:32, 19:22] = True
    assert np.isnan(found[touched]).all()
    np.testing.assert_allclose(found[~touched], clean[~touched], rtol=0, atol=5e-6 * np.abs(clean).max())


@pytest.mark.parametrize("shape", [(40, 61, 3, 8), (64, 64, 48, 48), (37, 45, 64, 50)])
def test_a_bias_joins_responses_of_all_tiles_and_of_those_that_the_plain_strategy_makes(
    shape: tuple[int, int, int, int],
) -> None:
    height, width, channels, filters = shape
    rng = np.random.default_rng(3)
    x = rng.standard_normal((height, width, channels), np.float32)
    weight = rng.standard_normal((3, 3, channels, filters), np.float32)
    bias = rng.standard_normal(filters).astype(np.float32)
    without = cnnfilter.conv2d(x, weight, padding=1)
    np.testing.assert_allclose(
        cnnfilter.conv2d(x, weight, bias, padding=1), without + bias, rtol=0, atol=5e-6 * np.abs(without).max()
    )
    x[height // 2, width // 2, 0] = np.nan
    hurt = cnnfilter.conv2d(x, weight, bias, padding=1)
    near = np.zeros((height, width), bool)
    near[height // 2 - 1 : height // 2 + 2, width // 2 - 1 : width // 2 + 2] = True
    assert np.isnan(hurt[near]).all()
    np.testing.assert_allclose(hurt[~near], (without + bias)[~near], rtol=0, atol=5e-6 * np.abs(without).max())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize(
    "kernel", ["gaussian:5", "gaussian:9:1.2", [[0.5, -1.5], [-1, 3]], "gabor:9:4:30", "gabor:31:9:30"]
)
def test_a_sample_that_is_no_number_reaches_its_own_windows_only(bad: float, kernel: Any) -> None:
    image = np.random.default_rng(0).normal(size=(70, 50))
    clean = cnnfilter.convolve(image, kernel)
    image[40, 20] = bad
    found = cnnfilter.convolve(image, kernel)
    matrix = cnnfilter.kernel(kernel).matrix if isinstance(kernel, str) else np.array(kernel)
    top, left = ((n - 1) // 2 for n in matrix.shape)
    touched = np.zeros(image.shape, bool)
    touched[40 - (matrix.shape[0] - 1 - top) : 41 + top, 20 - (matrix.shape[1] - 1 - left) : 21 + left] = True
    assert not np.isfinite(found[touched]).any()
    np.testing.assert_allclose(found[~touched], clean[~touched], rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("kernel", "dtype", "mapping", "strategy", "accumulator"),
    [
        ("gaussian:9", "uint8", "clip", "separable", "float32"),
        ("gaussian:31", "uint16", "raw", "separable", "float32"),
        ("gaussian:9", "float32", "raw", "separable", "float64"),
        ("sobel-v", "float32", "raw", "separable", "float64"),
        ([[0.5, -1.5]], "uint8", "clip", "separable", "float32"),
        ([[0.5, -1.5]], "uint8", "raw", "separable", "float64"),
        ("gabor:9:4:30", "uint8", "abs", "dense", "float32"),
        ("gabor:9:4:30", "uint8", "normalize", "dense", "float64"),
        ("gabor:9:4:30", "float32", "raw", "dense", "float64"),
        ("gabor:31:9:30", "uint8", "abs", "fourier", "float32"),
        ("gabor:31:9:30", "uint8", "raw", "fourier", "float64"),
        ("sobel-v", "uint8", "abs", "bands", "int16"),
        ([[np.nan, 1.0]], "uint8", "raw", "shifts", "float64"),
        ([[1e200, 1.0]], "uint8", "raw", "shifts", "float64"),
    ],
)
def test_the_strategy_for_a_kernel(kernel: Any, dtype: str, mapping: Any, strategy: str, accumulator: str) -> None:
    matrix = cnnfilter.kernel(kernel).matrix if isinstance(kernel, str) else np.array(kernel)
    task = Correlation(matrix, Windows.of(matrix.shape), "reflect")
    rendering = Rendering(mapping, samples=None if mapping == "raw" else UINT8)
    plan = engine.plan(task, np.zeros((500, 600, 1), dtype), rendering)
    assert (plan.strategy, plan.accumulator.name) == (strategy, accumulator)


@pytest.mark.parametrize(
    ("size", "shape", "filters", "options", "strategy"),
    [
        (3, (224, 224, 64), 64, {}, "winograd"),
        (3, (224, 224, 64), 64, {"stride": 2}, "columns"),
        (3, (14, 14, 256), 256, {}, "columns"),
        (5, (100, 100, 64), 64, {}, "columns"),
        (3, (512, 512, 3), 16, {}, "planes"),
        (3, (32, 32, 3), 16, {}, "planes"),
        (3, (512, 512, 3), 16, {"dilation": (2, 1)}, "columns"),
        (3, (512, 512, 3), 16, {"dilation": (1, 2)}, "planes"),
        (3, (512, 512, 3), 16, {"stride": 3}, "columns"),
        (3, (512, 12, 3), 16, {}, "columns"),
    ],
)
def test_the_strategy_for_a_bank(
    size: int, shape: tuple[int, int, int], filters: int, options: dict[str, Any], strategy: str
) -> None:
    weights = np.random.default_rng(0).normal(size=(size, size, shape[2], filters))
    task = Correlation(weights, Windows.of(size, **options), "zero")
    assert engine.plan(task, np.zeros(shape, np.float32)).strategy == strategy


@pytest.mark.parametrize("kernel", ["gaussian:9:1.3", "gabor:9:4:30", "gabor:31:9:30", "motion:9:30", "log:7:1.1"])
@pytest.mark.parametrize("mapping", ["clip", "abs", "shift"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
def test_samples_are_within_a_level_of_the_exact_ones(kernel: str, mapping: Any, dtype: str) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, (60, 41, 3), dtype, endpoint=True)
    convolution = Convolution.of(kernel, scale="7/5", bias="1/3")
    found, clipped = convolution.respond(image, Rendering(mapping))
    task = Correlation(cnnfilter.kernel(kernel).matrix, convolution.windows, "reflect")
    samples = SampleType.of(image.dtype)
    rendering = Rendering(mapping, convolution.scale, convolution.bias, samples)
    expected, count = rendering.render(lambda: engine.sums(task, image, engine.plain(task, image)), image.shape, None)
    assert found.dtype == image.dtype
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1
    assert abs(clipped - count) <= 2


@settings(deadline=None, max_examples=100)
@given(modes, st.tuples(st.integers(1, 7), st.integers(1, 7)), st.tuples(st.integers(-20, 20), st.integers(-20, 20)),
       st.tuples(st.integers(1, 12), st.integers(1, 12)), st.booleans())  # fmt: skip
def test_a_tile_of_the_padded_image(
    mode: str, shape: tuple[int, int], start: tuple[int, int], size: tuple[int, int], together: bool
) -> None:
    image = np.random.default_rng(0).integers(0, 99, (*shape, 3))
    how: Any = {"zero": "constant"}.get(mode, mode)
    whole = np.pad(image, ((20, 32), (20, 32), (0, 0)), how)
    expected = whole[start[0] + 20 :, start[1] + 20 :][: size[0], : size[1]]
    expected = expected.sum(axis=2, keepdims=True) if together else expected
    out = np.full(expected.shape, np.nan, np.float32)
    padded_tile(image, start, pad_mode(mode), out, sum_channels=together)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("mapping", ["raw", "clip", "normalize"])
def test_weights_too_small_for_float32_are_no_error_where_the_caller_makes_them_one(mapping: str) -> None:
    rng = np.random.default_rng(0)
    image, bank = rng.normal(size=(40, 40, 3)).astype(np.float32), rng.normal(size=(3, 3, 3, 4))
    bank[0, 0, 0, 0] = 1e-60
    with np.errstate(all="raise"):
        found = cnnfilter.convolve(image, bank, mapping=mapping)
    np.testing.assert_array_equal(found, cnnfilter.convolve(image, bank, mapping=mapping))


@pytest.mark.parametrize("reach", [None, (-500.0, 700.0), (-500.0, 66000.0)])
@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64])
def test_samples_of_sums_near_halves_and_beyond_the_ends(
    reach: tuple[float, float] | None, absolute: bool, dtype: np.dtype[Any]
) -> None:
    sums = np.arange(-400, 600, 1 / 8).reshape(-1, 20, 1)
    levels = np.floor((np.abs(sums + 0.25) if absolute else sums + 0.25) + 0.5)
    target = np.zeros(sums.shape, np.uint8)
    clipped = Levels(0.25, absolute, UINT8, reach, count=True).bind(dtype, sums.size, np.empty)(
        sums.astype(dtype), target
    )
    np.testing.assert_array_equal(target, np.clip(levels, 0, 255))
    assert clipped == ((levels < 0) | (levels > 255)).sum()


@pytest.mark.parametrize("kernel", ["gabor:9:4:30", "gabor:31:9:30", "log:7:1.1", "gaussian:9", "gaussian:31"])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_worst_images_are_within_a_level(kernel: str, sign: int) -> None:
    """White where a tap is positive, or negative: the largest sums, and the largest parts that cancel."""
    matrix = sign * cnnfilter.kernel(kernel).matrix
    scale = 254 / 255 / max(matrix[matrix > 0].sum(), 1e-3)
    rows, columns = (3 * n for n in matrix.shape)
    image = np.zeros((rows, columns), np.uint8)
    y, x = matrix.shape
    image[y : 2 * y, x : 2 * x] = 255 * (matrix > 0)
    exact = cnnfilter.convolve(image.astype(np.float64), matrix * scale)
    found = cnnfilter.convolve(image, matrix * scale, mapping="clip")
    expected = np.clip(np.floor(exact.astype(np.float64) + 0.5), 0, 255)
    assert expected.max() >= 250 * (matrix > 0).any()
    assert np.abs(found - expected).max() <= 1
