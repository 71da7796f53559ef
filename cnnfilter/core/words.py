"""Words for messages: sizes, near names, and names that cannot drive a terminal."""

from collections.abc import Iterable, Sequence
from fractions import Fraction


def by(sizes: Iterable[int]) -> str:
    """A shape as people write it.

    >>> by((427, 640, 3))
    '427x640x3'
    """
    return "x".join(map(str, sizes))


def like(word: str, known: Sequence[str], most: int = 8) -> str:
    """The end of a message about an unknown word: the nearest known ones, else `most` of all.

    >>> like("sobl", ["sobel", "relu"]), like("x", ["sobel", "blur"])
    ('; did you mean sobel?', '; there are sobel, blur')
    """
    import difflib  # messages alone need it

    close = list(dict.fromkeys(difflib.get_close_matches(word.lower(), known, n=3, cutoff=0.5)))
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; there are {', '.join(known[:most])}{', ...' if len(known) > most else ''}"


def printable(text: str) -> str:
    r"""`text` with control characters and stray bytes escaped.

    >>> printable("a\x1b[31m\n")
    'a\\x1b[31m\\n'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def figure(number: float | Fraction, digits: int = 6) -> str:
    """A number for reading: whole ones in full, others with that many figures.

    >>> figure(-510), figure(0.1234567), figure(Fraction(2, 3), 3), figure(4.0)
    ('-510', '0.123457', '0.667', '4')
    """
    return str(number) if isinstance(number, int) else f"{float(number):.{digits}g}"
