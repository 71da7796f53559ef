"""Write the pipeline files of well-known networks: their architectures, without weights.

Run ``python samples/write_architectures.py [FOLDER]``; the files are written next to this script unless a folder
is named.  ``architectures()`` gives the texts of all of them, also of those that are not kept as files.

Layers stand in the order in which torchvision's models compute them and carry the names of its modules, so that
a file of torchvision's weights fits without renaming: add ``weights = "FILE"`` to the top of a pipeline file.
What torchvision computes with functions, or twice with one module, is named here: ``relu1``, ``add`` and the like.
Stochastic depth, which changes nothing at inference, is left out; every network ends with a softmax, as published.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Value = str | int | float | bool | list[str]
Layer = dict[str, Value]

WRITTEN = ("lenet", "vgg16", "resnet18", "efficientnet-b0")


# --------------------------------------------------------------------------------------------------------------
# Layers
# --------------------------------------------------------------------------------------------------------------


def layer(layer_type: str, name: str, /, **keys: Value | None) -> Layer:
    """Return one layer; keys that are None are left out, and ``source`` is written ``from``."""
    table: Layer = {"type": layer_type, "name": name}
    table.update({"from" if key == "source" else key: value for key, value in keys.items() if value is not None})
    return table


def conv(
    name: str,
    filters: int,
    size: int,
    *,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    bias: bool = True,
    source: str | None = None,
) -> Layer:
    """Return a convolution with learned filters; what equals a default is left out."""
    return layer(
        "conv2d",
        name,
        source=source,
        filters=filters,
        size=size,
        stride=stride if stride != 1 else None,
        padding=padding or None,
        groups=groups if groups != 1 else None,
        bias=None if bias else False,
        params=name,
    )


def norm(name: str) -> Layer:
    """Return a batch norm with learned weight, bias, mean and variance."""
    return layer("batchnorm", name, params=name)


def max_pool(name: str, size: int, *, stride: int | None = None, padding: int | None = None) -> Layer:
    """Return a max pooling, whose stride is its size unless one is given."""
    return layer("pool", name, kind="max", size=size, stride=stride, padding=padding)


def global_average(name: str) -> Layer:
    """Return the mean of every channel: height x width x channels -> 1 x 1 x channels."""
    return layer("pool", name, kind="avg", size="all")


def dense(name: str, units: int) -> Layer:
    """Return a fully connected layer."""
    return layer("dense", name, units=units, params=name)


def add(name: str, *sources: str) -> Layer:
    """Return the sum of several layers: where a skip connection comes back."""
    return layer("add", name, source=list(sources))


# --------------------------------------------------------------------------------------------------------------
# LeNet, AlexNet, VGG: one layer after the other
# --------------------------------------------------------------------------------------------------------------


def lenet() -> Iterator[Layer]:
    """Yield LeNet-5 in the form that PyTorch's tutorials gave it: ReLU and max pooling."""
    for number, filters in enumerate((6, 16), start=1):
        yield conv(f"conv{number}", filters, 5)
        yield layer("relu", f"relu{number}")
        yield max_pool(f"pool{number}", 2)
    yield layer("flatten", "flatten")
    for number, units in enumerate((120, 84), start=1):
        yield dense(f"fc{number}", units)
        yield layer("relu", f"relu{number + 2}")
    yield dense("fc3", 10)
    yield layer("softmax", "softmax")


def alexnet() -> Iterator[Layer]:
    """Yield AlexNet as in torchvision (after "One weird trick", 2014)."""
    yield conv("features.0", 64, 11, stride=4, padding=2)
    yield layer("relu", "features.1")
    yield max_pool("features.2", 3, stride=2)
    yield conv("features.3", 192, 5, padding=2)
    yield layer("relu", "features.4")
    yield max_pool("features.5", 3, stride=2)
    for index, filters in ((6, 384), (8, 256), (10, 256)):
        yield conv(f"features.{index}", filters, 3, padding=1)
        yield layer("relu", f"features.{index + 1}")
    yield max_pool("features.12", 3, stride=2)
    yield layer("flatten", "flatten")
    for index in (0, 3):
        yield layer("dropout", f"classifier.{index}", rate=0.5)
        yield dense(f"classifier.{index + 1}", 4096)
        yield layer("relu", f"classifier.{index + 2}")
    yield dense("classifier.6", 1000)
    yield layer("softmax", "softmax")


def vgg16() -> Iterator[Layer]:
    """Yield VGG-16 (configuration D, without batch norm)."""
    index = 0
    for filters, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(convolutions):
            yield conv(f"features.{index}", filters, 3, padding=1)
            yield layer("relu", f"features.{index + 1}")
            index += 2
        yield max_pool(f"features.{index}", 2)
        index += 1
    yield layer("flatten", "flatten")
    for index in (0, 3):
        yield dense(f"classifier.{index}", 4096)
        yield layer("relu", f"classifier.{index + 1}")
        yield layer("dropout", f"classifier.{index + 2}", rate=0.5)
    yield dense("classifier.6", 1000)
    yield layer("softmax", "softmax")


# --------------------------------------------------------------------------------------------------------------
# ResNet: blocks with a skip connection
# --------------------------------------------------------------------------------------------------------------


def basic_block(name: str, filters: int, stride: int) -> Iterator[Layer]:
    """Yield the main branch of ResNet-18's block: two 3x3 convolutions."""
    yield conv(f"{name}.conv1", filters, 3, stride=stride, padding=1, bias=False)
    yield norm(f"{name}.bn1")
    yield layer("relu", f"{name}.relu1")
    yield conv(f"{name}.conv2", filters, 3, padding=1, bias=False)
    yield norm(f"{name}.bn2")


def bottleneck(name: str, filters: int, stride: int) -> Iterator[Layer]:
    """Yield the main branch of ResNet-50's block, with the stride in the 3x3 convolution (version 1.5)."""
    yield conv(f"{name}.conv1", filters, 1, bias=False)
    yield norm(f"{name}.bn1")
    yield layer("relu", f"{name}.relu1")
    yield conv(f"{name}.conv2", filters, 3, stride=stride, padding=1, bias=False)
    yield norm(f"{name}.bn2")
    yield layer("relu", f"{name}.relu2")
    yield conv(f"{name}.conv3", 4 * filters, 1, bias=False)
    yield norm(f"{name}.bn3")


def residual(name: str, before: str, branch: Iterable[Layer], downsample: Layer | None) -> Iterator[Layer]:
    """Yield a block: the branch, the projection of the skip connection where there is one, their sum and ReLU.

    Args:
        name: The block, such as ``"layer2.0"``.
        before: The layer whose output enters the block.
        branch: The layers of the main branch.
        downsample: The convolution that gives the skip connection the shape of the branch, if it differs.
    """
    layers = list(branch)
    yield from layers
    skip = before
    if downsample is not None:
        yield downsample
        skip = f"{name}.downsample.1"
        yield norm(skip)
    yield add(f"{name}.add", str(layers[-1]["name"]), skip)
    yield layer("relu", f"{name}.relu")


def resnet(depths: tuple[int, ...], *, deep: bool) -> Iterator[Layer]:
    """Yield a ResNet.

    Args:
        depths: The number of blocks in each of the four stages.
        deep: Whether the blocks are bottlenecks, which leave four times their filters, or basic blocks.
    """
    yield conv("conv1", 64, 7, stride=2, padding=3, bias=False)
    yield norm("bn1")
    yield layer("relu", "relu")
    yield max_pool("maxpool", 3, stride=2, padding=1)
    block, widening = (bottleneck, 4) if deep else (basic_block, 1)
    before, channels = "maxpool", 64
    for stage, depth in enumerate(depths):
        filters = 64 * 2**stage
        for number in range(depth):
            name = f"layer{stage + 1}.{number}"
            stride = 2 if stage > 0 and number == 0 else 1
            downsample = None
            if channels != widening * filters:
                channels = widening * filters
                downsample = conv(f"{name}.downsample.0", channels, 1, stride=stride, bias=False, source=before)
            yield from residual(name, before, block(name, filters, stride), downsample)
            before = f"{name}.relu"
    yield global_average("avgpool")
    yield layer("flatten", "flatten")
    yield dense("fc", 1000)
    yield layer("softmax", "softmax")


# --------------------------------------------------------------------------------------------------------------
# EfficientNet: inverted bottlenecks with squeeze-and-excitation
# --------------------------------------------------------------------------------------------------------------


def conv_norm_silu(name: str, filters: int, size: int, *, stride: int = 1, groups: int = 1) -> Iterator[Layer]:
    """Yield a convolution that keeps the size (divided by the stride), its batch norm and SiLU."""
    yield conv(f"{name}.0", filters, size, stride=stride, padding=(size - 1) // 2, groups=groups, bias=False)
    yield norm(f"{name}.1")
    yield layer("silu", f"{name}.2")


def squeeze_excitation(name: str, before: str, channels: int, squeezed: int) -> Iterator[Layer]:
    """Yield the gate that weighs each channel with a number in 0..1, computed from the means of all channels."""
    yield global_average(f"{name}.avgpool")
    yield conv(f"{name}.fc1", squeezed, 1)
    yield layer("silu", f"{name}.activation")
    yield conv(f"{name}.fc2", channels, 1)
    yield layer("sigmoid", f"{name}.scale_activation")
    yield layer("multiply", f"{name}.multiply", source=[before, f"{name}.scale_activation"])


def inverted_bottleneck(name: str, channels: int, expand: int, filters: int, size: int, stride: int) -> Iterator[Layer]:
    """Yield an MBConv block up to its last batch norm: expand, filter each channel, weigh the channels, project."""
    wide, part = channels * expand, 0
    if expand != 1:
        yield from conv_norm_silu(f"{name}.{part}", wide, 1)
        part += 1
    yield from conv_norm_silu(f"{name}.{part}", wide, size, stride=stride, groups=wide)
    yield from squeeze_excitation(f"{name}.{part + 1}", f"{name}.{part}.2", wide, channels // 4)
    yield conv(f"{name}.{part + 2}.0", filters, 1, bias=False)
    yield norm(f"{name}.{part + 2}.1")


def efficientnet_b0() -> Iterator[Layer]:
    """Yield EfficientNet-B0 (table 1 of Tan and Le, 2019)."""
    stages = (  # expansion, kernel size, stride, filters, blocks
        (1, 3, 1, 16, 1),
        (6, 3, 2, 24, 2),
        (6, 5, 2, 40, 2),
        (6, 3, 2, 80, 3),
        (6, 5, 1, 112, 3),
        (6, 5, 2, 192, 4),
        (6, 3, 1, 320, 1),
    )
    yield from conv_norm_silu("features.0", 32, 3, stride=2)
    before, channels = "features.0.2", 32
    for stage, (expand, size, first_stride, filters, blocks) in enumerate(stages, start=1):
        for number in range(blocks):
            name = f"features.{stage}.{number}"
            stride = first_stride if number == 0 else 1
            block = list(inverted_bottleneck(f"{name}.block", channels, expand, filters, size, stride))
            yield from block
            last = str(block[-1]["name"])
            if number > 0:
                yield add(f"{name}.add", last, before)
                last = f"{name}.add"
            before, channels = last, filters
    yield from conv_norm_silu("features.8", 1280, 1)
    yield global_average("avgpool")
    yield layer("flatten", "flatten")
    yield layer("dropout", "classifier.0", rate=0.2)
    yield dense("classifier.1", 1000)
    yield layer("softmax", "softmax")


# --------------------------------------------------------------------------------------------------------------
# TOML
# --------------------------------------------------------------------------------------------------------------


def toml_value(value: Value) -> str:
    """Return a value as TOML writes it.

    >>> toml_value(["conv1", "bn1"]), toml_value(False), toml_value(0.5)
    ('["conv1", "bn1"]', 'false', '0.5')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return str(value)


def pipeline_file(name: str) -> str:
    """Return the text of one network's pipeline file: a comment, the name, and a table for each layer."""
    network = NETWORKS[name]
    comment = (
        f"{network.title}: the architecture, without weights.",
        f"{network.params:,} parameters, {network.macs:,} multiply-accumulates:",
        f"    cnnfilter inspect {name}.toml --input {network.input}",
        *network.notes,
        'To run it, add weights = "FILE" (with PyTorch\'s names), or init = "normal" for random ones.',
    )
    head = "".join(f"# {line}\n" for line in comment) + f"\nname = {toml_value(name)}\n"
    return head + "".join(
        "\n[[layer]]\n" + "".join(f"{key} = {toml_value(value)}\n" for key, value in table.items())
        for table in network.layers()
    )


# --------------------------------------------------------------------------------------------------------------
# The networks
# --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Network:
    """A network, the totals that are published for it, and what its file says about it.

    Attributes:
        title: Its name and source.
        input: The shape of its input, height x width x channels, for which the totals hold.
        params: The number of its parameters (the running means and variances of batch norms are not counted).
        macs: The number of its multiply-accumulates (bias, batch norm and pooling count none).
        layers: Yields its layers.
        notes: Further lines for the head of the file.
    """

    title: str
    input: str
    params: int
    macs: int
    layers: Callable[[], Iterator[Layer]]
    notes: tuple[str, ...] = ()


PREPARED = "The input is prepared already: scaled to 0..1, then standardized with ImageNet's mean and std."
ADAPTIVE = "torchvision's adaptive average pooling to {0} is left out: from this input the maps are {0} already."

NETWORKS = {
    "lenet": Network(
        title="LeNet-5 (LeCun et al., 1998), with ReLU and max pooling",
        input="32x32x1",
        params=61_706,
        macs=416_520,
        layers=lenet,
    ),
    "alexnet": Network(
        title="AlexNet (Krizhevsky, 2014)",
        input="224x224x3",
        params=61_100_840,
        macs=714_188_480,
        layers=alexnet,
        notes=(PREPARED, ADAPTIVE.format("6x6")),
    ),
    "vgg16": Network(
        title="VGG-16 (Simonyan and Zisserman, 2014)",
        input="224x224x3",
        params=138_357_544,
        macs=15_470_264_320,
        layers=vgg16,
        notes=(PREPARED, ADAPTIVE.format("7x7")),
    ),
    "resnet18": Network(
        title="ResNet-18 (He et al., 2015)",
        input="224x224x3",
        params=11_689_512,
        macs=1_814_073_344,
        layers=partial(resnet, (2, 2, 2, 2), deep=False),
        notes=(PREPARED,),
    ),
    "resnet50": Network(
        title="ResNet-50 (He et al., 2015; version 1.5)",
        input="224x224x3",
        params=25_557_032,
        macs=4_089_184_256,
        layers=partial(resnet, (3, 4, 6, 3), deep=True),
        notes=(PREPARED,),
    ),
    "efficientnet-b0": Network(
        title="EfficientNet-B0 (Tan and Le, 2019)",
        input="224x224x3",
        params=5_288_548,
        macs=385_814_752,
        layers=efficientnet_b0,
        notes=(PREPARED,),
    ),
}


def architectures() -> dict[str, str]:
    """Return the pipeline files by name: lenet, alexnet, vgg16, resnet18, resnet50 and efficientnet-b0."""
    return {name: pipeline_file(name) for name in NETWORKS}


def main() -> None:
    """Write the pipeline files into the folder named on the command line."""
    parser = argparse.ArgumentParser(description="Write the pipeline files of well-known networks.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in WRITTEN:
        path = folder / f"{name}.toml"
        path.write_text(pipeline_file(name), encoding="utf-8", newline="\n")
        print(path)


if __name__ == "__main__":
    main()
