"""The pipeline that --file asks for."""

from collections.abc import Iterable, Mapping

from cnnfilter.errors import FileError, ParameterError
from cnnfilter.model.pipeline import Pipeline
from cnnfilter.model.syntax import load_pipeline


def loaded(file: str, given: Iterable[str] = ()) -> Pipeline:
    """The pipeline of --file; `given` are the options for --steps that came with it, which are keys of the file.

    Raises:
        ParameterError: there are such options, or the file cannot be read.
    """
    if names := list(given):
        value = given[names[0]] if isinstance(given, Mapping) else "..."
        line = f"{names[0]} = {value}" if isinstance(value, int) else f'{names[0]} = "{value}"'
        told = f"weights, init and seed are keys of the file; add the line {line} at the top of {file}"
        raise ParameterError("file", told)
    try:
        return load_pipeline(file)
    except FileError as error:
        raise ParameterError("file", str(error)) from error
