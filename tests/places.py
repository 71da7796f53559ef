"""Where things are that tests read."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cnnfilter"
SAMPLES = ROOT / "samples"
GOLDEN = ROOT / "tests" / "golden" / "networks.npz"
