"""The table of layer types, and layers from their keys."""

import dataclasses
from typing import Any

from cnnfilter.core.catalogue import FAMILIES, kernel_names
from cnnfilter.core.vocabulary import KINDS
from cnnfilter.core.words import like
from cnnfilter.errors import ParameterError
from cnnfilter.model.activations import Abs, Elu, LeakyRelu, Relu, Relu6, Sigmoid, Silu, Tanh
from cnnfilter.model.classifier import Dense, Dropout, Flatten, Softmax
from cnnfilter.model.filters import Convolve, Pool
from cnnfilter.model.joining import Add, Concat, Multiply
from cnnfilter.model.layer import Layer
from cnnfilter.model.learned import BatchNorm, Conv2d
from cnnfilter.model.preparing import Crop, Gray, Resize, Scale, Standardize

LAYERS: dict[str, type[Layer]] = {
    layer.type: layer
    for layer in (
        Convolve,
        Pool,
        Conv2d,
        BatchNorm,
        Relu,
        LeakyRelu,
        Relu6,
        Elu,
        Sigmoid,
        Tanh,
        Silu,
        Abs,
        Gray,
        Resize,
        Crop,
        Scale,
        Standardize,
        Add,
        Multiply,
        Concat,
        Flatten,
        Dense,
        Dropout,
        Softmax,
    )
}


def keys_of(kind: type[Layer]) -> dict[str, str]:
    """The keys that a layer type has in pipelines, with the names of their fields; `from` is the field `inputs`."""
    return {"from" if field.name == "inputs" else field.name: field.name for field in dataclasses.fields(kind)}


def make(type_name: str, keys: dict[str, Any], main: Any = None) -> Layer:
    """The layer of a type with the values of its keys; `main` is the value that was given without a key.

    >>> make("pool", {"size": "2x3"}, "avg").output_shape((8, 9))
    (4, 3)

    Raises:
        ParameterError: unknown type or key (near ones are listed), a missing or a wrong value.
    """
    if type_name not in LAYERS:
        meant = like(type_name, list(LAYERS), most=99)
        for main, names in (("convolve", (*kernel_names(), *FAMILIES)), ("pool", KINDS)):
            if str(type_name).partition(":")[0] in names:
                meant = f"; did you mean {main} {type_name}?"
        raise ParameterError("type", f"there is no layer {type_name!r}{meant}")
    kind = LAYERS[type_name]
    known = keys_of(kind)
    values: dict[str, Any] = {}
    if main is not None:
        if kind.main is None:
            raise ParameterError("", f"{type_name} takes no value without a key; {main!r} came")
        values[kind.main] = main
    for key, value in keys.items():
        if key not in known:
            raise ParameterError(key, f"{type_name} has no key {key!r}{like(key, list(known), most=99)}")
        if known[key] in values:
            raise ParameterError(key, f"is given twice for {type_name}")
        values[known[key]] = value
    required = [f.name for f in dataclasses.fields(kind) if is_required(f) and f.name not in values]
    if required:
        raise ParameterError(required[0], f"{type_name} needs it")
    return kind(**values)


def is_required(field: "dataclasses.Field[Any]") -> bool:
    """Whether a field of a layer has no default."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
