"""What the named kernels and the families are for, a line each; text, like their tables."""

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
