"""The options of `inspect`: its own, and those of the other commands that change a result; its things by name."""

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import click
from click.core import ParameterSource

from cnnfilter.cli import completion
from cnnfilter.cli.help import under
from cnnfilter.cli.operations import parameters, refuse_two_sizes
from cnnfilter.cli.options import Command, decorated
from cnnfilter.core.vocabulary import STANDARD_STREAM, Mapping
from cnnfilter.images import formats

_files, _tracing, _report = under("Input and output"), under("Tracing"), under("Report")

_OWN: tuple[Callable[[Command], Command], ...] = (
    click.argument("things", metavar="[THING]...", nargs=-1, shell_complete=completion.things),
    _files(
        "--input",
        metavar="HxW[xC]|IMAGE",
        shell_complete=completion.any_file,
        help="What a kernel or a pipeline is applied to: a shape, or an image.",
    ),
    _tracing("--at", metavar="Y,X[,C]", help="Trace the output value there; all channels without C."),
    _tracing("--walk", type=click.IntRange(min=1), metavar="N", help="Trace N output values in turn, from --at on."),
    _tracing(
        "--layer",
        metavar="NAME",
        shell_complete=completion.layer_names,
        help="The layer of a pipeline whose output is traced.  [default: the last]",
    ),
    _report(
        "--report",
        type=click.Choice(("table", "json")),
        default="table",
        help="A picture in text, or one JSON object a line for each THING.",
    ),
)


# Options of other commands that `inspect` has, besides those of the operations.
_OTHERS = ("steps", "file", "weights", "init", "seed", "mapping", "depth", "gray", "alpha", "max_pixels", "verbose")
# Options that pool has and convolve has not, and that so tell that pool is meant.
ONLY_POOL = ("kind", "size", "ceil_mode", "count_include_pad")
# Suffixes of things that are no pictures.
PIPELINES, TEXTS, TENSORS = (".toml",), (".txt", ".csv"), (".npz", ".safetensors")
# Options that are no keys of a layer.
_NO_KEYS = ("kernels", "is_global", "taps", "maps")


def inspected_parameters() -> list[click.Parameter]:
    """The options of `inspect`: its own, then those of the other commands that change a result, none of them required.

    Those that convolve and pool both have keep the default of the operation that is asked for.
    """
    convolving, pooling = parameters("convolve"), parameters("pool")
    for name in convolving.keys() & pooling.keys():
        option, other = copy.copy(convolving[name]), pooling[name]
        assert isinstance(option, click.Option)
        pooled = other.default if isinstance(other.default, str) else "the size"
        if option.default != pooled:
            option.help, option.show_default = f"{option.help}  [default: {option.default}; pool: {pooled}]", False
        convolving[name] = option
    convolving["kernels"].required = False
    operations = convolving | {name: each for name, each in pooling.items() if name not in convolving}
    rest = parameters("pipeline") | parameters("shared")
    made = click.command("inspect")(decorated(lambda: None, _OWN)).params
    return [*made, *operations.values(), *(rest[name] for name in _OTHERS)]


@dataclass(frozen=True)
class Inspection:
    """The values of the options of `inspect`.

    `convolve`, `pool` and `pipeline` hold the options of these commands that were given, by the names of their keys:
    `Convolve(kernel, **convolve)` and `Pool(**pool)` are the layers they mean. An option that convolve and pool both
    have is in both.
    """

    things: tuple[str, ...]
    input: str | None
    report: str
    at: str | None
    walk: int | None
    layer: str | None
    kernels: tuple[str, ...]
    convolve: dict[str, Any]
    pool: dict[str, Any]
    pipeline: dict[str, Any]
    mapping: Mapping
    depth: str
    gray: str | None
    alpha: str
    max_pixels: int
    verbose: bool

    @classmethod
    def of(cls, context: click.Context) -> "Inspection":
        """The options of a call whose command has `inspected_parameters` and options of its own."""
        refuse_two_sizes(context)
        values = {"size": "all"} if context.params["is_global"] else {}
        for name, value in context.params.items():
            if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                values.setdefault(name, value)
        groups: dict[str, Any] = {
            group: {name: values[name] for name in parameters(group) if name in values and name not in _NO_KEYS}
            for group in ("convolve", "pool", "pipeline")
        }
        own = {field.name: context.params[field.name] for field in fields(cls) if field.name not in groups}
        return cls(**own, **groups)


def is_named(thing: str, suffixes: tuple[str, ...]) -> bool:
    """Whether the name of a thing ends as one of its kind.

    >>> is_named("edges.TOML", PIPELINES), is_named("sobel-v", PIPELINES)
    (True, False)
    """
    return os.path.splitext(thing)[1].lower() in suffixes


def is_picture(thing: str) -> bool:
    """Whether a thing is a picture, there or not, and no pipeline or kernel in text that pictures go through."""
    if is_named(thing, PIPELINES + TEXTS):
        return False
    return thing == STANDARD_STREAM or os.path.lexists(thing) or formats.by_suffix(thing) is not None
