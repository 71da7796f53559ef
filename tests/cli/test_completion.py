"""Completion: what a shell is told when Tab is pressed, by its own protocol; and the scripts, in bash itself."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Run
from test_floors import loaded

from cnnfilter.cli.completion import KEY_VALUES
from cnnfilter.cli.operations import parameters
from cnnfilter.core.catalogue import COMMON_KEYS, LAYER_KEYS, LAYER_MEANINGS, LEARNED_KEYS
from cnnfilter.model.layers import LAYERS, keys_of
from cnnfilter.model.listing import is_learned, layers


def offered(run: Run, shell: str, *words: str, cwd: Path | None = None) -> list[str]:
    """The values that a shell is offered for the last of the words."""
    line = shlex.join(["cnnfilter", *words[:-1]]) + f" {words[-1]}"
    last = words[-1] if shell == "fish" else str(len(words))
    result = run(env={"_CNNFILTER_COMPLETE": f"{shell}_complete", "COMP_WORDS": line, "COMP_CWORD": last}, cwd=cwd)
    assert (result.code, result.err) == (0, b"")
    lines = result.out.decode().splitlines()
    if shell == "bash":
        return [each.partition(",")[2] for each in lines if each.startswith("plain,")]
    if shell == "zsh":
        return [value for kind, value in zip(lines[::3], lines[1::3], strict=True) if kind == "plain"]
    if "plain" in lines:  # newer Click's three lines an item
        return [value for kind, value in zip(lines[::3], lines[1::3], strict=True) if kind == "plain"]
    return [each.partition(",")[2].partition("\t")[0] for each in lines if each.startswith("plain,")]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["convolve", "-k", "mot"], ["motion:"]),
        (["convolve", "--kernel", "laplacian-"], ["laplacian-8"]),
        (["convolve", "--pad-mode", "sy"], ["symmetric"]),
        (["pool", "--kind", "m"], ["max", "min"]),
        (["pool", "--format", "j"], ["jpeg", "jpeg2000"]),
        (["pipeline", "--maps", "g"], ["grid"]),
        (["pipeline", "--steps", '"gr'], ["gray"]),
        (["pipeline", "--steps", '"gray | conv'], ["gray | convolve", "gray | conv2d"]),
        (["pipeline", "--steps", '"gray|leak'], ["gray|leaky-relu"]),
        (["pipeline", "--steps", '"convolve scharr-'], ["convolve scharr-v", "convolve scharr-h"]),
        (["pipeline", "--steps", '"convolve blur pad'], ["convolve blur padding=", "convolve blur pad_mode="]),
        (["pipeline", "--steps", '"convolve blur pad_mode=re'], ["convolve blur pad_mode=reflect"]),
        (["pipeline", "--steps", '"pool avg size=2 s'], ["pool avg size=2 stride="]),
        (["pipeline", "--steps", '"conv2d 8 p'], [f"conv2d 8 {key}=" for key in ("padding", "pad_mode", "params")]),
    ],
)
def test_words(run: Run, words: list[str], wanted: list[str]) -> None:
    assert offered(run, "bash", *words) == wanted


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells(run: Run, shell: str) -> None:
    assert offered(run, shell, "convolve", "-k", "mot") == ["motion:"]
    assert offered(run, shell, "pipeline", "--steps", '"gray | conv') == ["gray | convolve", "gray | conv2d"]


def test_an_option_with_its_value(run: Run) -> None:
    line = "cnnfilter convolve --mapping = n"  # bash takes it for three words
    env = {"_CNNFILTER_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": "4"}
    assert run(env=env).out == b"plain,normalize\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_clusters(run: Run, shell: str) -> None:
    here = f"local:{os.cpu_count()}"
    assert offered(run, shell, "convolve", "--cluster", "") == [here, "tcp://"]
    assert offered(run, shell, "convolve", "--cluster", "lo") == [here]


@pytest.mark.parametrize(("words", "wanted"), [
    (["convolve", "--cluster", "local", ":"], [str(os.cpu_count())]),
    (["convolve", "--cluster", "local", ":", "x"], []),
    (["convolve", "--cluster", "=", "local", ":"], [str(os.cpu_count())]),
    (["convolve", "-k", "motion", ":", "9", "--kernel", "mot"], ["motion:"]),
])  # fmt: skip
def test_bash_takes_a_colon_for_the_end_of_a_word(run: Run, words: list[str], wanted: list[str]) -> None:
    assert offered(run, "bash", *words) == wanted


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(("words", "wanted"), [
    (["pipeline", "--file", "net.toml", "--tap", ""], ["edges", "pool", "relu"]),
    (["pipeline", "--file", "net.toml", "--tap", "relu", "--tap", "p"], ["pool"]),
    (["pipeline", "--steps", "gray | relu | pool", "--tap", ""], ["gray", "relu"]),
    (["inspect", "--file", "net.toml", "--layer", ""], ["edges", "pool", "relu", "pool-2"]),
    (["inspect", "net.toml", "--input", "x.png", "--layer", "pool"], ["pool", "pool-2"]),
])  # fmt: skip
def test_names_of_layers(run: Run, folder: Path, shell: str, words: list[str], wanted: list[str]) -> None:
    layers = ['type = "convolve"\nkernel = "sobel"\nname = "edges"', 'type = "pool"', 'type = "relu"', 'type = "pool"']
    (folder / "net.toml").write_text("".join(f"[[layer]]\n{layer}\n" for layer in layers))
    assert offered(run, shell, *words, cwd=folder) == wanted


@pytest.mark.parametrize(
    "words", [["--tap", ""], ["--file", "none.toml", "--tap", ""], ["--steps", "rel", "--tap", ""]]
)
def test_no_names_without_a_pipeline(run: Run, folder: Path, words: list[str]) -> None:
    assert offered(run, "bash", "pipeline", *words, cwd=folder) == []


def test_files(run: Run, folder: Path) -> None:
    (folder / "nets").mkdir()
    for name in ("a.toml", "b.toml", "c.png", "w.npz", "nets/d.toml", ".e.toml"):
        (folder / name).touch()
    assert offered(run, "bash", "pipeline", "--file", "", cwd=folder) == ["a.toml", "b.toml", "nets/"]
    assert offered(run, "bash", "pipeline", "--file", "nets/", cwd=folder) == ["nets/d.toml"]
    assert offered(run, "bash", "pipeline", "--weights", "w", cwd=folder) == ["w.npz"]
    (folder / "a b.toml").touch()  # the shell knows how to quote it
    assert offered(run, "bash", "pipeline", "--file", "", cwd=folder) == []


@pytest.mark.parametrize("words", ["pool ", "pool -o x", "pool --montage x", "inspect --input x", "convolve -k x.npy"])
def test_the_shell_completes_files(run: Run, words: str) -> None:
    env = {"_CNNFILTER_COMPLETE": "bash_complete", "COMP_WORDS": f"cnnfilter {words}"}
    result = run(env=env | {"COMP_CWORD": str(len(f"{words}.".split()))})
    assert result.out.startswith(b"file,")


def test_completion_loads_no_numpy() -> None:
    setting = "import os; os.environ |= dict(_CNNFILTER_COMPLETE='bash_complete', COMP_CWORD='3', COMP_WORDS='{}')"
    for words in ('cnnfilter pipeline --steps "gray | conv', "cnnfilter convolve -k so", "cnnfilter inspect -k so"):
        code = f"{setting.format(words)}\nfrom cnnfilter.cli.main import run\ntry: run([])\nexcept SystemExit: pass"
        found = loaded(code)
        assert "cnnfilter.cli.completion" in found
        assert not found & {"numpy", "PIL", "rich"}


def test_what_is_known_of_layers_is_what_they_have() -> None:
    assert list(LAYER_MEANINGS) == list(LAYERS)
    for listing in layers():
        own = LAYER_KEYS.get(listing.type, ())
        assert own == tuple(listing.keys)
        assert listing.main is None or own[0] == listing.main
        common = (*COMMON_KEYS, *(LEARNED_KEYS if is_learned(LAYERS[listing.type]) else ()))
        assert {*own, *common} == set(keys_of(LAYERS[listing.type]))
        assert is_learned(LAYERS[listing.type]) == ("weight" in own)
    assert set(KEY_VALUES) <= {key for own in LAYER_KEYS.values() for key in own} | {*LEARNED_KEYS}


def test_every_option_with_a_list_or_a_file_completes() -> None:
    for group in ("shared", "convolve", "pool", "pipeline"):
        for name, parameter in parameters(group).items():
            kinds = ("FILE", "PATH", "KERNEL", "STEPS", "FORMAT", "MODE", "INPUT...", "NAME", "ADDRESS")
            if getattr(parameter, "metavar", None) in kinds:
                assert parameter._custom_shell_complete is not None, name


@pytest.mark.skipif(sys.platform == "win32" or shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes(tmp_path: Path) -> None:
    program = tmp_path / "cnnfilter"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m cnnfilter "$@"\n')
    program.chmod(0o755)
    script = """
compopt() { opts+="$2 "; }  # stands in for the builtin, which wants a line being typed
source <(_CNNFILTER_COMPLETE=bash_source cnnfilter)
COMP_WORDS=(cnnfilter pipeline --steps '"gray | conv') COMP_CWORD=3
_cnnfilter_completion cnnfilter; printf '[%s]' "${COMPREPLY[@]}"; echo " $opts"
COMP_WORDS=(cnnfilter convolve -k mo) COMP_CWORD=3
_cnnfilter_completion cnnfilter; printf '[%s]' "${COMPREPLY[@]}"; echo " $opts"
"""
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env=os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["[gray | convolve][gray | conv2d] ", "[motion:] default nospace "]
    assert done.stderr == ""
