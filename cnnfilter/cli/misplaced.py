"""Words among the inputs that belong to an option."""

import os
from collections.abc import Sequence

from cnnfilter.core.kernels import FAMILIES, FILE_SUFFIXES, kernel_names
from cnnfilter.core.vocabulary import KINDS
from cnnfilter.errors import ParameterError


def refuse_misplaced(operation: str, inputs: Sequence[str]) -> None:
    """Refuse a kind, a kernel or a pipeline file where a picture is wanted.

    Raises:
        ParameterError: names the word and the option that it is for.
    """
    for word in inputs:
        is_file, suffix = os.path.lexists(word), os.path.splitext(word)[1].lower()
        if operation == "pool" and word in KINDS and not is_file:
            raise ParameterError("input", f"{word}: no such file; --kind {word}?")
        if operation == "convolve" and word.partition(":")[0] in (*kernel_names(), *FAMILIES) and not is_file:
            raise ParameterError("input", f"{word}: no such file; --kernel {word}?")
        if operation == "convolve" and suffix in FILE_SUFFIXES and suffix != ".npy":
            raise ParameterError("input", f"{word}: is no picture; --kernel {word}?")
        if operation == "pipeline" and suffix == ".toml":
            raise ParameterError("input", f"{word}: is no picture; --file {word}?")
