"""The pipeline that --file asks for."""

from collections.abc import Iterable

from cnnfilter.errors import FileError, ParameterError
from cnnfilter.model.pipeline import Pipeline
from cnnfilter.model.syntax import load_pipeline


def loaded(file: str, given: Iterable[str] = ()) -> Pipeline:
    """The pipeline of --file; `given` are the options for --steps that came with it, which are keys of the file.

    Raises:
        ParameterError: there are such options, or the file cannot be read.
    """
    if any(given):
        raise ParameterError("file", "weights, init and seed are keys of the file")
    try:
        return load_pipeline(file)
    except FileError as error:
        raise ParameterError("file", str(error)) from error
