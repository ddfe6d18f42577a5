"""The root that M4 is defined by, for NumPy and as an operation of PyTensor.

With w the log-odds of the distance to the limit, ``w + (alpha - 1) log(1 + e**w) = t``. The left
side rises in w and bends one way only, so Halley's iteration from the nearer asymptote cannot
miss the root. In a graph the iteration is one loop an element, with the derivatives of the
implicit function: unrolled, it would be differentiated step by step, and compile for long.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from bayes_bnsl.logs import sigmoid, softplus

__all__ = ["log_odds"]

ITERATIONS = 6
"""Steps to rounding error for alpha from 1e-3 to 1e3: five, and one to spare."""


def log_odds(t: Any, alpha: Any, xp: Any = np) -> Any:
    """Return w with ``w + (alpha - 1) log(1 + e**w) = t``, elementwise.

    Parameters
    ----------
    t, alpha : array_like, DataArray or tensor
        Right-hand side and exponent; alpha > 0.
    xp : module, default numpy
        ``numpy`` (also for xarray) or ``pytensor.tensor``.

    Returns
    -------
    array_like, DataArray or TensorVariable
        The root, in broadcast shape.
    """
    w = xp.minimum(t, 0.0) + xp.maximum(t, 0.0) / alpha
    if xp is not np:
        return _operation()(ITERATIONS, w, t, alpha)
    for _ in range(ITERATIONS):
        w = _halley_step(w, t, alpha, np)
    return w


def _halley_step(w: Any, t: Any, alpha: Any, xp: Any) -> Any:
    p = sigmoid(w, xp)
    slope = 1 + (alpha - 1) * p
    step = (w + (alpha - 1) * softplus(w, xp) - t) / slope
    return w - step / (1 - 0.5 * step * (alpha - 1) * p * (1 - p) / slope)


@cache
def _operation() -> Any:
    """Make the operation when it is first needed: PyTensor takes long to import."""
    import pytensor.scalar as ps
    from pytensor.scalar.loop import ScalarLoop
    from pytensor.tensor.elemwise import Elemwise

    class LogOdds(ScalarLoop):
        def pullback(
            self, inputs: Sequence[Any], outputs: Sequence[Any], cotangents: Sequence[Any]
        ) -> list[Any]:
            n_steps, start, _, alpha = inputs
            w: Any = outputs[0]
            to_t = cotangents[0] / (1 + (alpha - 1) * ps.sigmoid(w))
            to_alpha: Any = ps.softplus(w) * to_t
            return [n_steps.zeros_like(dtype="float64"), start.zeros_like(), to_t, -to_alpha]

    w, t, alpha = (ps.float64(name) for name in ("w", "t", "alpha"))
    update = _halley_step(w, t, alpha, ps)
    return Elemwise(LogOdds(init=[w], constant=[t, alpha], update=[update], name="LogOdds"))
