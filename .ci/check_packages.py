"""Look into the wheel and the sdist of a folder: what has to be there is, and what is not for users is not."""

import sys
import tarfile
import zipfile
from pathlib import Path

folder = Path(sys.argv[1])
(wheel,) = folder.glob("*.whl")
(sdist,) = folder.glob("*.tar.gz")
with zipfile.ZipFile(wheel) as archive:
    in_wheel = archive.namelist()
with tarfile.open(sdist) as tar:
    in_sdist = {name.partition("/")[2] for name in tar.getnames()}

assert "cnnfilter/py.typed" in in_wheel, "the wheel has no py.typed"
ours = ("cnnfilter/", f"{wheel.name.rsplit('-', 3)[0]}.dist-info/")
strangers = [name for name in in_wheel if not name.startswith(ours)]
assert not strangers, f"the wheel holds {strangers}"
tests = [name for name in in_wheel if "test" in Path(name).name]
assert not tests, f"the wheel holds {tests}"
needed = {"pyproject.toml", "README.md", "LICENSE", "cnnfilter/py.typed", "tests/conftest.py", "samples/harbor.jpg"}
missing = needed - in_sdist
assert not missing, f"the sdist lacks {missing}"
sources = {str(path) for path in Path("cnnfilter").rglob("*.py")}
assert sources == {name for name in in_wheel if name.endswith(".py")}, "the wheel's modules are not those of the tree"
print(f"{wheel.name}: {len(in_wheel)} files; {sdist.name}: {len(in_sdist)} files")
