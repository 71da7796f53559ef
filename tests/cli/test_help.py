"""The help: groups, defaults, drawings, examples, and its width."""

import pytest
from conftest import Invoke

from cnnfilter.cli.main import COMMANDS
from cnnfilter.core.geometry import PAD_MODES
from cnnfilter.core.vocabulary import MAPPINGS

GROUPS = {
    "convolve": ["Kernel", "Windows", "Input and output", "Values", "Batch", "Report", "Other"],
    "pool": ["Windows", "Input and output", "Values", "Batch", "Report", "Other"],
    "pipeline": ["Layers", "Input and output", "Values", "Batch", "Report", "Other"],
    "inspect": ["Input and output", "Tracing", "Report", "Kernel", "Windows", "Layers", "Values", "Other"],
}


def help_of(invoke: Invoke, *words: str) -> str:
    result = invoke(*words, "--help")
    assert (result.code, result.err) == (0, b"")
    return result.out.decode()


@pytest.mark.parametrize("command", COMMANDS)
def test_options_stand_in_groups(invoke: Invoke, command: str) -> None:
    lines = help_of(invoke, command).splitlines()
    assert [line[:-1] for line in lines if line.endswith(":") and line[0] != " "] == GROUPS[command]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_80_columns_and_up_to_three_examples(invoke: Invoke, command: str) -> None:
    text = help_of(invoke, *command.split())
    assert max(map(len, text.splitlines())) <= 80
    examples = text[text.index("Examples:") :].split("\n")[1:]
    assert 2 <= len([line for line in examples if "cnnfilter " in line]) <= 3


@pytest.mark.parametrize("command", ["convolve", "inspect"])
def test_pad_modes_are_drawn_a_line_each(invoke: Invoke, command: str) -> None:
    lines = [line.split() for line in help_of(invoke, command).splitlines()]
    for mode, drawing in PAD_MODES.items():
        assert [mode, drawing] in lines


@pytest.mark.parametrize("command", COMMANDS)
def test_choices_are_explained(invoke: Invoke, command: str) -> None:
    text = " ".join(help_of(invoke, command).split())
    for mapping, meaning in MAPPINGS.items():
        assert f" {mapping} {meaning}" in text


def test_defaults_are_told(invoke: Invoke) -> None:
    text = " ".join(help_of(invoke, "convolve").split())
    for default in ("same", "reflect", "each", "auto", "keep", "fast", "90", "150000000", "the processors available"):
        assert f"[default: {default}]" in text
