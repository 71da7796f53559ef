"""What is kept of banks while their weights live: plans and transforms. What they give is what new ones give."""

import gc
import itertools
from typing import Any

import numpy as np
import pytest
from forgetting import forget
from numpy.typing import NDArray

import cnnfilter
from cnnfilter.core import engine
from cnnfilter.core.engine import banks, columns, floats, planes, scratch, weights, winograd
from cnnfilter.core.engine.weights import OfWeights

Array = NDArray[np.float32]

# Channels and filters of banks for each of the methods, larger than small ones.
METHODS = {
    "winograd": (48, 48, winograd.Winograd),
    "planes": (5, 80, planes.Planes),
    "columns": (20, 24, columns.Columns),
}


@pytest.fixture(autouse=True)
def _nothing_is_known() -> None:
    forget()
    scratch._pieces.clear()


def noise(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def bank(seed: int = 1, inputs: int = 48, filters: int = 48) -> Array:
    return noise(3, 3, inputs, filters, seed=seed)


IMAGE = noise(40, 40, 48)


def anew(x: Array, weight: Array, bias: Array | None = None, **options: Any) -> bytes:
    """The responses of a call that finds nothing."""
    forget()
    return cnnfilter.conv2d(x, weight.copy(), bias, **options).tobytes()


def planned() -> list[floats.Fused]:
    return [known.made for known in banks._planned._known.values()]


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_a_bank_that_repeats_gives_the_same_bits(method: str, biased: bool) -> None:
    inputs, filters, kind = METHODS[method]
    images = [noise(40, 40, inputs, seed=seed) for seed in range(3)]
    weight, bias = bank(1, inputs, filters), noise(filters, seed=7) if biased else None
    expected = [anew(image, weight, bias, padding=1) for image in images]
    forget()
    for _ in range(3):
        for image, wanted in zip(images, expected, strict=True):
            assert cnnfilter.conv2d(image, weight, bias, padding=1).tobytes() == wanted
    (fused,) = planned()
    assert isinstance(fused.method, kind)


def test_a_bank_that_repeats_is_not_planned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = bank()
    first = cnnfilter.conv2d(IMAGE, weight)
    monkeypatch.setattr(engine, "plan", None)
    assert cnnfilter.conv2d(IMAGE, weight[:]).tobytes() == first.tobytes()


def test_a_layer_of_a_pipeline_finds_its_plan_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = cnnfilter.parse_pipeline("conv2d 48 size=3 padding=1 init=normal")
    first = pipeline.run(IMAGE)
    monkeypatch.setattr(engine, "plan", None)
    assert pipeline.run(IMAGE).tobytes() == first.tobytes()


def test_images_of_other_shapes_share_the_transform(monkeypatch: pytest.MonkeyPatch) -> None:
    weight, other = bank(), noise(50, 36, 48)
    expected = anew(other, weight)
    cnnfilter.conv2d(IMAGE, weight)
    monkeypatch.setattr(winograd, "_transformed", None)
    assert cnnfilter.conv2d(other, weight).tobytes() == expected
    assert (len(planned()), len(winograd._known)) == (2, 1)


def test_views_of_one_array_are_told_apart() -> None:
    both = np.concatenate([bank(1), bank(2)], axis=3)
    views = [both[..., :48], both[..., 48:], both[::-1, ..., :48], both[..., 47::-1]]
    for _ in range(2):
        for view in views:
            found = cnnfilter.conv2d(IMAGE, view).tobytes()
            assert found == cnnfilter.conv2d(IMAGE, view.copy()).tobytes()
    assert (len(planned()), len(winograd._known)) == (len(views), len(views))


@pytest.mark.parametrize("change", [7.0, -0.0, np.nan, 1e30])
@pytest.mark.parametrize("method", METHODS)
def test_weights_that_change_in_place_are_seen(method: str, change: float) -> None:
    inputs, filters, _ = METHODS[method]
    image, weight = noise(40, 40, inputs), bank(1, inputs, filters)
    weight[0, 0, 0, 0] = 0
    first = cnnfilter.conv2d(image, weight).tobytes()
    weight[0, 0, 0, 0] = change
    found = cnnfilter.conv2d(image, weight)
    assert np.isnan(found).any() == np.isnan(change)
    weight[0, 0, 0, 0] = 0
    assert cnnfilter.conv2d(image, weight).tobytes() == first
    weight[0, 0, 0, 0] = change
    assert found.tobytes() == anew(image, weight)


def test_samples_that_are_no_numbers_meet_the_weights_that_were_planned() -> None:
    """The plain strategy has them, too, after those of the caller have changed in place and back."""
    weight, image = bank(), IMAGE.copy()
    image[20, 20, 3] = np.nan
    expected = anew(image, weight)
    forget()
    cnnfilter.conv2d(IMAGE, weight)
    assert cnnfilter.conv2d(image, weight).tobytes() == expected


def test_another_bias_is_another_plan() -> None:
    weight = bank()
    biases = [None, np.zeros(48, np.float32), noise(48, seed=3), noise(48, seed=4), np.full(48, np.nan, np.float32)]
    expected = [anew(IMAGE, weight, bias) for bias in biases]
    forget()
    for _ in range(2):
        for bias, wanted in zip(biases, expected, strict=True):
            assert cnnfilter.conv2d(IMAGE, weight, bias).tobytes() == wanted
    assert len(planned()) == len(biases)


def test_weights_of_another_shape_are_planned_anew() -> None:
    weight = bank(1, 48, 64)
    cnnfilter.conv2d(IMAGE, weight)
    turned, image = weight.reshape(3, 3, 64, 48), noise(40, 40, 64)
    assert cnnfilter.conv2d(image, turned).tobytes() == anew(image, turned)


def test_other_threads_are_another_plan() -> None:
    weight, image = bank(1, 48, 96), noise(100, 100, 48)
    try:
        for count in (1, 2, 3, 1):
            cnnfilter.set_threads(count)
            cnnfilter.conv2d(image, weight)
            assert {fused.threads for fused in planned()} >= {count}
    finally:
        cnnfilter.set_threads(None)
    assert len(planned()) == 3


def test_plans_and_transforms_end_with_the_weights() -> None:
    weight = bank()
    cnnfilter.conv2d(IMAGE, weight)
    assert (len(planned()), len(winograd._known)) == (1, 1)
    del weight
    gc.collect()
    assert (len(planned()), len(winograd._known)) == (0, 0)


def test_few_are_kept_and_none_of_large_banks(monkeypatch: pytest.MonkeyPatch) -> None:
    several = [bank(seed) for seed in range(9)]
    monkeypatch.setattr(weights, "MOST", 5 * (several[0].size + weights.OWN))
    for weight in several:
        cnnfilter.conv2d(IMAGE, weight)
        assert 0 < len(planned()) <= 5
        assert 0 < len(winograd._known) <= 5
    forget()
    monkeypatch.setattr(weights, "LARGEST", several[0].size - 1)
    for _ in range(3):
        cnnfilter.conv2d(IMAGE, several[0])
    cnnfilter.conv2d(IMAGE, several[0].astype(np.float64))
    assert (len(planned()), len(winograd._known)) == (0, 0)
    assert [memory.key for memory in scratch._pieces] == [None] * len(scratch._pieces)


def test_a_small_bank_over_images_of_all_sizes_is_not_kept_for_each() -> None:
    known: weights.OfWeights[int] = weights.OfWeights()
    weight = noise(3, 3, 1, 2)
    for size in range(1000):
        known.keep(weight, weight.copy(), size, size)
        assert known.get(weight, size) == size
        assert len(known) < 256


def test_the_layers_of_a_network_are_all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = [bank(seed) for seed in range(40)]
    for layer in layers:
        cnnfilter.conv2d(IMAGE, layer)
    monkeypatch.setattr(engine, "plan", None)
    for layer in layers:
        cnnfilter.conv2d(IMAGE, layer)


def test_weights_in_another_order_of_axes_are_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = noise(48, 48, 3, 3, seed=1).transpose(2, 3, 1, 0)  # as in files of PyTorch
    expected = anew(IMAGE, weight)
    forget()
    first = cnnfilter.conv2d(IMAGE, weight).tobytes()
    monkeypatch.setattr(engine, "plan", None)
    assert cnnfilter.conv2d(IMAGE, weight).tobytes() == first == expected


def test_layers_that_take_turns_keep_their_own() -> None:
    several = [bank(1), bank(2), bank(3, 48, 64)]
    expected = [anew(IMAGE, weight) for weight in several]
    forget()
    for weight, wanted in itertools.islice(itertools.cycle(zip(several, expected, strict=True)), 9):
        assert cnnfilter.conv2d(IMAGE, weight).tobytes() == wanted
    assert (len(planned()), len(winograd._known)) == (3, 3)


def test_what_is_kept_of_weights_depends_on_its_key() -> None:
    known: OfWeights[str] = OfWeights()
    weight = bank()
    known.keep(weight, weight.copy(), "one", 1)
    known.keep(weight, weight.copy(), "two", 2)
    assert (known.get(weight, 1), known.get(weight[:], 2), known.get(weight, 3), known.get(weight.copy(), 1)) == (
        "one",
        "two",
        None,
        None,
    )
    weight[0] += 1
    assert known.get(weight, 1) is None
    weight[0] -= 1
    known.clear()
    assert known.get(weight, 1) is None
