"""Large float kernels as products of spectra, a tile of samples at a time (overlap-save).

The circular correlation of a tile of N samples with a kernel of extent e is right in its first N - e + 1 values. Cost
hardly depends on the kernel: two transforms, 15 to 30 ns a value, so that it wins for kernels that are not of rank 1
from about 20 x 20 on. In float64 the error is about 1e-15 of what the taps could make of the tile's largest sample.
Float32 is for integer samples only, where an error of about log2(N) / 2^24 of that is far from a level's half.
Source: Cooley and Tukey, 1965; Stockham, "High-speed convolution and correlation", 1966.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.engine.scratch import Pieces
from cnnfilter.core.engine.task import Correlation

Array = NDArray[Any]


def side(extent: int, outputs: int) -> int:
    """Samples along a side of a tile: a power of two, 8 times the kernel, but no more than the image needs."""
    return 1 << min((8 * extent - 1).bit_length(), (outputs + extent - 2).bit_length())


class Fourier:
    """Products of spectra for a kernel of any rank with stride 1."""

    name = "fourier"
    planar = True

    def __init__(self, task: Correlation, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        windows = task.windows
        self.dtype = dtype
        outputs, columns, self.channels = task.output_shape((shape[0], shape[1], shape[2]))
        self.high, self.long = side(windows.extent[0], outputs), side(windows.extent[1], columns)
        kernel = np.zeros((self.high, self.long))
        down, across = windows.dilation
        kernel[: windows.extent[0] : down, : windows.extent[1] : across] = task.weights
        self.spectrum = np.fft.rfft2(kernel).conj().astype(np.result_type(dtype, np.complex64))
        self.rows, self.columns = self.high - windows.extent[0] + 1, self.long - windows.extent[1] + 1
        self.pitch = self.long
        self.workload = outputs * columns * self.channels * 256
        self.why = f"a kernel of {' x '.join(map(str, windows.size))} as a product of spectra, in {dtype}"

    def bind(self, samples: Array, memory: Pieces) -> Callable[[], Array]:
        """Sums of what is in `samples`."""
        sums = memory.empty((self.channels, self.rows, self.columns), self.dtype)
        result = sums.transpose(1, 2, 0)

        def compute() -> Array:
            for channel in range(self.channels):
                spectrum = np.fft.rfft2(samples[:, channel])
                np.multiply(spectrum, self.spectrum, out=spectrum)
                tile = np.fft.irfft2(spectrum, s=(self.high, self.long))
                sums[channel] = tile[: self.rows, : self.columns]
            return result

        return compute
