"""What a record says apart from results: of the operation, and of a failure."""

from cnnfilter.batch.report import Record
from cnnfilter.batch.settings import Step
from cnnfilter.core.geometry import channels_of
from cnnfilter.errors import CnnfilterError, FileError, OutputError, ParameterError
from cnnfilter.model.filters import Convolve, Pool


def described(step: Step, shape: tuple[int, ...] | None) -> Record:
    """A record with what is known of the operation, and for an image of `shape` of its windows."""
    record = Record("", operation=step.operation)
    layer = step.pipeline.layers[0]
    if step.operation == "pipeline":
        return record
    if isinstance(layer, Convolve):
        kernel = layer.operation.kernel
        kernel = kernel if shape is None else kernel.spanning(channels_of(shape))
        record = record._replace(kernel=kernel.name, kernel_shape=kernel.shape, pad_mode=layer.operation.pad_mode)
        windows = layer.operation.windows
    else:
        assert isinstance(layer, Pool)
        record = record._replace(kernel=layer.operation.kind)
        if layer.operation.size is None and shape is None:
            return record
        windows = layer.operation.windows(shape or (1, 1))
        record = record._replace(kernel_shape=windows.size)
    return record._replace(stride=windows.stride, padding=windows.padding, dilation=windows.dilation)


def failed(record: Record, error: CnnfilterError | MemoryError) -> Record:
    """The record of a failure; a message about the input does not repeat its name."""
    code = error.exit_code if isinstance(error, CnnfilterError) else 1
    message = str(error) if isinstance(error, CnnfilterError) else "not enough memory"
    if isinstance(error, ParameterError):
        message = error.in_shell
    if isinstance(error, FileError) and error.path == record.input:
        message = error.message
    return record._replace(
        status="failed",
        error=message,
        exit_code=code,
        trace=trace_text(error),
        is_final=isinstance(error, OutputError) and error.is_lasting,
    )


def trace_text(error: BaseException) -> str:
    """The traceback of an error."""
    import traceback  # no error, no need

    return "".join(traceback.format_exception(error))
