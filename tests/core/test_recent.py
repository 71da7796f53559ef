"""Calls that repeat take a shorter way: what they give is what the first call gives."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arrays import random_image
from forgetting import forget

import cnnfilter
from cnnfilter.core import convolution, pooling, recent
from cnnfilter.core.samples import Rendering

IMAGE = random_image(1, (9, 8, 3), "uint8")


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    forget()


@pytest.mark.parametrize("mapping", ["raw", "clip", "abs", "normalize", "shift", "auto"])
@pytest.mark.parametrize("kernel", ["sobel-v", "sobel", "gaussian:5", "1/3 1/3 1/3", np.array([[0.3, -1, 0.25]])])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float32", "int64", ">u2"])
def test_the_next_convolutions_give_what_the_first_gives(kernel: Any, mapping: str, dtype: str) -> None:
    images = [random_image(seed, (9, 8, 3), dtype) for seed in (1, 2)]
    first = [convolution.Convolution.of(kernel).respond(image, Rendering.of(mapping))[0] for image in images]
    for _ in range(3):
        for image, expected in zip(images, first, strict=True):
            found = cnnfilter.convolve(image, kernel, mapping=mapping)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("mapping", ["raw", "clip", "normalize"])
@pytest.mark.parametrize("options", [{}, {"size": 3, "stride": 1, "padding": 1}, {"size": "all"}, {"ceil_mode": True}])
@pytest.mark.parametrize("kind", ["max", "min", "avg"])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float32", "int64", ">u2"])
def test_the_next_poolings_give_what_the_first_gives(kind: str, options: Any, mapping: str, dtype: str) -> None:
    images = [random_image(seed, (9, 8, 3), dtype) for seed in (1, 2)]
    first = [pooling.Pooling.of(kind, **options).respond(image, Rendering.of(mapping))[0] for image in images]
    for _ in range(3):
        for image, expected in zip(images, first, strict=True):
            found = cnnfilter.pool(image, kind, mapping=mapping, **options)
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("options", [{}, {"padding": 1, "stride": 2}, {"groups": 4}, {"dilation": (1, 2)}])
@pytest.mark.parametrize("side", [8, 200])
def test_the_next_banks_give_what_the_first_gives(side: int, options: Any) -> None:
    rng = np.random.default_rng(side)
    images = [rng.standard_normal((side, side, 8), np.float32) for _ in range(2)]
    weight = rng.standard_normal((3, 3, 8 // options.get("groups", 1), 12), np.float32)
    biases = [None, np.arange(12, dtype=np.float32)]
    first = {}
    for i, k in itertools.product(range(2), range(2)):
        forget()
        first[i, k] = cnnfilter.conv2d(images[i], weight, biases[k], **options)
    for _ in range(3):
        for (i, k), expected in first.items():
            found = cnnfilter.conv2d(images[i], weight, biases[k], **options)
            assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("side", [20, 200])
def test_options_that_do_not_say_what_they_are_are_asked_every_time(side: int) -> None:
    class Number:
        """Stands for a number of another library; all look the same."""

        def __init__(self, value: int) -> None:
            self.value = value

        def __index__(self) -> int:
            return self.value

        def __repr__(self) -> str:
            return "Number"

    image, weight = np.ones((side, side, 8), np.float32), np.ones((3, 3, 8, 12), np.float32)
    for stride in (1, 2, 3):
        for option in (Number(stride), [Number(stride), stride]):
            found = cnnfilter.conv2d(image, weight, stride=option, padding=1)  # type: ignore[arg-type]
            assert found.shape == (-(-side // stride), -(-side // stride), 12)


def test_banks_that_do_not_fit_are_refused_as_ever() -> None:
    image, weight = np.ones((200, 200, 8), np.float32), np.ones((3, 3, 8, 12), np.float32)
    for _ in range(3):
        cnnfilter.conv2d(image, weight, np.ones(12, np.float32), groups=1)
        with pytest.raises(cnnfilter.ParameterError, match="weight"):
            cnnfilter.conv2d(image, weight, groups=2)
        with pytest.raises(cnnfilter.ParameterError, match="weight"):
            cnnfilter.conv2d(image[:, :, :4], weight, groups=1)
        with pytest.raises(cnnfilter.ParameterError, match="bias"):
            cnnfilter.conv2d(image, weight, np.ones(11, np.float32), groups=1)
        with pytest.raises(cnnfilter.ParameterError, match="groups"):
            cnnfilter.conv2d(image, weight, np.ones(12, np.float32), groups=1.5)  # type: ignore[arg-type]


def test_options_that_equal_each_other_but_are_of_another_type_are_refused_as_ever() -> None:
    for _ in range(3):
        cnnfilter.convolve(IMAGE, "blur", stride=1, flip=True)
        cnnfilter.pool(IMAGE, size=1, ceil_mode=True)
        with pytest.raises(cnnfilter.ParameterError, match="flip"):
            cnnfilter.convolve(IMAGE, "blur", stride=1, flip=1)  # type: ignore[arg-type]
        with pytest.raises(cnnfilter.ParameterError, match="stride"):
            cnnfilter.convolve(IMAGE, "blur", stride=True, flip=True)
        with pytest.raises(cnnfilter.ParameterError, match="size"):
            cnnfilter.pool(IMAGE, size=True, ceil_mode=True)


def test_another_shape_or_order_in_memory_is_another_call() -> None:
    turned = np.asfortranarray(IMAGE)
    for image in (IMAGE, IMAGE[:, :, 0], IMAGE[:7], turned, IMAGE[::2], IMAGE) * 2:
        expected = image[: len(image) // 2 * 2, : image.shape[1] // 2 * 2].astype(int)
        expected = expected[::2, ::2] + expected[1::2, ::2] + expected[::2, 1::2] + expected[1::2, 1::2]
        np.testing.assert_array_equal(cnnfilter.pool(image, "avg", mapping="clip"), (expected + 2) // 4)
        found = cnnfilter.convolve(image, "identity")
        assert found.shape == image.shape
        np.testing.assert_array_equal(found, image)


def test_images_that_cannot_be_used_are_refused_as_ever() -> None:
    for _ in range(3):
        cnnfilter.convolve(IMAGE, "blur")
        for wrong in (IMAGE[None], IMAGE[:0], IMAGE.astype(complex), "img.png"):
            with pytest.raises(cnnfilter.ParameterError, match="image"):
                cnnfilter.convolve(wrong, "blur")
            with pytest.raises(cnnfilter.ParameterError, match="image"):
                cnnfilter.pool(wrong)


def test_a_matrix_that_changes_in_place_and_a_file_that_changes_are_read_again(tmp_path: Path) -> None:
    matrix, file = np.array([[1]]), tmp_path / "k.txt"
    for factor in (2, 3, 4):
        matrix[0, 0] = factor
        file.write_text(f"{factor}\n")
        for kernel in (matrix, str(file), [[factor]]):
            for _ in range(2):
                np.testing.assert_array_equal(cnnfilter.convolve(IMAGE, kernel), factor * IMAGE.astype(int))


def test_what_is_kept_is_bounded() -> None:
    for width in range(1, 3 * recent.MOST):
        cnnfilter.pool(np.zeros((4, 2 * width), np.uint8))
    kept = pooling._recent
    assert 0 < len(kept) <= recent.MOST
    recent.Recent[int]().keep(None, 1)


def test_the_number_of_threads_may_change_between_calls() -> None:
    image = random_image(1, (1100, 1000), "uint8")
    for count in (1, 2, 3, 1):
        cnnfilter.set_threads(count)
        try:
            for _ in range(3):
                np.testing.assert_array_equal(cnnfilter.pool(image), image.reshape(550, 2, 500, 2).max(axis=(1, 3)))
        finally:
            cnnfilter.set_threads(None)
