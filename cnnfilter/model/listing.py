"""All there is: kernels, families, layers with their keys, and what they mean."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from cnnfilter.core.catalogue import (
    COMMON_KEYS,
    FAMILIES,
    FAMILY_MEANINGS,
    KERNEL_MEANINGS,
    LAYER_MEANINGS,
    LEARNED_KEYS,
    kernel_names,
)
from cnnfilter.model.layer import Layer
from cnnfilter.model.layers import LAYERS, is_required, keys_of
from cnnfilter.model.learned import Learned

# Tensors, which are told after the other keys; and what a layer does where a key without a default is not given.
TENSORS = ("weight", "bias", "mean", "variance")
FOUND_OUT = {"stride": "the size", "filters": "from weights", "size": "from weights", "units": "from weights"}


@dataclass(frozen=True)
class LayerListing:
    """A layer type: its keys with their defaults as text (None where one has to be given), the one without a key."""

    type: str
    meaning: str
    main: str | None
    keys: dict[str, str | None]


def kernels() -> dict[str, str]:
    """The meaning of every named kernel."""
    return {name: KERNEL_MEANINGS[name] for name in kernel_names()}


def families() -> dict[str, str]:
    """The meaning of every family, by the way it is written."""
    return {f"{name}:{usage}": FAMILY_MEANINGS[name] for name, usage in FAMILIES.items()}


def layers() -> list[LayerListing]:
    """All layer types, in the order of their table.

    >>> layers()[1].keys["kind"], layers()[0].keys["kernel"]
    ('max', None)
    """
    return [listing(kind) for kind in LAYERS.values()]


def listing(kind: type[Layer]) -> LayerListing:
    """A type of layer with its keys."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    keys = {key: fields[name] for key, name in keys_of(kind).items() if key not in (*COMMON_KEYS, *LEARNED_KEYS)}
    ordered = sorted(keys, key=lambda key: (key != kind.main, is_learned(kind) and key in TENSORS))
    found = {key: None if is_required(keys[key]) else _default(key, keys[key].default) for key in ordered}
    return LayerListing(kind.type, LAYER_MEANINGS[kind.type], kind.main, found)


def is_learned(kind: type[Layer]) -> bool:
    """Whether a layer type has tensors."""
    return issubclass(kind, Learned)


def _default(key: str, value: Any) -> str:
    """A default as it is written in a pipeline; in brackets what the layer finds out itself, empty for tensors."""
    if value is None:
        return f"({FOUND_OUT[key]})" if key in FOUND_OUT else ""
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_dict() -> dict[str, Any]:
    """All of it as plain data: kernels, families, layers."""
    found = [dataclasses.asdict(layer) for layer in layers()]
    return {"kernels": kernels(), "families": families(), "layers": found}
