"""Options and their values as things that `inspect` explains: what their help says, by the commands that have them."""

from dataclasses import dataclass
from typing import Any

import click
from rich.text import Text

from cnnfilter.cli.drawing.canvas import Canvas, listing
from cnnfilter.cli.help import Option
from cnnfilter.cli.operations import GROUPS, parameters
from cnnfilter.core.catalogue import LAYER_KEYS
from cnnfilter.core.slips import is_purpose

# What decides how large an output is, and how.
_OF_GEOMETRY = ("size", "stride", "padding", "dilation")
GEOMETRY = (
    "Along each axis n values and p more of padding give (n + p - e) // stride + 1, where e = dilation x (size - 1)"
    " + 1 is how far a window reaches."
)
# The commands that have the options of a list.
_COMMANDS = {"shared": "convolve, pool, pipeline"}


@dataclass(frozen=True)
class Term:
    """An option: how it is written, its help by the commands that have it, and its values with their meanings."""

    word: str
    usage: str
    help: dict[str, str]
    values: dict[str, str]

    @property
    def layers(self) -> list[str]:
        """The types of layers that have a key of that name."""
        return [layer for layer, keys in LAYER_KEYS.items() if self.word.replace("-", "_") in keys]

    def as_dict(self) -> dict[str, Any]:
        """Keys: kind, name, usage, help (by commands), values (with their meanings), layers (that have it as a key)."""
        told = {"usage": self.usage, "help": self.help, "values": self.values, "layers": self.layers}
        return {"kind": "option", "name": self.word, **told}


def terms() -> dict[str, Term]:
    """The options of the commands that write images by their words, and by those that are a value of one.

    >>> terms()["stride"].usage, terms()["reflect"].word
    ('-s, --stride N|YxX', 'pad-mode')
    """
    places: dict[str, dict[str, Option]] = {}
    for group in GROUPS:
        for parameter in parameters(group).values():
            if isinstance(parameter, Option):
                word = max(parameter.opts, key=len).lstrip("-")
                places.setdefault(word, {})[_COMMANDS.get(group, group)] = parameter
    options = {word: _term(word, having) for word, having in places.items()}
    listed = [term for term in options.values() if term.word != "kernel"]
    return {value: term for term in listed for value in term.values if not is_purpose(value)} | options


def _term(word: str, having: dict[str, Option]) -> Term:
    context = click.Context(click.Command("inspect"))
    records = {commands: option.get_help_record(context) or ("", "") for commands, option in having.items()}
    (usage, _), *_ = records.values()
    (first, *_) = having.values()
    return Term(word, usage, {commands: told for commands, (_, told) in records.items()}, first.meanings)


def draw_term(canvas: Canvas, term: Term, name: str) -> None:
    """Print all that is told of an option, which was asked for by its word or one of its values."""
    what = f"option: {term.usage}" if name == term.word else f"value of {term.usage}"
    canvas.show(Text.assemble((name, "bold"), f"  {what}"), Text())
    canvas.show(listing(list(term.help.items())))
    if term.values:
        canvas.show(Text(), listing(list(term.values.items())))
    if term.layers:
        told = f"as the key {term.word.replace('-', '_')} of {', '.join(term.layers)}"
        canvas.show(Text(), listing([("in steps", told)]))
    if term.word in _OF_GEOMETRY:
        canvas.show(Text(), Text(GEOMETRY))
