"""Banks of filters over images that repeat: planned once for all images of a shape, while their weights live.

To check, plan and lay out a bank takes some 0.4 ms of Python, as long as a third of the work for 56 x 56 x 64. A plan
that is kept has weights of its own: those that it was made for may change, or end. Its number of threads stays, too: a
change of CNNFILTER_THREADS is seen by banks that are new. Small ones are kept by `small`, for any weights.
"""

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnfilter.core.engine import floats, small
from cnnfilter.core.engine.levels import Levels
from cnnfilter.core.engine.task import Correlation
from cnnfilter.core.engine.threads import chosen
from cnnfilter.core.engine.weights import OfWeights, copied

Array = NDArray[Any]

_planned: OfWeights[floats.Fused] = OfWeights()


def responses(name: Hashable, image: Any, weights: Any, bias: Any) -> Array | None:
    """The responses of a bank that is kept by that name; None where there is none with these weights and bias."""
    made = small.responses(name, image, weights, bias)
    if made is not None:
        return made
    found = _planned.get(weights, _key(name, bias))
    return floats.run(found, image)[0] if found else None


def planned(
    name: Hashable, task: Correlation, method: floats.Direct, bias: NDArray[np.float64], image: Array
) -> floats.Fused:
    """The plan of a bank for images like this one, kept by `name` where that is one and the bank is not large."""
    levels, weights = Levels(bias), task.weights
    if name is None or not _planned.takes(weights):
        return floats.Fused.of(task, method, levels, image, repeated=False)
    own = copied(weights)
    method.hold(own)
    made = floats.Fused.of(task._replace(weights=own), method, levels, image)
    _planned.keep(weights, own, made, _key(name, bias))
    return made


def _key(name: Hashable, bias: Array | None) -> Hashable:
    return name, None if bias is None or not bias.any() else bias.astype(np.float32).tobytes(), chosen()
