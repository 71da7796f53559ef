"""What the shell offers when Tab is pressed: names, files, and the next word of --steps.

It is text alone; NumPy is loaded only where a pipeline has to be read.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from cnnfilter.core.catalogue import (
    COMMON_KEYS,
    FAMILY_MEANINGS,
    KERNEL_MEANINGS,
    LAYER_KEYS,
    LAYER_MEANINGS,
    LEARNED_KEYS,
)
from cnnfilter.core.geometry import PAD_MODES
from cnnfilter.core.vocabulary import CHANNELS, GRAYS, KINDS

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

# A family is not complete before its parameters.
KERNELS = KERNEL_MEANINGS | {f"{family}:": meaning for family, meaning in FAMILY_MEANINGS.items()}
_SWITCH = {"true": "", "false": ""}
# What the keys of layers can be, where that is a list.
KEY_VALUES: dict[str, dict[str, str]] = {
    "kernel": KERNELS,
    "kind": KINDS,
    "gray": GRAYS,
    "channels": CHANNELS,
    "padding": {"same": "the output keeps its size", "valid": "none"},
    "pad_mode": PAD_MODES,
    "flip": _SWITCH,
    "ceil_mode": _SWITCH,
    "count_include_pad": _SWITCH,
    "init": {"normal": "He, bias 0"},
}
_PLAIN = re.compile(r"[\w@%+.,/-]*")  # what no shell wants quoted


def matching(meanings: Mapping[str, str], incomplete: str, before: str = "") -> "list[CompletionItem]":
    """The names that begin with what was typed, with their meanings; `before` is the part of the word that stays."""
    from click.shell_completion import CompletionItem

    fitting = ((name, meaning) for name, meaning in meanings.items() if name.startswith(incomplete))
    return [CompletionItem(before + name, help=meaning or None) for name, meaning in fitting]


def words(meanings: Mapping[str, str]) -> "Completer":
    """One of these."""
    return lambda context, parameter, incomplete: matching(meanings, incomplete)


def any_file(context: "click.Context", parameter: "click.Parameter", incomplete: str) -> "list[CompletionItem]":
    """Files and folders, which the shell knows best."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def files(*suffixes: str) -> "Completer":
    """Files with such a suffix, and folders; all files where there are none, or where their names need quoting."""

    def complete(context: "click.Context", parameter: "click.Parameter", incomplete: str) -> "list[CompletionItem]":
        found = list(_listed(incomplete, suffixes))
        if not any(name.endswith(suffixes) for name in found) or not all(map(_PLAIN.fullmatch, found)):
            return any_file(context, parameter, incomplete)
        return matching(dict.fromkeys(sorted(found), ""), incomplete)

    return complete


def _listed(incomplete: str, suffixes: tuple[str, ...]) -> Iterable[str]:
    folder = incomplete[: incomplete.rfind("/") + 1]
    try:
        entries = list(os.scandir(folder or "."))
    except OSError:
        return
    for entry in entries:
        name = folder + entry.name
        if name.startswith(incomplete) and not entry.name.startswith("."):
            if entry.is_dir():
                yield f"{name}/"
            elif entry.name.endswith(suffixes):
                yield name


def kernels(context: "click.Context", parameter: "click.Parameter", incomplete: str) -> "list[CompletionItem]":
    """Kernels and families; files where none of them fits."""
    return [*any_file(context, parameter, incomplete), *matching(KERNELS, incomplete)]


def things(context: "click.Context", parameter: "click.Parameter", incomplete: str) -> "list[CompletionItem]":
    """What inspect explains: kernels, families and layers; files where none of them fits."""
    return [*kernels(context, parameter, incomplete), *matching(LAYER_MEANINGS, incomplete)]


def cluster(context: "click.Context", parameter: "click.Parameter", incomplete: str) -> "list[CompletionItem]":
    """Workers here, as many as processors; an address; files of a scheduler."""
    places = {f"local:{os.cpu_count() or 1}": "worker processes on this machine", "tcp://": "a scheduler's HOST:PORT"}
    return [*any_file(context, parameter, incomplete), *matching(places, incomplete)]


def layer_names(context: "click.Context", parameter: "click.Parameter", incomplete: str) -> "list[CompletionItem]":
    """The names of the layers of the pipeline that was named before, with their types; a tap is not the last one."""
    from cnnfilter.errors import CnnfilterError
    from cnnfilter.model.syntax import load_pipeline, parse_pipeline  # which loads NumPy, and nothing of the weights

    given = context.params
    networks = [given.get("file"), *(thing for thing in given.get("things") or () if thing.endswith(".toml"))]
    file, steps = next(filter(None, networks), None), given.get("steps")
    try:
        pipeline = load_pipeline(file) if file else parse_pipeline(steps or "")
    except CnnfilterError:
        return []
    named = {node.name: node.layer.type for node in pipeline.nodes}
    if parameter.name == "taps":
        named.pop(pipeline.last.name)
    return matching(named, incomplete)


def steps(context: "click.Context", parameter: "click.Parameter", incomplete: str) -> "list[CompletionItem]":
    """The next word of a pipeline on one line: a layer type, the value it takes without a key, or a key and its values.

    What is offered are whole texts, as the shell replaces the whole of them.
    """
    words = incomplete.rpartition("|")[2].split()
    last = words.pop() if words and not incomplete[-1].isspace() else ""
    before = incomplete[: len(incomplete) - len(last)]
    if not words:
        return matching(LAYER_MEANINGS, last, before)
    key, equals, value = last.partition("=")
    if equals:
        return matching(KEY_VALUES.get(key, {}), value, f"{before}{key}=")
    given = {word.partition("=")[0] for word in words}
    own = LAYER_KEYS.get(words[0], ())
    main = KEY_VALUES.get(own[0], {}) if own and len(words) == 1 else {}
    keys = (*own, *(LEARNED_KEYS if "weight" in own else ()), *COMMON_KEYS)
    return matching(main | {f"{key}=": "" for key in keys if key not in given}, last, before)
