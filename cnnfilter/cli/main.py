"""The command itself: subcommands, one handler for all errors, signals and exit codes."""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from types import FrameType
from typing import Any

import click

from cnnfilter import signals
from cnnfilter.cli.stderr import complain
from cnnfilter.errors import CnnfilterError, ParameterError

PROGRAM = "cnnfilter"
COMPLETION_VARIABLE = "_CNNFILTER_COMPLETE"
CLOSED_PIPE = 141
# The subcommands and what the help says of them; each is the function of its name in the module of its name.
COMMANDS = {
    "convolve": "Filter images with kernels: edges, blur, sharpening, a matrix.",
    "inspect": "Explain images, kernels and pipelines; list what there is.",
    "pipeline": "Run images through a pipeline of CNN layers.",
    "pool": "Pool images: the maximum, minimum or mean of windows.",
}

EPILOG = """\b
Examples:
  cnnfilter convolve img.png --kernel sobel-v --stride 2
  cnnfilter pipeline img.png --steps "gray | convolve sobel-v | relu | pool"
  cnnfilter inspect sobel-v
"""


class Stopped(BaseException):
    """A signal that ends the run; not an Exception, so that nothing on the way takes it for a fault of a file."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Group(click.Group):
    """A group whose subcommands are loaded when they are called."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called, in place of its entry in the help."""
        try:
            name, entry, rest = super().resolve_command(ctx, args)
        except click.UsageError as error:
            word = args[0]
            if word == "help":
                raise click.UsageError("No such command 'help'; --help tells how to use it.", ctx) from error
            if os.path.exists(word):
                names = ", ".join(COMMANDS)
                raise click.UsageError(f"The command is missing before {word}; there are {names}.", ctx) from error
            raise
        if entry is None or entry.name is None:
            return name, entry, rest
        return name, getattr(import_module(f"cnnfilter.cli.{entry.name}"), entry.name), rest


@click.group(cls=_Group, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "--version", package_name=PROGRAM, prog_name=PROGRAM)
def cli() -> None:
    """The operations of a convolutional neural network in the shell, on real images."""


for name, does in COMMANDS.items():
    cli.add_command(click.Command(name, short_help=does))


def run(arguments: Sequence[str] | None = None, *, owns_process: bool = False) -> int:
    """Run the command and return its exit code; `owns_process` where the process is there for nothing else.

    0 all done; 1 some image failed or is missing; 2 wrong usage, nothing done; 129, 143 terminated, 130 interrupted;
    141 the reader of standard output has gone.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names may hold what the terminal's encoding does not
            stream.reconfigure(errors="backslashreplace")
    state = {"verbose": False, "owns_process": owns_process}
    try:
        with _signals():
            code = _invoke(words, state)
            if sys.stdout is not None:  # it may be closed
                _flush(told=code != 0)
            return code
    except click.ClickException as error:
        complain(" ".join(error.format_message().split()))
        return error.exit_code
    except Stopped as stop:
        complain(" ".join([signals.ending(stop.number), *getattr(stop, "__notes__", [])]))
        return 128 + stop.number
    except BrokenPipeError:
        _silence_stdout()
        return CLOSED_PIPE
    except CnnfilterError as error:
        complain(error.in_shell if isinstance(error, ParameterError) else str(error))
        if state["verbose"]:
            import traceback

            traceback.print_exc()
        return error.exit_code
    except OSError as error:
        _silence_stdout()
        complain(f"standard output: {error.strerror or error}")
        return 1


def _invoke(words: list[str], state: dict[str, bool]) -> int:
    if COMPLETION_VARIABLE in os.environ:
        from cnnfilter.cli import shells

        shells.register()
        cli.main(words, PROGRAM)
    try:
        with cli.make_context(PROGRAM, words, obj=state) as context:
            return cli.invoke(context) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.exceptions.Exit as end:
        return end.exit_code


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Interrupt and termination become one exception, so that every cleanup on the way out runs.

    Where an object comes to its end Python drops exceptions: then the signal is sent once more.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        for each in numbers:  # a second Ctrl-C must not break off the tidying up
            signal.signal(each, signal.SIG_IGN)
        signals.heard()
        raise Stopped(number)

    def dropped(what: "sys.UnraisableHookArgs") -> None:
        if not isinstance(what.exc_value, Stopped):
            hook(what)
            return
        number = signal.Signals(what.exc_value.number)
        signals.repeat(number)
        signal.signal(number, stop)

    hook, sys.unraisablehook = sys.unraisablehook, dropped
    numbers = signals.heeded()
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    except Stopped:
        raise  # signals stay ignored until the process has ended
    except BaseException:
        _restore(before)
        raise
    else:
        _restore(before)
    finally:
        sys.unraisablehook = hook


def _restore(handlers: dict[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _flush(*, told: bool) -> None:
    """Write what standard output holds back; what fails once more after an error that was `told` is no news."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError:
        if not told:
            raise
        _silence_stdout()


def _silence_stdout() -> None:
    """Keep the interpreter from complaining about the stream once more when it flushes it at its end."""
    with contextlib.suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
