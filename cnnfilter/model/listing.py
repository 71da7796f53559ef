"""All there is: kernels, families, layers with their keys, and what they mean."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from cnnfilter.core.catalogue import FAMILY_MEANINGS, KERNEL_MEANINGS, LAYER_MEANINGS
from cnnfilter.core.kernels import FAMILIES, kernel_names
from cnnfilter.model.layer import Layer
from cnnfilter.model.layers import LAYERS, is_required, keys_of

# Keys that every layer, or every learned one, has.
COMMON, LEARNED = ("name", "from"), ("params", "init", "seed")


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
    return [_listing(kind) for kind in LAYERS.values()]


def _listing(kind: type[Layer]) -> LayerListing:
    fields = {field.name: field for field in dataclasses.fields(kind)}
    keys = {key: fields[name] for key, name in keys_of(kind).items() if key not in (*COMMON, *LEARNED)}
    found = {key: None if is_required(field) else _default(field.default) for key, field in keys.items()}
    return LayerListing(kind.type, LAYER_MEANINGS[kind.type], kind.main, found)


def _default(value: Any) -> str:
    """A default as it is written in a pipeline; nothing where the layer finds it out itself."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_dict() -> dict[str, Any]:
    """All of it as plain data: kernels, families, layers."""
    found = [dataclasses.asdict(layer) for layer in layers()]
    return {"kernels": kernels(), "families": families(), "layers": found}
