"""Ranked bars."""

from collections.abc import Sequence

import numpy as np

from cnnfilter.images import lettering
from cnnfilter.images.heatmap import RGB
from cnnfilter.images.tiles import PAPER

TEXT = 14
BAR = (67, 115, 170)
LABEL_WIDTH, BAR_WIDTH, GAP = 170, 150, 8


def bars(rows: Sequence[tuple[str, float]]) -> RGB:
    """A line for each (label, share of 1): its rank, the label, the share in per cent, and a bar as long as that.

    >>> bars([("cat", 0.9), ("dog", 0.1)]).shape[0]
    36
    """
    line = lettering.line_height(TEXT)
    ranks = lettering.text_width(str(len(rows)), TEXT)
    labels = [lettering.fitted(label, LABEL_WIDTH, TEXT) for label, _ in rows]
    middle = ranks + 2 * GAP
    left = middle + max(lettering.text_width(label, TEXT) for label in labels) + GAP
    shares = [f"{share:.2%}" for _, share in rows]
    start = left + max(lettering.text_width(share, TEXT) for share in shares) + GAP
    picture = np.full((line * len(rows), start + BAR_WIDTH, 3), PAPER, np.uint8)
    for index, (label, text, (_, share)) in enumerate(zip(labels, shares, rows, strict=True)):
        top = index * line
        rank = str(index + 1)
        lettering.write(picture, top, ranks - lettering.text_width(rank, TEXT), rank, TEXT, lettering.GRAY)
        lettering.write(picture, top, middle, label, TEXT)
        lettering.write(picture, top, start - GAP - lettering.text_width(text, TEXT), text, TEXT)
        length = round(BAR_WIDTH * min(max(share, 0.0), 1.0))
        picture[top + 3 : top + line - 3, start : start + length] = BAR
    return picture
