"""The floors of the house: who may import whom, and what the command loads for what."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import numpy as np
import pytest
from places import PACKAGE, SAMPLES

from cnnfilter import write_image
from cnnfilter.cli.main import COMMANDS

MODULES = sorted(PACKAGE.rglob("*.py"))
# What each floor may import: floors of the package, and libraries outside the standard one.
FLOORS = {
    "errors": set(),
    "signals": set(),
    "core": {"errors", "core", "numpy"},
    "images": {"errors", "core", "images", "numpy", "PIL"},
    "model": {"errors", "core", "model", "numpy", "safetensors"},
    "batch": {"errors", "signals", "core", "images", "model", "batch", "numpy", "distributed", "threadpoolctl"},
    "cli": {"errors", "signals", "core", "images", "model", "batch", "cli", "click", "rich"},
    "__main__": {"signals", "cli"},
    "__init__": {"errors", "core", "images", "model"},
}


def floor_of(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(module: Path) -> set[str]:
    """Floors and foreign libraries that a module imports anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in names]
    return {p[1] if p[0] == "cnnfilter" else p[0] for p in parts} - set(sys.stdlib_module_names)


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(PACKAGE)))
def test_imports_go_down_only(module: Path) -> None:
    assert imported(module) <= FLOORS[floor_of(module)]


def loaded(code: str) -> set[str]:
    """Modules that are loaded after `code` has run in a process of its own."""
    listing = f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_the_package_loads_nothing_until_a_name_is_used() -> None:
    assert not loaded("import cnnfilter") & {"numpy", "PIL", "click", "rich"}


def test_the_core_loads_neither_pillow_nor_click_nor_rich() -> None:
    found = loaded("import cnnfilter; cnnfilter.convolve([[1, 2], [3, 4]], 'blur')")
    assert "numpy" in found
    assert not found & {"PIL", "click", "rich"}


@pytest.mark.parametrize("words", [["--help"], ["convolve", "--help"], ["inspect", "--help"]])
def test_help_loads_neither_numpy_nor_pillow_nor_rich(words: list[str]) -> None:
    found = loaded(f"from cnnfilter.cli.main import run; assert run({words}) == 0")
    assert "click" in found
    assert not found & {"numpy", "PIL", "rich"}


@pytest.mark.parametrize("kernel", ["sobelx", "1 2; 3", "gaussian.txt.gz", "none.npy"])
def test_a_slip_in_a_kernel_loads_no_numpy(kernel: str) -> None:
    found = loaded(f"from cnnfilter.cli.main import run; assert run(['convolve', 'x.png', '-k', '{kernel}']) == 2")
    assert "click" in found
    assert "numpy" not in found


def own(found: set[str]) -> set[str]:
    """Those of the modules that are ours, without the packages that hold them."""
    packages = {".".join(m.relative_to(PACKAGE.parent).parts[:-1]) for m in MODULES if m.name == "__init__.py"}
    return {name.removeprefix("cnnfilter.") for name in found if name.startswith("cnnfilter.")} - {
        package.removeprefix("cnnfilter.") for package in packages
    }


@pytest.mark.parametrize(("words", "code"), [(["--help"], 0), (["--version"], 0), (["no-such-command"], 2)])
def test_what_no_subcommand_is_needed_for_loads_none(words: list[str], code: int) -> None:
    found = loaded(f"from cnnfilter.cli.main import run; assert run({words}) == {code}")
    assert own(found) == {"cli.main", "cli.stderr", "core.words", "errors", "signals"}


def test_every_subcommand_is_where_the_group_looks_for_it() -> None:
    for name in COMMANDS:
        command = getattr(import_module(f"cnnfilter.cli.{name}"), name)
        assert isinstance(command, click.Command)
        assert command.name == name


# What no small picture needs: other commands' modules, report formats, workers, threads for large images.
HEAVY = {
    *("rich", "multiprocessing", "concurrent.futures", "zipfile", "tomllib", "json", "csv", "pathlib", "tempfile"),
    *("numpy.fft", "numpy.random", "numpy.ma", "PIL.TiffImagePlugin", "PIL.GifImagePlugin"),
    *("cnnfilter.model.syntax", "cnnfilter.model.layers", "cnnfilter.model.tensors", "cnnfilter.model.summary"),
    *(
        "cnnfilter.model.activations",
        "cnnfilter.model.joining",
        "cnnfilter.model.classifier",
        "cnnfilter.model.learned",
        "cnnfilter.core.activations",
        "cnnfilter.batch.workers",
    ),
    *("cnnfilter.batch.montage", "cnnfilter.images.details", "cnnfilter.core.engine.methods"),
}


@pytest.mark.parametrize("command", ["convolve", "pool"])
def test_a_small_picture_loads_only_what_it_needs(command: str, tmp_path: Path) -> None:
    write_image(tmp_path / "in.png", np.zeros((8, 8, 3), np.uint8))
    words = [command, str(tmp_path / "in.png"), "-o", str(tmp_path / "out.png"), "--report", "none"]
    words += ["-k", "sobel-v"] if command == "convolve" else []
    found = loaded(f"from cnnfilter.cli.main import run; assert run({words}) == 0")
    assert (tmp_path / "out.png").exists()
    assert not found & HEAVY
    other = {"convolve": {"core.pooling", "core.engine.extremes"}, "pool": set()}[command]
    assert not own(found) & {"cli.pipeline", "cli.inspect", *other}
    assert "PIL.JpegImagePlugin" not in found


def test_dask_is_loaded_for_a_cluster_only() -> None:
    words = ["pool", str(SAMPLES / "harbor.jpg"), "--dry-run", "-q"]
    found = loaded(f"from cnnfilter.cli.main import run; assert run({words}) == 0")
    assert "numpy" in found
    assert not found & {"distributed", "dask", "tornado", "threadpoolctl"}
    assert not loaded("import cnnfilter.cli.main") & {"asyncio", "logging", "multiprocessing"}
