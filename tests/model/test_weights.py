"""Weights: from files, arrays and by lot; hostile files, and what lacks."""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import tracemalloc
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pipelines import CONV, RGB, RNG, WEIGHTS, floats, loaded, message, toml

import cnnfilter
from cnnfilter.model.layers import make
from cnnfilter.model.weights import load

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[Any]


def test_params_and_single_names_are_the_same(tmp_path: Path) -> None:
    weight, bias = floats(4, 3, 3, 3), floats(4)
    short = loaded(tmp_path, toml(CONV, top=WEIGHTS), features__0__weight=weight, features__0__bias=bias).run(RGB)
    long = toml('type = "conv2d"; weight = "features.0.weight"; bias = "features.0.bias"', top=WEIGHTS)
    np.testing.assert_array_equal(loaded(tmp_path, long).run(RGB), short)
    wanted = cnnfilter.conv2d(RGB, weight.transpose(2, 3, 1, 0), bias)
    np.testing.assert_array_equal(short, wanted)


def test_bias_is_as_the_file_has_it(tmp_path: Path) -> None:
    pipeline = loaded(tmp_path, toml(CONV, top=WEIGHTS), features__0__weight=floats(4, 3, 3, 3))
    assert pipeline.run(RGB).shape == (19, 24, 4)
    assert pipeline.summary(RGB.shape).params == 4 * 27


def test_what_does_not_fit_is_said_of_the_pipeline_file(tmp_path: Path) -> None:
    pipeline = loaded(tmp_path, toml(CONV, top=WEIGHTS), features__0__weight=floats(4, 1, 3, 3))
    with pytest.raises(cnnfilter.ParameterError, match=r"^file: .*\.toml: line 3 .*put gray before it$"):
        pipeline.run(RGB)


def test_a_summary_does_without_the_file(tmp_path: Path) -> None:
    """Layers of which only the file would tell whether they have a bias are counted with one."""
    pipeline = loaded(tmp_path, toml(CONV, top=WEIGHTS))
    assert pipeline.summary(RGB.shape).params == 4 * 27 + 4
    with pytest.raises(cnnfilter.FileError, match=r"x\.npz: there is no such weights file"):
        pipeline.run(RGB)
    untold = toml('type = "conv2d"; params = "features.0"', top=WEIGHTS)
    with pytest.raises(cnnfilter.FileError, match=r"x\.npz: there is no such weights file"):
        loaded(tmp_path, untold).summary(RGB.shape)


def test_tensors_of_other_types_become_floats(tmp_path: Path) -> None:
    weight = RNG.integers(-9, 9, (4, 3, 3, 3))
    expected = loaded(tmp_path, toml(CONV, top=WEIGHTS), features__0__weight=weight.astype(np.float32)).run(RGB)
    for dtype in ("float16", "float64", "int64", "int8", ">f4"):
        result = loaded(tmp_path, toml(CONV, top=WEIGHTS), features__0__weight=weight.astype(dtype)).run(RGB)
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(("layer", "tensors", "words"), [
    (CONV, {"features__1__weight": (4, 3, 3, 3)}, ["conv", "features.0.weight", "line 3"]),
    (CONV, {"features__0__weight": (4, 3, 3)}, ["conv", "features.0.weight", "4x3x3", "4x3x3x3"]),
    (CONV, {"features__0__weight": (3, 3, 3, 4)}, ["conv", "features.0.weight", "3x3x3x4", "4x3x3x3"]),
    (CONV, {"features__0__weight": (4, 1, 3, 3)}, ["conv", "4x1x3x3", "4x3x3x3"]),
    (CONV, {"features__0__weight": (4, 3, 3, 3), "features__0__bias": (3,)}, ["conv", "features.0.bias", "3", "4"]),
    (CONV + "; bias = true", {"features__0__weight": (4, 3, 3, 3)}, ["conv", "features.0.bias"]),
    ('type = "batchnorm"; params = "bn"', {"bn__weight": (3,), "bn__bias": (3,)}, ["batchnorm", "bn.running_mean"]),
    ('type = "batchnorm"; params = "bn"', {"bn__weight": (3,), "bn__bias": (3,), "bn__running_mean": (3,),
                                           "bn__running_var": (4,)}, ["batchnorm", "bn.running_var", "4", "3"]),
    ('type = "conv2d"; weight = "w"; bias = "b"', {"w": (4, 3, 3, 3)}, ["conv2d", "'b'"]),
    ('type = "conv2d"; weight = "weihgt"', {"weight": (4, 3, 3, 3)}, ["conv2d", "weihgt", "weight"]),
])  # fmt: skip
def test_tensors_that_do_not_fit(
    layer: str, tensors: dict[str, tuple[int, ...]], words: list[str], tmp_path: Path
) -> None:
    arrays = {name: floats(*shape) for name, shape in tensors.items()}
    pipeline = loaded(tmp_path, toml(layer, top=WEIGHTS), **arrays)
    with pytest.raises(cnnfilter.CnnfilterError) as caught:
        pipeline.run(RGB)
    for word in words:
        assert word in message(caught)


@pytest.mark.parametrize(
    "steps", ["conv2d 4 size=3 name=c", "flatten | dense 4 name=c", "conv2d 4 size=3 params=c name=c"]
)
def test_no_weights_at_all(steps: str) -> None:
    with pytest.raises(cnnfilter.ParameterError, match=r"\(c\).*weights.*init"):
        cnnfilter.parse_pipeline(steps).run(RGB)


def broken_npz(kind: str, path: Path) -> None:
    """A weights file that no honest program writes."""
    whole = io.BytesIO()
    honest: dict[str, Any] = {"features.0.weight": floats(4, 3, 3, 3)}
    np.savez(whole, **honest)
    if kind == "not a zip":
        path.write_bytes(b"no zip" * 100)
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        path.write_bytes(whole.getvalue()[:-100])
    elif kind == "damaged":
        content = bytearray(whole.getvalue())
        content[200:260] = b"\x00" * 60
        path.write_bytes(content)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "pickle":
        honest["features.0.weight"] = np.array([{"a": 1}], object)
        np.savez(path, **honest)
    else:
        header = {"terabytes": "'<f4', 'fortran_order': False, 'shape': (4, 3, 300000, 300000)",
                  "overflow": "'<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 3, 3)",
                  "records": "[('a', '<f4')], 'fortran_order': False, 'shape': (4, 3, 3, 3)",
                  "text": "'<U9', 'fortran_order': False, 'shape': (4, 3, 3, 3)"}[kind]  # fmt: skip
        text = f"{{'descr': {header}}}".encode().ljust(117) + b"\n"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + b"\x00" * 432
            archive.writestr("features.0.weight.npy", member)


@pytest.mark.parametrize("kind", [
    "not a zip", "empty", "truncated", "damaged", "fifo", "folder", "missing", "pickle", "terabytes", "overflow",
    "records", "text",
])  # fmt: skip
def test_hostile_weights(kind: str, tmp_path: Path, no_hanging: None) -> None:
    path = tmp_path / "x.npz"
    if kind != "missing":
        broken_npz(kind, path)
    pipeline = loaded(tmp_path, toml(CONV, top=WEIGHTS))
    tracemalloc.start()
    try:
        with pytest.raises(cnnfilter.FileError, match=r"x\.npz") as caught:
            pipeline.run(RGB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert message(caught)
    assert peak < 20_000_000


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """A tensor that no layer asks for is not read, however large it is unpacked."""
    tensors: dict[str, Any] = {"features.0.weight": floats(4, 3, 3, 3), "zeros": np.zeros((5000, 5000))}
    np.savez_compressed(tmp_path / "x.npz", **tensors)
    pipeline = loaded(tmp_path, toml(CONV, top=WEIGHTS))
    tracemalloc.start()
    try:
        pipeline.run(RGB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize("name", ["x.pt", "x.npy", "x"])
def test_weights_of_another_format_name_the_ones_that_are_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    pipeline = loaded(tmp_path, toml(CONV, top=f'weights = "{name}"'))
    with pytest.raises(cnnfilter.CnnfilterError, match=r"\.npz.*\.safetensors"):
        pipeline.run(RGB)


def test_safetensors(tmp_path: Path) -> None:
    numpy_format = pytest.importorskip("safetensors.numpy")
    weight, bias = floats(4, 3, 3, 3), floats(4)
    expected = loaded(tmp_path, toml(CONV, top=WEIGHTS), features__0__weight=weight, features__0__bias=bias).run(RGB)
    for dtype in (np.float32, np.float64):
        tensors = {"features.0.weight": weight.astype(dtype), "features.0.bias": bias.astype(dtype)}
        numpy_format.save_file(tensors, tmp_path / "x.safetensors")
        result = loaded(tmp_path, toml(CONV, top='weights = "x.safetensors"')).run(RGB)
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("kind", ["not one", "truncated", "terabytes", "shape", "fifo", "missing"])
def test_hostile_safetensors(kind: str, tmp_path: Path, no_hanging: None) -> None:
    numpy_format = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "x.safetensors"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "not one":
        path.write_bytes(b"nothing at all")
    elif kind == "terabytes":
        head = json.dumps({"features.0.weight": {"dtype": "F32", "shape": [4, 3, 10**6, 10**6],
                                                 "data_offsets": [0, 48 * 10**12]}}).encode()  # fmt: skip
        path.write_bytes(struct.pack("<Q", len(head)) + head + b"\x00" * 432)
    elif kind != "missing":
        numpy_format.save_file({"features.0.weight": floats(4, 3, 3, 3 if kind == "truncated" else 2)}, path)
        if kind == "truncated":
            path.write_bytes(path.read_bytes()[:-100])
    pipeline = loaded(tmp_path, toml(CONV, top='weights = "x.safetensors"'))
    with pytest.raises(cnnfilter.CnnfilterError, match=r"x\.safetensors|4x3x3x2") as caught:
        pipeline.run(RGB)
    assert message(caught)


NETWORK = "conv2d 4 size=3 | batchnorm init=normal | relu | conv2d 6 size=3 groups=2 name=second | flatten | dense 5"


def test_drawn_weights_are_the_same_every_time() -> None:
    first = cnnfilter.parse_pipeline(NETWORK, init="normal", seed=3).run(RGB)
    np.testing.assert_array_equal(cnnfilter.parse_pipeline(NETWORK, init="normal", seed=3).run(RGB), first)
    other = cnnfilter.parse_pipeline(NETWORK, init="normal", seed=4).run(RGB)
    assert not np.array_equal(other, first)
    assert np.isfinite(first).all()


def test_drawn_weights_are_hes() -> None:
    """Normal with variance 2 / (channels x taps), and no bias: of a black picture nothing comes."""
    pipeline = cnnfilter.parse_pipeline("conv2d 64 size=5 name=c", init="normal")
    assert not pipeline.run(np.zeros((8, 8, 3), np.float32)).any()
    impulse = np.zeros((9, 9, 3), np.float32)
    impulse[4, 4] = 1
    x = np.zeros((9, 9, 8), np.float32)
    for c in range(8):
        x[4, 4, c] = 1
        weight = pipeline.run(x)
        x[4, 4, c] = 0
        assert float(weight.std()) == pytest.approx((2 / (8 * 25)) ** 0.5, rel=0.1)
        assert abs(float(weight.mean())) < 0.02


def test_a_layer_of_its_own_seed(tmp_path: Path) -> None:
    layer = 'type = "conv2d"; filters = 2; size = 3; name = "c"; init = "normal"; seed = '
    results = [loaded(tmp_path, toml(layer + seed)).run(RGB) for seed in ("1", "1", "2")]
    np.testing.assert_array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_layers_draw_different_weights() -> None:
    pipeline = cnnfilter.parse_pipeline(
        "conv2d 3 size=3 name=a | conv2d 3 size=3 name=b from=input | scale by=-1 | add from=a,scale", init="normal"
    )
    assert float(np.abs(pipeline.run(RGB)).max()) > 1


def test_arrays_as_weights() -> None:
    weight = floats(4, 3, 3, 3)
    pipeline = cnnfilter.Pipeline((make("conv2d", {"weight": weight, "bias": False}),))
    np.testing.assert_array_equal(pipeline.run(RGB), cnnfilter.conv2d(RGB, weight.transpose(2, 3, 1, 0)))
    with pytest.raises(cnnfilter.ParameterError, match="weights file"):
        str(pipeline)


# ---------------------------------------------------------------------------------------------------------------------
# Weights that are looked for before anything is read


def checked(pipeline: cnnfilter.Pipeline) -> str:
    """What is said of the weights; empty where they are there."""
    try:
        pipeline.check_weights()
    except cnnfilter.ParameterError as error:
        return str(error)
    return ""


NORM = 'type = "batchnorm"; params = "bn"'
STATISTICS = {f"bn__{name}": np.ones(4) for name in ("weight", "bias", "running_mean", "running_var")}


@pytest.mark.parametrize(
    ("layers", "top", "tensors", "words"),
    [
        ([CONV], WEIGHTS, {"features__0__weight": np.ones((4, 3, 3, 3))}, []),
        ([CONV], WEIGHTS, {"features__1__weight": np.ones((4, 3, 3, 3))}, ["x.npz has no tensor 'features.0.weight'"]),
        ([CONV], "", {}, ["conv2d has no weight", "weights =", "init ="]),
        ([CONV], 'init = "normal"', {}, []),
        ([CONV], WEIGHTS, {}, ["line", "x.npz"]),  # the file is missing
        ([NORM], WEIGHTS, STATISTICS, []),
        ([NORM], WEIGHTS, {"bn__weight": np.ones(4), "bn__bias": np.ones(4)}, ["has no tensor 'bn.running_mean'"]),
        ([NORM], "", {}, ["batchnorm has no weight"]),
        (['type = "batchnorm"', 'type = "relu"'], "", {}, []),
        (['type = "conv2d"; filters = 2; size = 1; init = "normal"'], "", {}, []),
    ],
)
def test_weights_are_checked_without_a_picture(
    layers: list[str], top: str, tensors: dict[str, Array], words: list[str], tmp_path: Path
) -> None:
    found = checked(loaded(tmp_path, toml(*layers, top=top), **tensors))
    assert bool(found) == bool(words)
    assert all(word in found for word in words)


def test_safetensors_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    (tmp_path / "x.safetensors").write_bytes(b"")
    with pytest.raises(cnnfilter.ParameterError, match=r"pip install 'cnnfilter\[safetensors\]'"):
        loaded(tmp_path, toml(CONV, top='weights = "x.safetensors"')).run(RGB)


def test_safetensors_that_change_while_they_are_read(tmp_path: Path) -> None:
    numpy_format = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "x.safetensors"
    numpy_format.save_file({"w": np.ones(3, np.float32)}, path)
    weights = load(str(path))
    with pytest.raises(cnnfilter.FileError, match=r"x\.safetensors"):
        weights.read("gone")


def test_other_files_in_an_archive_are_no_tensors(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("readme.txt", "not a tensor")
    assert not load(str(tmp_path / "x.npz")).shapes


def test_weights_for_a_vector_of_another_length_say_what_would_fit(tmp_path: Path) -> None:
    text = 'weights = "x.npz"\n[[layer]]\ntype = "flatten"\n[[layer]]\ntype = "dense"\nparams = "fc"\n'
    pipeline = loaded(tmp_path, text, fc__weight=np.ones((2, 12), np.float32), fc__bias=np.zeros(2, np.float32))
    assert pipeline.run(np.ones((3, 4))).tolist() == [12, 12]
    with pytest.raises(cnnfilter.ParameterError, match="20 values came, the weights take 12; a resize"):
        pipeline.run(np.ones((4, 5)))
