"""A system without what POSIX alone has, or without room for temporary files: the same results, by the fallbacks."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cnnfilter

# What Windows does not have. Gone before anything of ours is loaded.
WITHOUT = """
import multiprocessing, os, signal, sys
for module, names in (
    (os, "sched_getaffinity fchmod fchown getuid geteuid O_NOFOLLOW O_CLOEXEC O_DIRECTORY"),
    (signal, "pthread_sigmask SIGALRM SIGHUP SIGPIPE SIGUSR1"),
):
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
multiprocessing.get_all_start_methods = lambda: ["spawn"]
for name in ("fcntl", "resource", "termios", "pwd", "grp"):
    sys.modules[name] = None
from cnnfilter.cli.main import run
if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
"""
# As in a container whose file system is read-only.
NO_TEMPORARY_FILES = """
import sys, tempfile
def gettempdir():
    raise FileNotFoundError(2, "No usable temporary directory found")
tempfile.gettempdir = gettempdir
from cnnfilter.cli.main import run
if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize("script", [WITHOUT, NO_TEMPORARY_FILES], ids=["no-posix", "no-temporary-files"])
def test_a_batch_with_workers(folder: Path, script: str) -> None:
    (folder / "without.py").write_text(script)
    rng = np.random.default_rng(1)
    pictures = {name: rng.integers(0, 256, (20, 30), np.uint8) for name in ("a", "b", "c")}
    for name, pixels in pictures.items():
        cnnfilter.write_image(f"{name}.png", pixels)
    words = ["convolve", "a.png", "b.png", "c.png", "-k", "sharpen", "-o", "out/", "-j", "2"]
    done = subprocess.run(
        [sys.executable, "without.py", *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    for name, pixels in pictures.items():
        wanted = cnnfilter.convolve(pixels, "sharpen", mapping="clip")
        assert np.array_equal(cnnfilter.read_image(f"out/{name}.png"), wanted)
