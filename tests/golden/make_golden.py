"""Write networks.npz: small random PyTorch networks with their tensors, inputs and outputs.

Run ``python tests/golden/make_golden.py``; it needs NumPy and PyTorch (``pip install torch``), and writes the version
of PyTorch into the file.  For each network NAME the file holds ``NAME/input`` (height x width x channels),
``NAME/output`` (height x width x channels, or a vector) and ``NAME/tensors/...`` under PyTorch's own names.
``tests/model/test_golden.py`` builds the same networks as pipelines and compares.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def networks() -> dict[str, tuple[Any, tuple[int, int, int]]]:  # noqa: C901 - short classes, no branches
    """The networks by name, each with the height, width and channels of its input."""
    import torch  # type: ignore[import-not-found, unused-ignore]
    from torch import nn  # type: ignore[import-not-found, unused-ignore]

    class Convolutions(nn.Module):  # type: ignore[misc, unused-ignore]
        """Stride, padding, dilation, groups, a rectangular kernel, no bias, and every simple activation."""

        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(3, 6, 3, stride=2, padding=1)
            self.conv2 = nn.Conv2d(6, 8, 3, padding=2, dilation=2, groups=2)
            self.conv3 = nn.Conv2d(8, 8, (1, 5), stride=(1, 2), padding=(0, 2), bias=False)
            self.conv4 = nn.Conv2d(8, 4, (3, 2), dilation=(2, 1))
            self.conv5 = nn.Conv2d(4, 4, 1)
            self.conv6 = nn.Conv2d(4, 4, 2, padding=1)

        def forward(self, x: Any) -> Any:
            x = torch.relu(self.conv1(x))
            x = nn.functional.leaky_relu(self.conv2(x), 0.2)
            x = nn.functional.elu(self.conv3(x), 0.7)
            x = nn.functional.silu(self.conv4(x))
            x = nn.functional.relu6(10 * self.conv5(x))
            return torch.tanh(self.conv6(x))

    class PaddingModes(nn.Module):  # type: ignore[misc, unused-ignore]
        """PyTorch's other padding modes; all maps side by side."""

        def __init__(self) -> None:
            super().__init__()
            self.reflect = nn.Conv2d(2, 3, 5, padding=2, padding_mode="reflect")
            self.replicate = nn.Conv2d(2, 3, 3, padding=1, padding_mode="replicate")
            self.circular = nn.Conv2d(2, 3, 3, padding=(2, 1), dilation=(2, 1), padding_mode="circular")
            self.zeros = nn.Conv2d(2, 3, 3, padding=1)

        def forward(self, x: Any) -> Any:
            return torch.cat([self.reflect(x), self.replicate(x), self.circular(x), self.zeros(x)], 1)

    class Separable(nn.Module):  # type: ignore[misc, unused-ignore]
        """Depthwise and pointwise, with batch normalisation."""

        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=4, bias=False),
                nn.BatchNorm2d(8),
                nn.ReLU6(),
                nn.Conv2d(8, 5, 1, bias=False),
                nn.BatchNorm2d(5, eps=1e-3),
                nn.LeakyReLU(),
            )

        def forward(self, x: Any) -> Any:
            return torch.sigmoid(self.features(x))

    class Pooling(nn.Module):  # type: ignore[misc, unused-ignore]
        """Maxima and means, in ceil mode and not, counting padding and not."""

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3)

        def forward(self, x: Any) -> Any:
            x = self.conv(x)
            maps = [
                nn.functional.max_pool2d(x, 3, 2, ceil_mode=True),
                nn.functional.max_pool2d(x, 3, 2, padding=1),
                nn.functional.max_pool2d(x, 2, 2, padding=1, dilation=2, ceil_mode=True),
                nn.functional.avg_pool2d(x, 3, 2, padding=1, count_include_pad=True),
                nn.functional.avg_pool2d(x, 3, 2, padding=1, count_include_pad=False),
                nn.functional.avg_pool2d(x, 3, 2, ceil_mode=True, count_include_pad=True),
                nn.functional.avg_pool2d(x, 2, 2, padding=1, ceil_mode=True, count_include_pad=True),
            ]
            return torch.cat([m.flatten(1) for m in maps], 1)

    class Residual(nn.Module):  # type: ignore[misc, unused-ignore]
        """A residual block with a projection, then one without."""

        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(3, 6, 3, stride=2, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(6)
            self.conv2 = nn.Conv2d(6, 6, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(6)
            self.downsample = nn.Sequential(nn.Conv2d(3, 6, 1, stride=2, bias=False), nn.BatchNorm2d(6))
            self.conv3 = nn.Conv2d(6, 6, 3, padding=1)

        def forward(self, x: Any) -> Any:
            y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
            y = torch.relu(y + self.downsample(x))
            return y + self.conv3(y)

    class SqueezeExcite(nn.Module):  # type: ignore[misc, unused-ignore]
        """Channels weighed by what the whole map holds."""

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3, padding=1)
            self.fc1 = nn.Conv2d(8, 2, 1)
            self.fc2 = nn.Conv2d(2, 8, 1)

        def forward(self, x: Any) -> Any:
            x = nn.functional.silu(self.conv(x))
            s = nn.functional.silu(self.fc1(nn.functional.adaptive_avg_pool2d(x, 1)))
            return x * torch.sigmoid(self.fc2(s))

    class Classifier(nn.Module):  # type: ignore[misc, unused-ignore]
        """A whole small network, from a picture to probabilities."""

        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(3, 8, 5, padding=2),
                nn.BatchNorm2d(8),
                nn.ReLU(),
                nn.MaxPool2d(3, 2, ceil_mode=True),
                nn.Conv2d(8, 12, 3, groups=4),
                nn.SiLU(),
                nn.AvgPool2d(2),
            )
            self.classifier = nn.Sequential(
                nn.Flatten(), nn.Dropout(), nn.Linear(12 * 2 * 3, 16), nn.ReLU(), nn.Linear(16, 7, bias=False)
            )

        def forward(self, x: Any) -> Any:
            return torch.softmax(self.classifier(self.features(x)), 1)

    class MapSoftmax(nn.Module):  # type: ignore[misc, unused-ignore]
        """Softmax over the channels of a map, and a vector of several outputs."""

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 5, 3)

        def forward(self, x: Any) -> Any:
            return torch.softmax(4 * self.conv(x), 1)

    return {
        "convolutions": (Convolutions, (21, 18, 3)),
        "padding-modes": (PaddingModes, (9, 8, 2)),
        "separable": (Separable, (12, 11, 4)),
        "pooling": (Pooling, (12, 11, 3)),
        "residual": (Residual, (13, 12, 3)),
        "squeeze-excite": (SqueezeExcite, (9, 10, 3)),
        "classifier": (Classifier, (14, 17, 3)),
        "map-softmax": (MapSoftmax, (7, 6, 2)),
    }


def settle(model: Any) -> None:
    """Give batch norms statistics and weights as training would, no zeros and ones, and dense layers large weights."""
    from torch import nn  # type: ignore[import-not-found, unused-ignore]

    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            norm: Any = module
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, 0, 0.5)
            nn.init.normal_(norm.running_mean, 0, 0.5)
            nn.init.uniform_(norm.running_var, 0.2, 2)
            norm.num_batches_tracked.fill_(100)
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 0.5)


def as_picture(batch: Any) -> np.ndarray[Any, Any]:
    """The one picture of a batch as height x width x channels, or the one vector."""
    array: np.ndarray[Any, Any] = batch[0].numpy()
    return np.ascontiguousarray(array.transpose(1, 2, 0)) if array.ndim == 3 else array


def golden() -> dict[str, np.ndarray[Any, Any]]:
    """All arrays of the file."""
    import torch  # type: ignore[import-not-found, unused-ignore]

    torch.manual_seed(3)
    torch.set_num_threads(1)
    arrays = {"torch_version": np.array(torch.__version__.encode())}
    for name, (kind, (height, width, channels)) in networks().items():
        model = kind().eval()
        settle(model)
        x = torch.randn(1, channels, height, width)
        with torch.inference_mode():
            y = model(x)
        arrays[f"{name}/input"] = as_picture(x)
        arrays[f"{name}/output"] = as_picture(y)
        for tensor, values in model.state_dict().items():
            arrays[f"{name}/tensors/{tensor}"] = values.numpy()
    return arrays


def main() -> None:
    """Write the file beside this script."""
    path = Path(__file__).resolve().parent / "networks.npz"
    np.savez_compressed(path, **golden())  # type: ignore[arg-type, unused-ignore]
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
