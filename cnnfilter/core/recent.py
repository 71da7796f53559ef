"""What was made of arguments, once they are checked and planned, serves the next call with the same ones.

To check and plan a call takes some 0.1 ms of Python, twice that where the cache is full of pixels: longer than to
filter a small image, and a tenth of the time to pool a large one.
"""

from collections.abc import Hashable
from typing import TypeVar

Made = TypeVar("Made")

MOST = 32


class Recent(dict[Hashable, Made]):
    """What was made by what it is known by; all of it goes when there would be more than `most`."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most

    def keep(self, key: Hashable, made: Made) -> None:
        """Remember what was made, unless `key` is None."""
        if key is None:
            return
        if len(self) >= self.most:
            self.clear()
        self[key] = made
