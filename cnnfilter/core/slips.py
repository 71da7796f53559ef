"""What people often mean by what they write; messages alone need it."""

import os
import re
from collections.abc import Sequence

from cnnfilter.core.catalogue import LAYER_MEANINGS, kernel_names

# Words for a kernel's purpose, with the kernels that serve it.
_KERNELS_FOR = {
    ("edge", "edges", "outline", "outlines", "contour"): "sobel or laplacian",
    ("mean", "average", "avg", "smooth"): "blur or box:3",
    ("vertical",): "sobel-v",
    ("horizontal",): "sobel-h",
}
# Other words for the kinds of pooling.
_KINDS = {"mean": "avg", "average": "avg", "maximum": "max", "minimum": "min"}
# What a second number of a step mostly is.
_SECOND = {"pool": "size", "conv2d": "size", "convolve": "stride"}
SIZE = re.compile(r"\d+(x\d+)?")
# Between steps, in place of the bar.
_SEPARATOR = re.compile(r"[^\s\[\]]*[,;]|[a-z][\w-]*[,;>][a-z].*|[-=]?>|\+")


def kernel_meant(text: str, family: str, known: Sequence[str], suffixes: Sequence[str]) -> str:
    """The end of a message about text that is no kernel.

    >>> kernel_meant("edge", "edge", ["blur"], [".npy"]), kernel_meant("[[1,0],[0,1]]", "", ["blur"], [".npy"])
    ('; did you mean sobel or laplacian?', '; a matrix is written "1 0; 0 1"')
    """
    if os.path.exists(text):
        return f"; a kernel file ends in {', '.join(suffixes[:-1])} or {suffixes[-1]}"
    rows = [" ".join(row.replace(",", " ").replace(";", " ; ").split()) for row in re.findall(r"[^\[\]()]+", text)]
    rows = [row for row in rows if row]
    if text[:1] in ("[", "(") and rows:
        matrix = "; ".join(rows) if len(text) <= 60 else "0 -1 0; -1 5 -1; 0 -1 0"
        return f'; a matrix is written "{matrix}"'
    if family in LAYER_MEANINGS:
        return f'; it is a layer, as in --steps "convolve blur | {family}"'
    for words, meant in _KERNELS_FOR.items():
        if family.lower() in words:
            return f"; did you mean {meant}?"
    from cnnfilter.core.words import like

    return like(family, list(dict.fromkeys(known)), most=99)


def is_purpose(word: str) -> bool:
    """Whether a word is what some kernels are for.

    >>> is_purpose("edge"), is_purpose("reflect")
    (True, False)
    """
    return any(word in words for words in _KERNELS_FOR)


def kind_meant(word: str, size: str = "size=") -> str:
    """The end of a message about a word that is no kind of pooling; `size` is how a size of windows is written.

    >>> kind_meant("mean"), kind_meant("2"), kind_meant("median")
    ('; did you mean avg?', '; did you mean size=2?', '')
    """
    text = str(word).lower()
    meant = f"{size}{text}" if SIZE.fullmatch(text) else _KINDS.get(text)
    return f"; did you mean {meant}?" if meant else ""


def second_meant(type_name: str, word: str) -> str:
    """The end of a message about a second value without a key in a step.

    >>> second_meant("pool", "2"), second_meant("relu", "2")
    ('; did you mean size=2?', '')
    """
    is_size = type_name in _SECOND and SIZE.fullmatch(word)
    return f"; did you mean {_SECOND[type_name]}={word}?" if is_size else ""


def is_apart_otherwise(words: Sequence[str]) -> bool:
    """Whether the words of what was taken for one step look like several, with no bar between.

    >>> is_apart_otherwise(["gray,", "relu"]), is_apart_otherwise(["gray", "relu"])
    (True, True)
    >>> is_apart_otherwise(["convolve", "0 1; 1 0"]), is_apart_otherwise(["convolve", "sobel"])
    (False, False)
    """
    if any(_SEPARATOR.fullmatch(word) for word in words):
        return True
    begins = (*LAYER_MEANINGS, *(() if words[0] == "convolve" else kernel_names()))
    return words[0] in LAYER_MEANINGS and any(word in begins for word in words[1:])
