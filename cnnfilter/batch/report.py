"""What a run reports: a record an output, totals, JSON Lines and CSV."""

import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from cnnfilter.core.words import by, figure, printable

if TYPE_CHECKING:
    from cnnfilter.images.montage import Exhibit
    from cnnfilter.images.thumbnail import Thumbnail

Status = Literal["ok", "skipped", "failed"]
Shape = tuple[int, ...]


class Record(NamedTuple):
    """One output, or one input that failed. Keys that do not apply are None; their meaning is that of the report.

    Shapes are (height, width) or (height, width, channels), after gray and without alpha; `stride` and `dilation` are
    (y, x); `padding` is ((top, bottom), (left, right)); `compression` is values out / values in.
    """

    input: str
    output: str | None = None
    status: Status = "ok"
    operation: str | None = None
    kernel: str | None = None
    kernel_shape: Shape | None = None
    stride: Shape | None = None
    padding: tuple[Shape, Shape] | None = None
    pad_mode: str | None = None
    dilation: Shape | None = None
    mapping: str | None = None
    input_shape: Shape | None = None
    output_shape: Shape | None = None
    input_values: int | None = None
    output_values: int | None = None
    compression: float | None = None
    clipped: int | None = None
    input_bytes: int | None = None
    output_bytes: int | None = None
    params: int | None = None
    macs: int | None = None
    seconds: float | None = None
    warnings: tuple[str, ...] = ()
    error: str | None = None
    layers: tuple[dict[str, Any], ...] | None = None
    classes: tuple[dict[str, Any], ...] | None = None
    exit_code: int = 0
    trace: str | None = None  # of the error, for --verbose
    is_final: bool = False  # a failure that would meet all that follow
    input_preview: "Thumbnail | None" = None
    output_preview: "Thumbnail | None" = None
    exhibit: "Exhibit | None" = None  # what a montage shows of it

    def as_dict(self) -> dict[str, Any]:
        """The keys of the report, in their order; those of layers for pipelines only."""
        values = {key: getattr(self, key) for key in KEYS}
        values["warnings"] = list(self.warnings)
        if self.operation == "pipeline":
            values |= {"layers": self.layers, "classes": self.classes}
        return values


MOST_CLASSES = 10  # in a table or CSV
SURROGATE = r"\ud"  # how JSON writes one half of a character, or a stray byte
# The report's keys are those before the layers.
KEYS: tuple[str, ...] = tuple(takewhile(lambda name: name != "layers", Record._fields))


def shape_fields(input_shape: Shape, output_shape: Shape) -> dict[str, Any]:
    """The shapes with the values they hold and the compression.

    >>> shape_fields((427, 640), (106, 160))["output_values"]
    16960
    """
    before, after = math.prod(input_shape), math.prod(output_shape)
    return {
        "input_shape": input_shape,
        "output_shape": output_shape,
        "input_values": before,
        "output_values": after,
        "compression": after / before,
    }


@dataclass
class Totals:
    """Sums over the records of a run."""

    inputs: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    pixels: int = 0
    misuses: int = 0
    left: int = 0  # inputs that were not begun, because no output could be written any more
    seconds: float = 0.0

    def add(self, record: Record, *, first_of_input: bool) -> None:
        """Count a record; an input's pixels count with the first of its outputs."""
        self.inputs += first_of_input
        self.done += record.status == "ok"
        self.skipped += record.status == "skipped"
        self.failed += record.status == "failed"
        self.misuses += record.exit_code == 2
        if first_of_input and record.status == "ok" and record.input_shape:
            self.pixels += math.prod(record.input_shape[:2])

    @property
    def exit_code(self) -> int:
        """The command's exit code.

        0: all done. 1: some image failed or is missing, the others are done. 2: wrong usage, nothing done; also where
        nothing was done because what was asked for fits none of the images.
        """
        if not self.failed and not self.left:
            return 0
        return 2 if self.misuses == self.failed and not self.done and not self.skipped else 1

    def as_dict(self) -> dict[str, Any]:
        """The totals as the last line of a JSON report."""
        spent = max(self.seconds, 1e-9)
        return {
            "done": self.done,
            "skipped": self.skipped,
            "failed": self.failed,
            "images": self.inputs,
            "seconds": round(self.seconds, 6),
            "images_per_second": round(self.inputs / spent, 3),
            "megapixels_per_second": round(self.pixels / 1e6 / spent, 3),
        }


def json_line(values: dict[str, Any]) -> str:
    r"""One line of JSON Lines in ASCII; stray bytes of names come escaped as in messages, so that it is always Unicode.

    >>> json_line({"input": "caf\udce9.png"})
    '{"input": "caf\\\\udce9.png"}\n'
    """
    import json  # as csv below: a run reports in one way or in none

    line = json.dumps(values)
    return f"{line if SURROGATE not in line else json.dumps(_unicode(values))}\n"


def _unicode(value: Any) -> Any:
    """Plain data whose texts have no stray bytes, which are lone surrogates."""
    if isinstance(value, dict):
        return {_unicode(key): _unicode(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_unicode(each) for each in value]
    return _encodable(value) if isinstance(value, str) else value


def csv_columns(operation: str) -> tuple[str, ...]:
    """The columns of a CSV report: the keys, and for pipelines the classes."""
    return (*KEYS, "classes") if operation == "pipeline" else KEYS


def csv_header(operation: str) -> str:
    """The first line of a CSV report."""
    return _csv_line(csv_columns(operation))


def csv_line(record: Record, operation: str, *, is_shown: bool = False) -> str:
    """One record as a line of CSV: shapes as 427x640x3, padding as top,bottom,left,right, lists joined by `; `.

    Classes are a label, a blank and a probability each, the likeliest ten. Names are as they are, but for stray bytes;
    in a terminal other control characters than the end of a line are escaped, which could drive it.
    """
    values = record.as_dict()
    for key in ("kernel_shape", "stride", "dilation", "input_shape", "output_shape"):
        if values[key] is not None:
            values[key] = by(values[key])
    if record.padding is not None:
        values["padding"] = ",".join(str(n) for side in record.padding for n in side)
    values["warnings"] = "; ".join(record.warnings)
    ranked = (record.classes or ())[:MOST_CLASSES]
    values["classes"] = "; ".join(f"{row['label']} {figure(row['probability'])}" for row in ranked)
    values = {key: values[key] for key in csv_columns(operation)}
    shown = _harmless if is_shown else _encodable
    return _csv_line("" if value is None else shown(str(value)) for value in values.values())


def _harmless(text: str) -> str:
    """`text` with what could drive a terminal escaped; a line may end."""
    return "\n".join(printable(line) for line in text.split("\n"))


def _encodable(text: str) -> str:
    """`text` with stray bytes of names escaped, for which UTF-8 has no place."""
    return text.encode("utf-8", "backslashreplace").decode()


def _csv_line(values: Iterable[str]) -> str:
    import csv

    row, line = list(values), io.StringIO()
    quoted = any("\r" in value for value in row)  # for which readers end a line, too
    csv.writer(line, lineterminator="\n", quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL).writerow(row)
    return line.getvalue()
