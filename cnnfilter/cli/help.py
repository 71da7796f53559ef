"""Options that know their heading and what each of their choices means, and commands that show them in groups."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from cnnfilter.cli.completion import words
from cnnfilter.cli.stderr import complain

if TYPE_CHECKING:
    from click.types import OptionHelpExtra

Decorated = Callable[..., Any]
LEFT = 24  # columns of the options' names
OTHERS = "Other"  # the heading at the end, where --help is
ORDER = "cnnfilter.order"  # of a context: its parameters as often as they are given


class Option(click.Option):
    """An option with a heading in the help, which shows its default.

    `choices` are all that it takes, `meanings` examples of it; each is explained on a line of its own.
    """

    def __init__(
        self,
        *arguments: Any,
        heading: str = OTHERS,
        choices: Mapping[str, str] | None = None,
        meanings: Mapping[str, str] | None = None,
        **named: Any,
    ) -> None:
        if choices:
            named["type"], meanings = click.Choice(tuple(choices)), choices
        if isinstance(kind := named.get("type"), click.Choice):  # in brackets it would look optional
            named.setdefault("metavar", "|".join(kind.choices))
        if meanings:
            named.setdefault("shell_complete", words(meanings))
        named.setdefault("show_default", "default" in named)
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
    """A command whose help lists the options under their headings, in the order in which these first come.

    Of an option with one value that is given several times the last one counts, so that a script can go before what
    its user adds; that is told.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What is left of the words when the options are taken out."""
        if ctx.resilient_parsing and args and self._wants_more(args[-1]):  # which would keep the arguments from parsing
            return super().parse_args(ctx, args[:-1])
        given = list(args)
        try:
            left = super().parse_args(ctx, args)
        except (click.NoSuchOption, click.BadOptionUsage) as error:
            from cnnfilter.cli.misplaced import option_meant

            raise click.UsageError(option_meant(error, self, given, ctx), ctx) from error
        if not (ctx.resilient_parsing or ctx.params.get("quiet")):
            for option, count in Counter(ctx.meta[ORDER]).items():
                if isinstance(option, click.Option) and count > 1 and not (option.multiple or option.is_flag):
                    complain(f"warning: {max(option.opts, key=len)} is given {count} times; the last one counts")
        return left

    def make_parser(self, ctx: click.Context) -> Any:
        """Click's parser; the parameters in the order of the words go into the context, too."""
        parser = super().make_parser(ctx)
        parse = parser.parse_args

        def parse_and_note(args: list[str]) -> tuple[dict[str, Any], list[str], list[click.Parameter]]:
            values, left, ctx.meta[ORDER] = parse(args)
            return values, left, ctx.meta[ORDER]

        parser.parse_args = parse_and_note  # type: ignore[method-assign]
        return parser

    def _wants_more(self, word: str) -> bool:
        """Whether a word is an option whose value comes next."""
        return any(isinstance(each, click.Option) and word in each.opts and not each.is_flag for each in self.params)

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
