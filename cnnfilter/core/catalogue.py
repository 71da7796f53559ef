"""The named kernels and the families: their entries or parameters; and what they and the layers are for.

All of it is text, so that listing and completing names needs no NumPy.
"""

# Rows are separated by `;`, a divisor of all entries follows a `|`.
# Sobel: Sobel and Feldman, "A 3x3 isotropic gradient operator", 1968. Prewitt: "Object enhancement and extraction",
# 1970. Scharr: "Optimale Operatoren in der digitalen Bildverarbeitung", 2000. `-v` is an edge along the row times a
# smoothing along the column; `-h` is its transpose. The diagonal ones are the Sobel matrix turned by 45 degrees.
NAMED: dict[str, str] = {
    "identity": "0 0 0; 0 1 0; 0 0 0",
    "blur": "1 1 1; 1 1 1; 1 1 1 | 9",
    "gaussian": "1 4 6 4 1; 4 16 24 16 4; 6 24 36 24 6; 4 16 24 16 4; 1 4 6 4 1 | 256",
    "sharpen": "0 -1 0; -1 5 -1; 0 -1 0",
    "sharpen-strong": "-1 -1 -1; -1 9 -1; -1 -1 -1",
    "emboss": "-2 -1 0; -1 1 1; 0 1 2",
    "sobel-v": "-1 0 1; -2 0 2; -1 0 1",
    "sobel-h": "-1 -2 -1; 0 0 0; 1 2 1",
    "sobel-45": "0 1 2; -1 0 1; -2 -1 0",
    "sobel-135": "2 1 0; 1 0 -1; 0 -1 -2",
    "prewitt-v": "-1 0 1; -1 0 1; -1 0 1",
    "prewitt-h": "-1 -1 -1; 0 0 0; 1 1 1",
    "scharr-v": "-3 0 3; -10 0 10; -3 0 3",
    "scharr-h": "-3 -10 -3; 0 0 0; 3 10 3",
    "laplacian": "0 1 0; 1 -4 1; 0 1 0",
    "laplacian-8": "1 1 1; 1 -8 1; 1 1 1",
}
# Gradient magnitudes sqrt(v^2 + h^2) of the two kernels named after them.
GRADIENTS: tuple[str, ...] = ("sobel", "prewitt", "scharr")
# Families with their parameters; those in brackets may be left out.
FAMILIES: dict[str, str] = {
    "box": "SIZE",
    "gaussian": "SIZE[:SIGMA]",
    "log": "SIZE:SIGMA",
    "motion": "SIZE[:DEGREES]",
    "gabor": "SIZE:WAVELENGTH:DEGREES",
    "random": "SIZE:COUNT[:SEED]",
}
# The files that hold kernels, by their suffix.
KERNEL_FILES = (".npy", ".txt", ".csv")
# What they are for, a line each.
KERNEL_MEANINGS: dict[str, str] = {
    "identity": "the picture as it is",
    "blur": "mean of 3 x 3 pixels: soft edges, less noise",
    "gaussian": "weighted mean, near pixels count most: a gentler blur",
    "sharpen": "the picture plus its own detail",
    "sharpen-strong": "the same with diagonal neighbours, too: stronger",
    "emboss": "a relief, lit from the upper left",
    "sobel-v": "vertical edges: bright to the right answers positive",
    "sobel-h": "horizontal edges: bright below answers positive",
    "sobel-45": "diagonal edges: bright to the upper right answers positive",
    "sobel-135": "diagonal edges: bright to the upper left answers positive",
    "prewitt-v": "vertical edges, all rows alike",
    "prewitt-h": "horizontal edges, all columns alike",
    "scharr-v": "vertical edges, most even for all directions",
    "scharr-h": "horizontal edges, most even for all directions",
    "laplacian": "second derivative: edges and spots of every direction",
    "laplacian-8": "the same with diagonal neighbours, too",
    "sobel": "strength of edges: sqrt(sobel-v^2 + sobel-h^2)",
    "prewitt": "strength of edges: sqrt(prewitt-v^2 + prewitt-h^2)",
    "scharr": "strength of edges: sqrt(scharr-v^2 + scharr-h^2)",
}
FAMILY_MEANINGS: dict[str, str] = {
    "box": "mean of SIZE (5, or 3x7) pixels",
    "gaussian": "weighted mean; the larger SIGMA, the softer",
    "log": "Laplacian of Gaussian: spots and edges, not noise",
    "motion": "blur along a line, counter-clockwise from the right",
    "gabor": "stripes of one WAVELENGTH and direction",
    "random": "a bank of COUNT random filters over all channels",
}
LAYER_MEANINGS: dict[str, str] = {
    "convolve": "an image filter with a kernel, as the command",
    "pool": "maximum, mean or minimum of windows, as the command",
    "conv2d": "learned filters over all channels",
    "batchnorm": "channels brought to mean 0 and variance 1",
    "relu": "max(x, 0)",
    "leaky-relu": "x, or slope * x below 0",
    "relu6": "x between 0 and 6",
    "elu": "x, or alpha * (exp(x) - 1) below 0",
    "sigmoid": "1 / (1 + exp(-x)): between 0 and 1",
    "tanh": "between -1 and 1",
    "silu": "x * sigmoid(x)",
    "abs": "|x|",
    "gray": "one channel out of three",
    "resize": "another size, antialiased",
    "crop": "the middle",
    "scale": "x * by",
    "standardize": "(x - mean) / std",
    "add": "sum of several inputs: skip connections",
    "multiply": "product of several inputs",
    "concat": "channels of several inputs, one after the other",
    "flatten": "a vector of all values",
    "dense": "every unit sees all values",
    "dropout": "nothing, when a network is used",
    "softmax": "probabilities that sum to 1",
}
# The keys of layers by type, first the one whose value needs no key; besides, those of all and of all learned layers.
LAYER_KEYS: dict[str, tuple[str, ...]] = {
    "convolve": ("kernel", "stride", "padding", "pad_mode", "dilation", "channels", "scale", "bias", "flip"),
    "pool": ("kind", "size", "stride", "padding", "ceil_mode", "count_include_pad", "dilation"),
    "conv2d": ("filters", "size", "stride", "padding", "pad_mode", "dilation", "groups", "bias", "weight"),
    "batchnorm": ("epsilon", "bias", "weight", "mean", "variance"),
    "leaky-relu": ("slope",),
    "elu": ("alpha",),
    "gray": ("gray",),
    "resize": ("size",),
    "crop": ("size",),
    "scale": ("by",),
    "standardize": ("mean", "std"),
    "dense": ("units", "bias", "weight"),
    "dropout": ("rate",),
}
COMMON_KEYS, LEARNED_KEYS = ("name", "from"), ("params", "init", "seed")


def kernel_names() -> list[str]:
    """The names that `kernel` knows without parameters.

    >>> kernel_names()[:3]
    ['identity', 'blur', 'gaussian']
    """
    return [*NAMED, *GRADIENTS]
