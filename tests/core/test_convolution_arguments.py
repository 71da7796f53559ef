"""What convolve() and conv2d() take, and what they refuse."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from arrays import FLOATS, LAYOUTS, images, laid_out, random_image
from convolutions import INTEGERS, is_empty, kernels, windows
from forgetting import forget
from hypothesis import assume, given, settings, strategies as st

import cnnfilter
from cnnfilter.core import engine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnnfilter.core.engine.task import Correlation

    Array = NDArray[Any]
    Draw = st.DrawFn


# ---------------------------------------------------------------------------------------------------------------------
# What goes in


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kernel", ["sobel-v", "blur", "gaussian:5:1.2", "sobel", "random:3:2"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("mapping", ["raw", "clip"])
def test_layout_in_memory_changes_nothing(layout: str, kernel: str, dtype: str, mapping: str) -> None:
    image = random_image(22, (11, 13, 3), dtype)
    other = laid_out(image, layout)
    before = other.tobytes()
    result = cnnfilter.convolve(other, kernel, mapping=mapping)
    np.testing.assert_array_equal(result, cnnfilter.convolve(image, kernel, mapping=mapping))
    assert other.tobytes() == before


@given(image=images([*INTEGERS, *FLOATS]), kernel=kernels(), window=windows(), mapping=st.sampled_from(["raw", "clip"]))
@settings(deadline=None, max_examples=60)
def test_inputs_are_never_modified(image: Array, kernel: Array, window: dict[str, Any], mapping: str) -> None:
    assume(not is_empty(image, kernel, window))
    before, taps = image.tobytes(), kernel.tobytes()
    result = cnnfilter.convolve(image, kernel, **window, mapping=mapping, flip=True, scale=2, bias=1)
    assert (image.tobytes(), kernel.tobytes()) == (before, taps)
    assert not np.shares_memory(result, image)


@pytest.mark.parametrize("mapping", ["raw", "clip", "abs"])
@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
def test_identity_gives_a_copy(dtype: str, mapping: str) -> None:
    image = random_image(23, (6, 5), dtype)
    for kernel in ("identity", [[1]]):
        result = cnnfilter.convolve(image, kernel, mapping=mapping)
        assert not np.shares_memory(result, image)
        assert result.flags.writeable


def test_conv2d_modifies_nothing() -> None:
    x, weight = random_image(24, (8, 8, 2), "float32"), np.ones((3, 3, 2, 2), np.float32)
    bias = np.array([1, 2], np.float32)
    before = x.tobytes(), weight.tobytes(), bias.tobytes()
    result = cnnfilter.conv2d(x, weight, bias, padding=1)
    assert (x.tobytes(), weight.tobytes(), bias.tobytes()) == before
    result[:] = 0
    assert x.tobytes() == before[0]


# ---------------------------------------------------------------------------------------------------------------------
# Refusals


@pytest.mark.parametrize(("options", "message"), [
    ({"stride": 0}, "stride"),
    ({"stride": -1}, "stride"),
    ({"stride": (1, 0)}, "stride"),
    ({"stride": (1, 2, 3)}, "stride"),
    ({"stride": "fast"}, "stride"),
    ({"dilation": 0}, "dilation"),
    ({"dilation": (2, -1)}, "dilation"),
    ({"padding": -1}, "padding"),
    ({"padding": "full"}, "padding"),
    ({"padding": ((0, -1), (0, 0))}, "padding"),
    ({"padding": ((1, 1), (1, 1), (1, 1))}, "padding"),
    ({"pad_mode": "bounce"}, "reflect"),
    ({"pad_mode": ""}, "reflect"),
    ({"channels": "all"}, "each"),
    ({"mapping": "squash"}, "normalize"),
    ({"scale": float("nan")}, "scale"),
    ({"scale": "a lot"}, "scale"),
    ({"bias": float("inf")}, "bias"),
], ids=str)  # fmt: skip
def test_refused_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cnnfilter.convolve(np.zeros((8, 8), np.uint8), "blur", **options)


@pytest.mark.parametrize(("options", "message"), [
    ({"stride": 0}, "stride"),
    ({"dilation": (1, 0)}, "dilation"),
    ({"padding": -2}, "padding"),
    ({"pad_mode": "bounce"}, "reflect"),
    ({"groups": 0}, "groups"),
    ({"groups": -1}, "groups"),
], ids=str)  # fmt: skip
def test_refused_arguments_of_conv2d(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cnnfilter.conv2d(np.zeros((8, 8, 2)), np.ones((3, 3, 2, 2)), **options)


def test_mirror_means_two_things() -> None:
    for call in (
        lambda: cnnfilter.convolve(np.zeros((8, 8), np.uint8), "blur", pad_mode="mirror"),
        lambda: cnnfilter.conv2d(np.zeros((8, 8, 1)), np.ones((3, 3, 1, 1)), padding=1, pad_mode="mirror"),
    ):
        with pytest.raises(ValueError, match="mirror") as refused:
            call()
        assert "reflect" in str(refused.value)
        assert "symmetric" in str(refused.value)


@pytest.mark.parametrize(("shape", "kernel", "options", "numbers"), [
    ((4, 17), (5, 3), {"padding": "valid"}, [4, 5]),
    ((19, 2), (3, 7), {"padding": 1}, [2, 7]),
    ((6, 6), (3, 3), {"padding": "valid", "dilation": 4}, [6]),
], ids=str)  # fmt: skip
def test_an_empty_output_names_the_sizes(
    shape: tuple[int, int], kernel: tuple[int, int], options: dict[str, Any], numbers: list[int]
) -> None:
    with pytest.raises(ValueError, match=r"\d") as refused:
        cnnfilter.convolve(np.zeros(shape, np.uint8), np.ones(kernel, int), **options)
    found = {int(number) for number in re.findall(r"\d+", str(refused.value))}
    assert found.issuperset(numbers)
    with pytest.raises(ValueError, match=r"\d"):
        cnnfilter.conv2d(np.zeros((*shape, 1)), np.ones((*kernel, 1, 1)), **options)


@pytest.mark.parametrize("kernel", [
    np.array([[1.0, np.nan]]),
    np.array([[np.inf]]),
    np.full((3, 3, 1, 2), np.nan),
    np.ones((0, 3)),
    np.ones((3, 0)),
    np.ones((3, 3, 1, 0)),
    np.ones(3),
    np.ones((3, 3, 3)),
    np.array(1.0),
    np.ones((3, 3), complex),
    [[1, 2], [3]],
    [],
    "1 nan",
    "1 2; 3",
    "",
    "no-such-kernel",
], ids=["nan", "inf", "nan bank", "no rows", "no columns", "no filters", "1-D", "3-D", "0-D", "complex", "ragged",
        "empty list", "nan text", "ragged text", "empty text", "name"])  # fmt: skip
def test_refused_kernels(kernel: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        cnnfilter.convolve(np.zeros((8, 8), np.uint8), kernel)


@pytest.mark.parametrize("image", [
    np.zeros(8, np.uint8),
    np.zeros((2, 8, 8, 3), np.uint8),
    np.zeros((0, 8), np.uint8),
    np.zeros((8, 0), np.uint8),
    np.zeros((8, 8, 0), np.uint8),
    np.zeros((8, 8), complex),
    np.array([["a", "b"], ["c", "d"]]),
], ids=["1-D", "4-D", "no rows", "no columns", "no channels", "complex", "text"])  # fmt: skip
def test_refused_images(image: Array) -> None:
    with pytest.raises(ValueError, match=r"."):
        cnnfilter.convolve(image, "blur")


@pytest.mark.parametrize(("shape", "bank", "numbers"), [
    ((8, 8), (3, 3, 3, 2), {1, 3}), ((8, 8, 3), (3, 3, 4, 2), {3, 4}), ((8, 8, 4), (3, 3, 1, 2), {1, 4}),
], ids=str)  # fmt: skip
def test_a_bank_has_to_fit_the_channels(shape: tuple[int, ...], bank: tuple[int, ...], numbers: set[int]) -> None:
    with pytest.raises(ValueError, match="channel") as refused:
        cnnfilter.convolve(np.zeros(shape, np.uint8), np.ones(bank))
    assert numbers <= {int(number) for number in re.findall(r"\d+", str(refused.value))}


@pytest.mark.parametrize(("x", "weight", "bias", "groups"), [
    ((8, 8, 3), (3, 3), None, 1),
    ((8, 8, 3), (3, 3, 3), None, 1),
    ((8, 8, 3), (3, 3, 2, 4), None, 1),
    ((8, 8, 4), (3, 3, 4, 4), None, 2),
    ((8, 8, 4), (3, 3, 2, 3), None, 2),
    ((8, 8, 3), (3, 3, 1, 4), None, 2),
    ((8, 8, 3), (0, 3, 3, 4), None, 1),
    ((8, 8, 3), (3, 3, 3, 4), (3,), 1),
    ((8, 8, 3), (3, 3, 3, 4), (4, 1), 1),
    ((8,), (3, 3, 3, 4), None, 1),
    ((1, 8, 8, 3), (3, 3, 3, 4), None, 1),
    ((0, 8, 3), (1, 1, 3, 4), None, 1),
], ids=str)  # fmt: skip
def test_layers_that_do_not_fit(
    x: tuple[int, ...], weight: tuple[int, ...], bias: tuple[int, ...] | None, groups: int
) -> None:
    with pytest.raises(ValueError, match=r"."):
        cnnfilter.conv2d(np.zeros(x), np.ones(weight), None if bias is None else np.ones(bias), groups=groups)


def test_arguments_that_are_no_arrays_are_told_apart() -> None:
    with pytest.raises(cnnfilter.ParameterError, match=r"^x: a bank takes height x width x channels"):
        cnnfilter.conv2d(np.ones((4, 4)), np.ones((1, 1, 1, 1)))
    with pytest.raises(cnnfilter.ParameterError, match=r"^image: rows of different lengths are no array"):
        cnnfilter.convolve([[1, 2], [3]], "blur")
    with pytest.raises(cnnfilter.ParameterError, match=r"^image: whole numbers above 2\^63 are too large"):
        cnnfilter.convolve(np.array([[2**63]], np.uint64), "identity")


def test_the_largest_whole_numbers() -> None:
    image = np.array([[2**63 - 1, 5]], np.uint64)
    assert cnnfilter.convolve(image, "identity").tolist() == [[2**63 - 1, 5]]
    sums = cnnfilter.convolve(image, "1 1 1", pad_mode="edge")  # beyond 64 bits: floats
    assert sums.dtype == np.float32
    np.testing.assert_allclose(sums, [[2.0**64, 2.0**63]], rtol=1e-6)


@pytest.mark.parametrize("mapping", ["raw", "clip", "abs", "normalize"])
def test_gradients_of_64_bits_are_those_of_32(mapping: str) -> None:
    image = np.random.default_rng(3).integers(-500, 500, (9, 11, 3))
    wide, narrow = (cnnfilter.convolve(image.astype(t), "sobel", mapping="raw") for t in (np.int64, np.int32))
    np.testing.assert_allclose(wide, narrow, rtol=2e-6)
    if mapping != "raw":
        mapped = cnnfilter.convolve(image, "sobel", mapping=mapping)
        assert mapped.dtype == np.int64
        if mapping != "normalize":
            assert np.abs(mapped - np.floor(narrow + 0.5)).max() <= 1


def test_the_parts_of_a_gradient_go_band_by_band(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is planned for each of them alone."""
    image = np.random.default_rng(4).uniform(0, 255, (40, 30)).astype(np.float32)
    wanted = cnnfilter.convolve(image, "scharr", stride=2)
    plan, count = engine.plan, iter(range(99))

    def uneven(task: Correlation, image: Array, *arguments: Any, **options: Any) -> engine.Plan:
        planned = plan(task, image, *arguments, **options)
        return planned._replace(band_rows=planned.band_rows + next(count))

    monkeypatch.setattr(engine, "plan", uneven)
    forget()
    found = cnnfilter.convolve(image, "scharr", stride=2)
    forget()
    assert next(count) == 2
    np.testing.assert_allclose(found, wanted, rtol=5e-6, atol=1e-3)
