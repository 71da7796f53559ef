"""Help in groups: options that know their heading and what each of their choices means, and commands that show it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from cnnfilter.cli.completion import words

if TYPE_CHECKING:
    from click.types import OptionHelpExtra

Decorated = Callable[..., Any]
LEFT = 24  # columns of the options' names
OTHERS = "Other"  # the heading at the end, where --help is


class Option(click.Option):
    """An option with a heading in the help; `meanings` are its choices, or examples, explained a line each."""

    def __init__(self, *arguments: Any, heading: str = OTHERS, meanings: Mapping[str, str] | None = None, **named: Any):
        if meanings:
            named.setdefault("shell_complete", words(meanings))
        super().__init__(*arguments, **named)
        self.heading = heading
        self.meanings = dict(meanings or {})

    def get_help_extra(self, ctx: click.Context) -> "OptionHelpExtra":
        """Defaults and what is required; ranges are left to the messages about what does not fit."""
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        return extra


def under(heading: str) -> "Callable[..., Callable[[Decorated], Decorated]]":
    """`click.option` for options under a heading."""
    return partial(click.option, cls=Option, heading=heading)


class Command(click.Command):
    """A command whose help lists the options under their headings, in the order in which these first come."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each heading."""
        groups: dict[str, list[click.Option]] = {}
        for option in self.get_params(ctx):
            if isinstance(option, click.Option):
                groups.setdefault(getattr(option, "heading", OTHERS), []).append(option)
        for heading in sorted(groups, key=OTHERS.__eq__):  # the order of coming, but for the others
            with formatter.section(heading):
                for option in groups[heading]:
                    _write(option, ctx, formatter)


def _write(option: click.Option, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    record = option.get_help_record(ctx)
    if record is None:  # it is hidden
        return
    formatter.write_dl([(record[0].ljust(LEFT), record[1])], col_max=LEFT)
    if meanings := getattr(option, "meanings", None):
        margin, width = formatter.current_indent, formatter.width
        formatter.current_indent, formatter.width = margin + LEFT + 2, width - LEFT - 2
        formatter.write_dl(list(meanings.items()))
        formatter.current_indent, formatter.width = margin, width
