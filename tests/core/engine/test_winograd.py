"""Transformed weights that are kept while their weights live: what they give is what new ones give."""

import gc
import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

import cnnfilter
from cnnfilter.core.engine import winograd

Array = NDArray[np.float32]

IMAGE = np.random.default_rng(0).standard_normal((40, 40, 48), np.float32)


def weights(seed: int, filters: int = 48) -> Array:
    return np.random.default_rng(seed).standard_normal((3, 3, 48, filters), np.float32)


@pytest.fixture(autouse=True)
def _nothing_is_known() -> None:
    winograd._known.clear()


def test_a_bank_that_repeats_gives_the_same_bits() -> None:
    bank = weights(1)
    first = cnnfilter.conv2d(IMAGE, bank)
    (known,) = winograd._known.values()
    assert known.memory() is bank
    assert cnnfilter.conv2d(IMAGE, bank).tobytes() == first.tobytes()
    assert list(winograd._known.values()) == [known]
    assert cnnfilter.conv2d(IMAGE, bank.copy()).tobytes() == first.tobytes()


def test_a_layer_of_a_pipeline_finds_its_transform_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = cnnfilter.parse_pipeline("conv2d 48 size=3 padding=1 init=normal")
    first = pipeline.run(IMAGE)
    (known,) = winograd._known.values()
    monkeypatch.setattr(winograd, "_transformed", None)
    assert pipeline.run(IMAGE).tobytes() == first.tobytes()
    assert list(winograd._known.values()) == [known]


def test_views_of_one_array_are_told_apart() -> None:
    both = np.concatenate([weights(1), weights(2)], axis=3)
    views = [both[..., :48], both[..., 48:], both[::-1, ..., :48], both[..., 47::-1]]
    for _ in range(2):
        for view in views:
            assert cnnfilter.conv2d(IMAGE, view).tobytes() == cnnfilter.conv2d(IMAGE, view.copy()).tobytes()
    assert len(winograd._known) == len(views)


@pytest.mark.parametrize("change", [7.0, -0.0, np.nan])
def test_weights_that_change_in_place_are_transformed_anew(change: float) -> None:
    bank = weights(1)
    bank[0, 0, 0, 0] = 0
    cnnfilter.conv2d(IMAGE, bank)
    bank[0, 0, 0, 0] = change
    found = cnnfilter.conv2d(IMAGE, bank)
    winograd._known.clear()
    assert found.tobytes() == cnnfilter.conv2d(IMAGE, bank).tobytes()
    assert np.isnan(found).any() == np.isnan(change)


def test_weights_of_another_shape_are_transformed_anew() -> None:
    bank = weights(1, 64)
    cnnfilter.conv2d(IMAGE, bank)
    turned = np.random.default_rng(2).standard_normal((40, 40, 64), np.float32)
    bank.shape = (3, 3, 64, 48)
    assert cnnfilter.conv2d(turned, bank).tobytes() == cnnfilter.conv2d(turned, bank.copy()).tobytes()


def test_transforms_end_with_their_weights() -> None:
    bank = weights(1)
    cnnfilter.conv2d(IMAGE, bank)
    assert len(winograd._known) == 1
    del bank
    gc.collect()
    assert not winograd._known


def test_few_transforms_are_kept_and_none_of_large_banks(monkeypatch: pytest.MonkeyPatch) -> None:
    banks = [weights(seed) for seed in range(winograd.MOST_KNOWN + 3)]
    for bank in banks:
        cnnfilter.conv2d(IMAGE, bank)
        assert 0 < len(winograd._known) <= winograd.MOST_KNOWN
    winograd._known.clear()
    monkeypatch.setattr(winograd, "LARGEST_KNOWN", banks[0].size - 1)
    cnnfilter.conv2d(IMAGE, banks[0])
    cnnfilter.conv2d(IMAGE, banks[0].astype(np.float64))
    assert not winograd._known


def test_layers_that_take_turns_keep_their_own() -> None:
    banks = [weights(1), weights(2), weights(3, 64)]
    expected = [cnnfilter.conv2d(IMAGE, bank) for bank in banks]
    for bank, wanted in itertools.islice(itertools.cycle(zip(banks, expected, strict=True)), 9):
        assert cnnfilter.conv2d(IMAGE, bank).tobytes() == wanted.tobytes()
    assert len(winograd._known) == 3
