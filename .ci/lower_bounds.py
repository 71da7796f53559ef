"""Print pip constraints for the oldest versions that pyproject.toml allows: `numpy>=2.0` becomes `numpy==2.0.*`."""

import re
import tomllib
from pathlib import Path

TOOLS = {"test", "dev", "bench"}  # extras that no user installs

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = [each for extra, needs in project["optional-dependencies"].items() if extra not in TOOLS for each in needs]
for requirement in project["dependencies"] + extras:
    found = re.fullmatch(r"([\w.-]+)>=([\d.]+)", requirement)
    assert found, f"{requirement} has no lower bound"
    print(f"{found[1]}=={found[2]}.*")
