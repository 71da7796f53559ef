"""Pipelines as text: one line of steps, or a TOML file; both read into and printed from the same layers.

gray | convolve sobel-v stride=2 | relu | pool max size=2
"""

import contextlib
import json
import re
import shlex
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cnnfilter.core.catalogue import KERNEL_FILES
from cnnfilter.core.kernels import Kernel, as_kernel
from cnnfilter.core.slips import is_apart_otherwise, second_meant
from cnnfilter.errors import FileError, ParameterError
from cnnfilter.model.layer import Layer
from cnnfilter.model.layers import LAYERS, make
from cnnfilter.model.pipeline import Pipeline

TOP_KEYS = ("name", "weights", "labels", "init", "seed", "layer")
LARGEST_FILE = 16 << 20
# Keys whose values are text, even where they look like numbers.
_TEXT_KEYS = {"name", "kernel", "weight", "params"}


def parse_pipeline(text: str, *, weights: str | None = None, init: str | None = None, seed: int = 0) -> Pipeline:
    """The pipeline that a line of steps describes: `TYPE [MAIN] [key=value ...] | ...`; values with blanks are quoted.

    >>> str(parse_pipeline("gray | convolve sobel-v stride=2 | relu | pool max size=2"))
    'gray | convolve sobel-v stride=2 | relu | pool'

    Raises:
        ParameterError: names the step and what would fit.
    """
    layers, places = [], []
    for number, words in enumerate(_steps(text), 1):
        place = f"step {number}"
        if not words:
            raise ParameterError("steps", f"{place} is empty; write TYPE [MAIN] [key=value ...] | ...")
        try:
            layers.append(_layer(f"{place} ({words[0]})", words[0], *_arguments(place, words)))
        except ParameterError as error:
            if not is_apart_otherwise(words):
                raise
            told = f"{place}: {' '.join(words)[:60]!r} is not one step; separate steps with |, as in gray | relu"
            raise ParameterError("steps", told) from error
        places.append(place)
    try:
        return Pipeline(tuple(layers), weights=weights, init=init, seed=seed, places=tuple(places))
    except ParameterError as error:
        raise type(error)("steps", error.message) from error


def load_pipeline(path: str) -> Pipeline:
    r"""The pipeline in a TOML file; paths in it are relative to it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "edges.toml")
    ...     _ = path.write_text('[[layer]]\ntype = "convolve"\nkernel = "sobel-v"')
    ...     str(load_pipeline(str(path)))
    'convolve sobel-v'

    Raises:
        FileError: missing, unreadable or no TOML.
        ParameterError: names the file, line and layer, and what would fit.
    """
    path = str(path)
    file = Path(path)
    try:
        if file.exists() and not file.is_file():
            raise FileError(path, "is no regular file")
        if file.stat().st_size > LARGEST_FILE:
            raise FileError(path, "is too large for a pipeline file")
        text = file.read_text(encoding="utf-8-sig")
        content = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise FileError(path, "is not a TOML file") from error
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise FileError(path, f"cannot be read as a pipeline: {' '.join(reason.split())}") from error
    try:
        return _from_toml(content, text, file)
    except ParameterError as error:
        raise type(error)("file", f"{path}: {error.message}") from error


def _from_toml(content: dict[str, Any], text: str, file: Path) -> Pipeline:
    for key in content:
        if key not in TOP_KEYS:
            raise ParameterError(key, f"there is no key {key!r} at the top; there are {', '.join(TOP_KEYS)}")
    places, layers = _layers(content.get("layer", []), text, file.parent)
    settings = {key: content[key] for key in ("name", "weights", "init") if key in content}
    for key, value in settings.items():
        if not isinstance(value, str):
            raise ParameterError(key, f"{key} is {value!r}, not text")
    seed = content.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise ParameterError("seed", f"seed is {seed!r}, not a whole number")
    return Pipeline(
        tuple(layers),
        **{"name": file.stem, **settings},
        labels=_labels(content.get("labels"), file.parent),
        seed=seed,
        folder=str(file.parent),
        source=str(file),
        places=tuple(places),
    )


def _layers(tables: Any, text: str, folder: Path) -> tuple[list[str], list[Layer]]:
    """(places, layers): where each table is written, and what it makes."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ParameterError("layer", "layers are written as [[layer]] tables")
    lines = [n for n, line in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[\s*\"?layer\"?\s*\]\]", line)]
    places = [f"line {line}" for line in lines] if len(lines) == len(tables) else []
    places = places or [f"layer {number}" for number in range(1, len(tables) + 1)]
    layers = []
    for place, table in zip(places, tables, strict=True):
        keys = dict(table)
        type_name = keys.pop("type", None)
        if not isinstance(type_name, str):
            raise ParameterError("type", f"{place}: a layer needs a type; there are {', '.join(LAYERS)}")
        called = f"{type_name} {keys['name']!r}" if isinstance(keys.get("name"), str) else type_name
        _use_folder(type_name, keys, folder)
        layers.append(_layer(f"{place} ({called})", type_name, None, keys))
    return places, layers


def _use_folder(type_name: str, keys: dict[str, Any], folder: Path) -> None:
    """Find a kernel file beside the pipeline file."""
    kernel = keys.get("kernel")
    if type_name == "convolve" and isinstance(kernel, str) and kernel.lower().endswith(KERNEL_FILES):
        keys["kernel"] = str(folder / kernel)


def _labels(given: Any, folder: Path) -> tuple[str, ...] | None:
    """Labels from a list, or one a line from a text file."""
    if given is None:
        return None
    if isinstance(given, str):
        path = folder / given
        try:
            return tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
        except (OSError, ValueError) as error:
            raise FileError(str(path), "the labels cannot be read") from error
    if isinstance(given, list) and all(isinstance(label, str | int) for label in given):
        return tuple(str(label) for label in given)
    raise ParameterError("labels", f"labels is {given!r}, neither a list of words nor a file")


def _layer(place: str, type_name: str, main: Any, keys: dict[str, Any]) -> Layer:
    try:
        main_key = LAYERS[type_name].main if type_name in LAYERS else None
        return make(type_name, keys, main if main is None or main_key in _TEXT_KEYS else _value(main))
    except ParameterError as error:
        key = f"{error.parameter}: " if error.parameter and error.parameter not in error.message else ""
        raise ParameterError("steps", f"{place}: {key}{error.message}") from error


def _steps(text: str) -> list[list[str]]:
    """The words of each step; bars and blanks within quotes belong to a word."""
    words = shlex.shlex(text, posix=True, punctuation_chars="|")
    words.whitespace_split, words.commenters = True, ""
    steps: list[list[str]] = [[]]
    try:
        for word in words:
            if set(word) == {"|"}:
                steps += [[] for _ in word]
            else:
                steps[-1].append(word)
    except ValueError as error:
        raise ParameterError("steps", f"{str(error).lower()} in {text.strip()!r}") from error
    return steps


def _arguments(place: str, words: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """(main value, values by key) of the words of a step, the type first."""
    main, keys = None, {}
    for word in words[1:]:
        key, equals, value = word.partition("=")
        if equals and re.fullmatch(r"[a-z_-]+", key):
            key = key.replace("-", "_")  # as the options are written
            if key in keys:
                raise ParameterError("steps", f"{place}: {key} is given twice")
            keys[key] = _given(key, value)
        elif main is None:
            main = word
        else:
            told = f"{place}: {word!r} is a second value without a key, after {main!r}{second_meant(words[0], word)}"
            raise ParameterError("steps", told)
    return main, keys


def _given(key: str, word: str) -> Any:
    """The value of a key: text as it is, names of layers apart by commas."""
    if key == "from":
        return [name.strip() for name in word.split(",")]
    return word if key in _TEXT_KEYS else _value(word)


def _value(word: str) -> Any:
    """The value that a word would be in a file: number, true, false, a list of numbers, or text."""
    if word in ("true", "false") or re.fullmatch(r"-?\d+|-?\d+\.\d+|\[[-\d\[\]., ]*\]", word):
        with contextlib.suppress(ValueError):
            return json.loads(word)
    return word


# ------------------------------------------------------------------------------------------------------------ printing


def to_steps(pipeline: Pipeline) -> str:
    """The pipeline as one line that `parse_pipeline` reads."""
    return " | ".join(_step(layer) for layer in pipeline.layers)


def _step(layer: Layer) -> str:
    words = [layer.type]
    values = _values(layer)
    if layer.main in values:
        words.append(_quoted(as_word(values.pop(layer.main))))
    words += [f"{key}={_quoted(as_word(value))}" for key, value in values.items()]
    return " ".join(words)


def to_toml(pipeline: Pipeline) -> str:
    """The pipeline as a file that `load_pipeline` reads."""
    lines = [f"name = {_toml(pipeline.name)}"]
    if pipeline.weights:
        lines.append(f"weights = {_toml(pipeline.weights)}")
    if pipeline.labels:
        lines.append(f"labels = {_toml(list(pipeline.labels))}")
    if pipeline.init:
        lines.append(f"init = {_toml(pipeline.init)}")
    if pipeline.seed:
        lines.append(f"seed = {pipeline.seed}")
    for layer in pipeline.layers:
        lines += ["", "[[layer]]", f"type = {_toml(layer.type)}"]
        lines += [f"{key} = {_toml(value)}" for key, value in _values(layer).items()]
    return "\n".join(lines) + "\n"


def _values(layer: Layer) -> dict[str, Any]:
    """The keys that differ from their defaults, with values that text can hold."""
    values = {}
    for field, value in layer.keys().items():
        if field == "kernel":
            value = value if isinstance(value, str) else as_kernel(value)
            value = value.name if isinstance(value, Kernel) and not (value.is_bank and value.seed is None) else value
        if isinstance(value, np.ndarray | Kernel):
            raise ParameterError(field, f"{layer.type} holds an array, which text cannot; name a weights file")
        values["from" if field == "inputs" else field] = value
    return values


def as_word(value: Any) -> str:
    """A value as a line of steps has it, before it is quoted.

    >>> as_word(True), as_word((2, 3)), as_word((0.5, 1)), as_word([[1, 2], [3, 4]])
    ('true', '2x3', '0.5,1', '[[1, 2], [3, 4]]')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        if any(isinstance(part, list | tuple) for part in value):
            return json.dumps(value)
        separator = "x" if all(isinstance(part, int) for part in value) else ","
        return separator.join(str(part) for part in value)
    return str(value)


def _quoted(word: str) -> str:
    return shlex.quote(word) if re.search(r"[^\w:./,+=\-\[\]]", word) or not word else word


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(part) for part in value)}]"
    return json.dumps(str(value), ensure_ascii=False)
