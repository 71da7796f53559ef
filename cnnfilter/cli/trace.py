"""One output value, step by step: the window, the kernel, the products, their sum."""

from cnnfilter.cli.inspecting import Inspection
from cnnfilter.errors import ParameterError


def trace(inspection: Inspection) -> int:
    """Trace the output values that `--at` or `--walk` names and return the exit code.

    Raises:
        ParameterError: wrong usage.
    """
    raise ParameterError("at" if inspection.at else "walk", "tracing output values is not part of this version")
