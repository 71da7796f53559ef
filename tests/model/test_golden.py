"""Small random networks as PyTorch computes them (golden/make_golden.py) and as our pipelines do."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from places import GOLDEN

import cnnfilter

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[Any]

LIMIT = 1e-5  # of the largest value

Table = dict[str, Any]

POOLS: list[Table] = [
    {"kind": "max", "size": 3, "stride": 2, "ceil_mode": True},
    {"kind": "max", "size": 3, "stride": 2, "padding": 1},
    {"kind": "max", "size": 2, "stride": 2, "padding": 1, "dilation": 2, "ceil_mode": True},
    {"kind": "avg", "size": 3, "stride": 2, "padding": 1, "count_include_pad": True},
    {"kind": "avg", "size": 3, "stride": 2, "padding": 1},
    {"kind": "avg", "size": 3, "stride": 2, "ceil_mode": True, "count_include_pad": True},
    {"kind": "avg", "size": 2, "padding": 1, "ceil_mode": True, "count_include_pad": True},
]

NETWORKS: dict[str, list[Table]] = {
    "convolutions": [
        {"type": "conv2d", "filters": 6, "size": 3, "stride": 2, "padding": 1, "params": "conv1"},
        {"type": "relu"},
        {"type": "conv2d", "filters": 8, "size": 3, "padding": 2, "dilation": 2, "groups": 2, "params": "conv2"},
        {"type": "leaky-relu", "slope": 0.2},
        {"type": "conv2d", "filters": 8, "size": "1x5", "stride": [1, 2], "padding": "0x2", "params": "conv3"},
        {"type": "elu", "alpha": 0.7},
        {"type": "conv2d", "filters": 4, "size": [3, 2], "dilation": "2x1", "weight": "conv4.weight",
         "bias": "conv4.bias"},
        {"type": "silu"},
        {"type": "conv2d", "params": "conv5"},
        {"type": "scale", "by": 10},
        {"type": "relu6"},
        {"type": "conv2d", "filters": 4, "size": 2, "padding": 1, "params": "conv6"},
        {"type": "tanh"},
    ],
    "padding-modes": [
        {"type": "conv2d", "name": "a", "filters": 3, "size": 5, "padding": 2, "pad_mode": "reflect",
         "params": "reflect"},
        {"type": "conv2d", "name": "b", "filters": 3, "size": 3, "padding": 1, "pad_mode": "replicate",
         "params": "replicate", "from": "input"},
        {"type": "conv2d", "name": "c", "filters": 3, "size": 3, "padding": [2, 1], "dilation": [2, 1],
         "pad_mode": "circular", "params": "circular", "from": "input"},
        {"type": "conv2d", "name": "d", "filters": 3, "size": 3, "padding": "same", "params": "zeros", "from": "input"},
        {"type": "concat", "from": ["a", "b", "c", "d"]},
    ],
    "separable": [
        {"type": "conv2d", "filters": 8, "size": 3, "stride": 2, "padding": 1, "groups": 4, "params": "features.0"},
        {"type": "batchnorm", "params": "features.1"},
        {"type": "relu6"},
        {"type": "conv2d", "filters": 5, "size": 1, "weight": "features.3.weight", "bias": False},
        {"type": "batchnorm", "epsilon": 1e-3, "weight": "features.4.weight", "bias": "features.4.bias",
         "mean": "features.4.running_mean", "variance": "features.4.running_var"},
        {"type": "leaky-relu"},
        {"type": "sigmoid"},
    ],
    "pooling": [
        {"type": "conv2d", "name": "conv", "filters": 3, "size": 3, "params": "conv"},
        *(table for number, keys in enumerate(POOLS)
          for table in ({"type": "pool", "from": "conv", **keys}, {"type": "flatten", "name": f"vector-{number}"})),
        {"type": "concat", "from": [f"vector-{number}" for number in range(len(POOLS))]},
    ],
    "residual": [
        {"type": "conv2d", "filters": 6, "size": 3, "stride": 2, "padding": 1, "params": "conv1"},
        {"type": "batchnorm", "params": "bn1"},
        {"type": "relu"},
        {"type": "conv2d", "filters": 6, "size": 3, "padding": 1, "params": "conv2"},
        {"type": "batchnorm", "name": "long", "params": "bn2"},
        {"type": "conv2d", "filters": 6, "size": 1, "stride": 2, "params": "downsample.0", "from": "input"},
        {"type": "batchnorm", "name": "short", "params": "downsample.1"},
        {"type": "add", "from": ["long", "short"]},
        {"type": "relu", "name": "first"},
        {"type": "conv2d", "name": "second", "filters": 6, "size": 3, "padding": 1, "params": "conv3"},
        {"type": "add", "from": ["first", "second"]},
    ],
    "squeeze-excite": [
        {"type": "conv2d", "filters": 8, "size": 3, "padding": 1, "params": "conv"},
        {"type": "silu", "name": "maps"},
        {"type": "pool", "kind": "avg", "size": "all"},
        {"type": "conv2d", "filters": 2, "size": 1, "params": "fc1"},
        {"type": "silu"},
        {"type": "conv2d", "filters": 8, "size": 1, "params": "fc2"},
        {"type": "sigmoid", "name": "weights"},
        {"type": "multiply", "from": ["maps", "weights"]},
    ],
    "classifier": [
        {"type": "conv2d", "filters": 8, "size": 5, "padding": 2, "params": "features.0"},
        {"type": "batchnorm", "params": "features.1"},
        {"type": "relu"},
        {"type": "pool", "kind": "max", "size": 3, "stride": 2, "ceil_mode": True},
        {"type": "conv2d", "filters": 12, "size": 3, "groups": 4, "params": "features.4"},
        {"type": "silu"},
        {"type": "pool", "kind": "avg", "size": 2},
        {"type": "flatten"},
        {"type": "dropout", "rate": 0.5},
        {"type": "dense", "units": 16, "params": "classifier.2"},
        {"type": "relu"},
        {"type": "dense", "units": 7, "params": "classifier.4"},
        {"type": "softmax"},
    ],
    "map-softmax": [
        {"type": "conv2d", "filters": 5, "size": 3, "params": "conv"},
        {"type": "scale", "by": 4},
        {"type": "softmax"},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def golden() -> dict[str, Array]:
    """All arrays of the file, read once and without pickles."""
    with np.load(io.BytesIO(GOLDEN.read_bytes()), allow_pickle=False) as arrays:
        return dict(arrays)


def toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def network(name: str, folder: Path, golden: dict[str, Array]) -> cnnfilter.Pipeline:
    """The pipeline, by way of a text file and a weights file beside it."""
    prefix = f"{name}/tensors/"
    tensors = {key.removeprefix(prefix): array for key, array in golden.items() if key.startswith(prefix)}
    np.savez(folder / "x.npz", **tensors)  # type: ignore[arg-type, unused-ignore]
    text = f'name = "{name}"\nweights = "x.npz"\n' + "".join(
        "\n[[layer]]\n" + "".join(f"{key} = {toml_value(value)}\n" for key, value in table.items())
        for table in NETWORKS[name]
    )
    (folder / "x.toml").write_text(text, encoding="utf-8")
    return cnnfilter.load_pipeline(str(folder / "x.toml"))


def test_the_file_tells_its_source_and_is_small(golden: dict[str, Array]) -> None:
    version = golden["torch_version"].item().decode()
    assert version.split(".")[0].isdigit()
    assert GOLDEN.stat().st_size < 200_000
    assert {key.split("/")[0] for key in golden} - {"torch_version"} == set(NETWORKS)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_agree_with_pytorch(name: str, tmp_path: Path, golden: dict[str, Array]) -> None:
    x, y = golden[f"{name}/input"], golden[f"{name}/output"]
    pipeline = network(name, tmp_path, golden)
    result = pipeline.run(x)
    assert result.dtype == np.float32
    assert result.shape == y.shape
    assert float(np.abs(result - y).max()) <= LIMIT * float(np.abs(y).max())
    np.testing.assert_allclose(result, y, rtol=1e-4, atol=1e-6)
    assert pipeline.summary(x.shape).output_shape == y.shape


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_are_those_of_the_tensors(name: str, tmp_path: Path, golden: dict[str, Array]) -> None:
    """All tensors but a batch norm's statistics are learned."""
    learned = sum(
        array.size
        for key, array in golden.items()
        if key.startswith(f"{name}/tensors/") and key.endswith((".weight", ".bias"))
    )
    summary = network(name, tmp_path, golden).summary(golden[f"{name}/input"].shape)
    assert summary.params == learned
    assert summary.params == sum(layer.params for layer in summary.layers)
    assert summary.macs == sum(layer.macs for layer in summary.layers)


def test_a_run_does_not_change_the_next(tmp_path: Path, golden: dict[str, Array]) -> None:
    pipeline = network("classifier", tmp_path, golden)
    x = golden["classifier/input"]
    first = pipeline.run(x)
    pipeline.run(np.zeros_like(x))
    np.testing.assert_array_equal(pipeline.run(x), first)
