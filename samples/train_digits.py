"""Train the small network of ``digits.toml`` and write its weights, ``digits.npz``.

Run ``python samples/train_digits.py [FILE]``; it takes a few minutes and needs NumPy, Pillow, PyTorch
(``pip install torch``) and scikit-learn, which ships the pictures: 1797 handwritten digits of 8 x 8 values from
0 to 16, bright on dark (the test set of E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, 1998).
Importing this module needs NumPy and Pillow only.

A fifth of the digits is held out (see ``held_out``) and never seen in training.  Its writers have written digits of
the training set too, so the held-out accuracy says how well the network reads further digits of theirs.

Pictures are prepared as the pipeline does it: as 8-bit samples, enlarged to 32 x 32 and scaled to 0..1.  The digits
of the data set are soft at this size; one drawn with a pen or a mouse has sharp edges, stands somewhere in the
picture, and is slanted, wide or bold.  ``vary`` turns each training digit into such variations, a new one every epoch.
"""

from __future__ import annotations

import argparse
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]

SIDE = 32
"""Height and width of the network's input."""
EPOCHS = 120
BATCH = 32
RATE = 4e-3
"""The highest learning rate of the one-cycle schedule."""


# --------------------------------------------------------------------------------------------------------------
# Pictures
# --------------------------------------------------------------------------------------------------------------


def held_out(count: int) -> NDArray[np.int64]:
    """Return the indices of the digits that training never sees: a fifth, rounded up, chosen at random once.

    Args:
        count: The number of digits in the data set.

    >>> held_out(1797).shape
    (360,)
    """
    return np.random.default_rng(0).permutation(count)[: -(-count // 5)]


def to_pictures(levels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return digits of the data set, levels from 0 to 16, as pictures of 8-bit samples.

    >>> to_pictures(np.array([0.0, 1.0, 8.0, 16.0]))
    array([  0,  16, 128, 255], dtype=uint8)
    """
    return np.rint(levels * (255 / 16)).astype(np.uint8)


def prepare(pictures: NDArray[np.uint8]) -> Floats:
    """Return the network's input as the pipeline prepares it: n x height x width -> n x 32 x 32, in 0..1."""
    resized = [Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BILINEAR) for picture in pictures]
    return np.stack([np.asarray(picture, np.float32) for picture in resized]) / np.float32(255)


# --------------------------------------------------------------------------------------------------------------
# Variations
# --------------------------------------------------------------------------------------------------------------


def warp(pictures: Floats, rng: np.random.Generator) -> Floats:
    """Turn, slant, stretch and shift each of n x 32 x 32 pictures a little; what comes in from outside is black."""
    count = len(pictures)
    turn = np.radians(rng.uniform(-12, 12, count))
    slant = rng.uniform(-0.25, 0.25, count)
    high = rng.uniform(0.6, 1.05, count)
    wide = high * rng.uniform(0.85, 1.5, count)
    shift_y, shift_x = rng.uniform(-3.5, 3.5, (2, count))
    # Where each pixel comes from: the inverse of stretch, slant and turn, about the centre.
    row, column = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    y, x = row - shift_y[:, None, None], column - shift_x[:, None, None]
    sin, cos = np.sin(turn)[:, None, None], np.cos(turn)[:, None, None]
    y, x = cos * y - sin * x, sin * y + cos * x
    x = (x + slant[:, None, None] * y) / wide[:, None, None]
    y = y / high[:, None, None]
    return bilinear(pictures, y + (SIDE - 1) / 2, x + (SIDE - 1) / 2)


def bilinear(pictures: Floats, y: NDArray[np.float64], x: NDArray[np.float64]) -> Floats:
    """Return the values of n pictures at n x height x width positions, interpolated; 0 outside."""
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1)))
    y, x = np.clip(y + 1, 0, SIDE + 0.999), np.clip(x + 1, 0, SIDE + 0.999)
    top, left = y.astype(np.intp), x.astype(np.intp)
    down, right = y - top, x - left
    n = np.arange(len(pictures))[:, None, None]
    upper = padded[n, top, left] * (1 - right) + padded[n, top, left + 1] * right
    lower = padded[n, top + 1, left] * (1 - right) + padded[n, top + 1, left + 1] * right
    return (upper * (1 - down) + lower * down).astype(np.float32)


def ink(pictures: Floats, rng: np.random.Generator) -> Floats:
    """Draw most of the soft digits again with a sharp pen: thick where much of the softness counts as ink."""
    count = (len(pictures), 1, 1)
    threshold = rng.uniform(0.25, 0.65, count)
    steepness = rng.uniform(1.5, 8, count)
    sharp = np.clip((pictures - threshold) * steepness + 0.5, 0, 1)
    return np.where(rng.random(count) < 0.7, sharp, pictures).astype(np.float32)


def vary(pictures: Floats, rng: np.random.Generator) -> Floats:
    """Return a new variation of each picture: its place and shape, its pen, its brightness and some noise."""
    varied = ink(warp(pictures, rng), rng)
    brightness = rng.uniform(0.5, 1, (len(pictures), 1, 1))
    noise = rng.normal(0, 1, pictures.shape) * rng.uniform(0, 0.06, (len(pictures), 1, 1))
    return np.clip(varied * brightness + noise, 0, 1).astype(np.float32)


# --------------------------------------------------------------------------------------------------------------
# The network
# --------------------------------------------------------------------------------------------------------------


def network() -> Any:
    """Return the untrained network of digits.toml, from the first convolution to the class scores."""
    from torch import nn  # type: ignore[import-not-found, unused-ignore]

    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 8, 5, padding=2),
            bn1=nn.BatchNorm2d(8),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(8, 24, 5, padding=2),
            bn2=nn.BatchNorm2d(24),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            dropout=nn.Dropout(0.3),
            fc=nn.Linear(24 * (SIDE // 4) ** 2, 10),
        )
    )


def train(pictures: Floats, digits: NDArray[np.int64]) -> Any:
    """Return the network, trained on variations of n x 32 x 32 pictures; the same one on every run."""
    import torch

    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # the order of additions, and with it the last bits, would depend on the number
    rng = np.random.default_rng(1)
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=1e-2)
    steps = -(-len(pictures) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, epochs=EPOCHS, steps_per_epoch=steps)
    loss_of = torch.nn.CrossEntropyLoss(label_smoothing=0.05)
    for _ in range(EPOCHS):
        varied = torch.from_numpy(vary(pictures, rng))[:, None]
        for batch in np.array_split(rng.permutation(len(pictures)), steps):
            optimizer.zero_grad()
            loss_of(model(varied[batch]), torch.from_numpy(digits[batch])).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def accuracy(model: Any, pictures: Floats, digits: NDArray[np.int64]) -> float:
    """Return the share of n x 32 x 32 pictures that the network reads correctly."""
    import torch

    with torch.inference_mode():
        read = model(torch.from_numpy(pictures)[:, None]).argmax(dim=1).numpy()
    return float(np.mean(read == digits))


def tensors(model: Any) -> dict[str, Any]:
    """Return the arrays that the pipeline reads, float32, with PyTorch's names and layouts."""
    state = model.state_dict()
    return {name: tensor.numpy() for name, tensor in state.items() if not name.endswith("num_batches_tracked")}


def main() -> None:
    """Train, print the accuracy on training and held-out digits, and write the weights."""
    from sklearn.datasets import load_digits  # type: ignore[import-not-found, import-untyped, unused-ignore]

    parser = argparse.ArgumentParser(description="Train the network of digits.toml.")
    parser.add_argument("file", nargs="?", type=Path, default=Path(__file__).resolve().parent / "digits.npz")
    file: Path = parser.parse_args().file
    data = load_digits()
    pictures, digits = prepare(to_pictures(data.images)), data.target.astype(np.int64)
    unseen = np.isin(np.arange(len(digits)), held_out(len(digits)))
    model = train(pictures[~unseen], digits[~unseen])
    print(f"training digits: {accuracy(model, pictures[~unseen], digits[~unseen]):.2%} of {np.sum(~unseen)}")
    print(f"held-out digits: {accuracy(model, pictures[unseen], digits[unseen]):.2%} of {np.sum(unseen)}")
    np.savez_compressed(file, **tensors(model))
    print(f"{file}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
