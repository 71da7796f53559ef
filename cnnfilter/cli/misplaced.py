"""Words among the inputs that belong to an option, and options that know what was meant."""

import os
from collections.abc import Sequence
from typing import Any

import click

from cnnfilter.cli.help import Option
from cnnfilter.core.catalogue import FAMILIES, KERNEL_FILES, kernel_names
from cnnfilter.core.slips import SIZE, kind_meant
from cnnfilter.core.vocabulary import KINDS
from cnnfilter.errors import ParameterError


def refuse_misplaced(operation: str, inputs: Sequence[str], *, spared: bool = False) -> None:
    """Refuse a kind, a kernel or a pipeline file where a picture is wanted.

    `spared` files are left to fail by themselves, where the options say what to do with the others.

    Raises:
        ParameterError: names the word and the option that it is for.
    """
    for word in inputs:
        if os.path.lexists(word):
            told = None if spared else misplaced_file(operation, word)
        else:
            told = _misplaced_word(operation, word) or misplaced_file(operation, word)
        if told:
            raise ParameterError("input", f"{word}: {told}")


def _misplaced_word(operation: str, word: str) -> str | None:
    """What is said of a word that is no file, but the value of an option; None if it is none either."""
    if operation == "pool" and word in KINDS:
        return f"no such file; --kind {word}?"
    if operation == "pool" and SIZE.fullmatch(word):
        return f"no such file; --size {word}?"
    if operation == "convolve" and word.partition(":")[0] in (*kernel_names(), *FAMILIES):
        return f"no such file; --kernel {word}?"
    return None


def misplaced_file(operation: str, path: str) -> str | None:
    """What is said of a file that an option takes and that is no picture; None of others.

    >>> misplaced_file("convolve", "edge.txt")
    'is no picture; --kernel edge.txt?'
    """
    suffix = os.path.splitext(path)[1].lower()
    if operation == "convolve" and suffix in KERNEL_FILES and suffix != ".npy":
        return f"is no picture; --kernel {path}?"
    if operation == "pipeline" and suffix == ".toml":
        return f"is no picture; --file {path}?"
    return None


class KernelOption(Option):
    """An option for kernels which, where it is missing, looks for them among the inputs."""

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """The value, or the error that it is missing."""
        try:
            return super().process_value(ctx, value)
        except click.MissingParameter:
            refuse_misplaced("convolve", ctx.params.get("inputs") or ())
            raise


class KindChoice(click.Choice[str]):
    """A choice of kinds that knows their other names."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The kind, or an error that says what was meant.

        Raises:
            click.BadParameter: it is none.
        """
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            meant = kind_meant(value, "--size ")
            if not meant:
                raise
            raise click.BadParameter(error.message.rstrip(".") + meant, ctx=ctx, param=param) from error


def option_meant(
    error: click.NoSuchOption | click.BadOptionUsage, command: click.Command, words: Sequence[str], ctx: click.Context
) -> str:
    """The message about an option that is not there or lacks its value, with what was meant."""
    name, own = error.option_name, [each for each in command.params if isinstance(each, click.Option)]
    if isinstance(error, click.BadOptionUsage):
        metavars = [each.make_metavar(ctx) for each in own if name in each.opts and not each.is_flag]
        return " ".join([error.message, *(f"{name} {metavar} is right." for metavar in metavars)])
    for word in words:
        if word.startswith(name) and os.path.lexists(word):
            return f"No such option '{name}'; ./{word} is the file."
        if word.startswith(name) and f"-{word.partition('=')[0]}" in {opt for each in own for opt in each.opts}:
            return f"No such option '{word}'; -{word} has two dashes."
    from cnnfilter.cli.terms import terms

    term = terms().get(name.lstrip("-"))
    if name.startswith("--") and term is not None and name.endswith(term.word):
        return f"No such option '{name}' in {command.name}; it is one of {', '.join(term.help)}."
    return error.format_message()
