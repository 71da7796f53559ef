"""Calls after this are planned anew."""

from cnnfilter.core import convolution, pooling, prepared
from cnnfilter.core.engine import banks, extremes, means, winograd
from cnnfilter.core.recent import Recent


def forget() -> None:
    """Drop what repeated calls find again."""
    convolution._recent, pooling._recent = Recent(), Recent()
    banks._planned.clear()
    winograd._known.clear()
    for remembered in (prepared._remembered, means._plan, extremes._plan):
        remembered.cache_clear()
