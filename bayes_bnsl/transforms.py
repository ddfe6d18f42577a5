"""The coordinates in which the sampler sees variables.

Each is a change of coordinates: prior, posterior and draws from either are untouched.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform

from bayes_bnsl import defaults
from bayes_bnsl.priors import Scale

__all__ = [
    "Magnified",
    "Recentred",
    "Softened",
    "Standardized",
    "Stretched",
    "end_width",
    "residual_level",
]

RESOLVED = 0.05
"""Share of the log range: of two breaks that are nearer to each other the sampler sees the log of
their distance."""


def residual_level(mean_square: Any, scale: Scale) -> Any:
    """Return about where ``z_sigma`` lies, given the mean square of the residuals."""
    size = pt.sqrt(mean_square + defaults.least_scatter(scale) ** 2)
    return pt.log(size / (defaults.NOISE_SHARE * scale.spread))


def end_width(tau: Any, sigma: Any, scale: Scale) -> Any:
    """Return about how uncertain points that stray together leave an end, at most 1: its prior."""
    square = (tau**2 + 0.25 * sigma**2) / scale.spread**2
    return pt.sqrt(square / (1 + square))


class Recentred(Transform):
    """What the sampler sees in place of a variable: its distance from where the data have it.

    With few points sigma may be small, and then the law must lie narrowly along the points: a
    funnel, in which transitions diverge. Given the law, sigma follows the size of the residuals,
    so the distance from that hardly depends on the law, and the funnel is gone. Just so, a slope
    is known once limit and level are, for the curve must meet its first points. This is a shift:
    the prior, the posterior and draws from either are untouched.
    """

    name = "recentred"

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Return the distance from the level."""
        return value - _level(inputs)

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Return the variable."""
        return value + _level(inputs)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Return 0: a shift leaves volumes alone."""
        return pt.zeros_like(value)


class Stretched(Transform):
    """What the sampler sees in place of an end of the curve: its distance from the points there.

    With `Correlated` noise points fix the curve as narrowly as they stray together from it, and
    that may be little or much: a funnel. In units of how far they stray it is gone.
    """

    name = "stretched"

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Return the variable in units of the level."""
        return value / _level(inputs)

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Return the variable."""
        return value * _level(inputs)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Return the log of the level."""
        return pt.log(_level(inputs)) + pt.zeros_like(value)


class Magnified(Transform):
    """What the sampler sees in place of the change at a break: how far that bends the curve.

    A change within the data is known as narrowly as points show a bend, that at a break beyond
    them may be anything: for breaks that are not needed, a funnel from the one to the other. The
    sampler sees ``m sinh(z)``, where ``m**2 - 1`` is the square of the bend that a change of 1
    makes, in standard errors of the points. So it sees a width of about 1 everywhere.
    """

    name = "magnified"

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Return the bends, or where there are none the changes themselves."""
        return _of_breaks(lambda z, bend: pt.sqrt(1 + bend**2) * pt.sinh(z), value, inputs)

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Return the changes."""
        return _of_breaks(lambda w, bend: pt.arcsinh(w / pt.sqrt(1 + bend**2)), value, inputs)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Return the log derivative of each change."""
        return _of_breaks(lambda w, bend: -0.5 * pt.log(1 + bend**2 + w**2), value, inputs)


class Softened(Transform):
    """What the sampler sees in place of the spacing before a break: itself, not its log.

    The place of a break is the sum of the spacings before it. Where points know the place, the logs
    of these spacings lie on a thin bent sheet, the spacings themselves on a flat one. The sampler
    sees v, and the spacing is ``expm1(r softplus(v))`` of the log range: it grows in proportion to
    v from r, which is `RESOLVED`, to about 1.
    """

    name = "softened"

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Return v."""

        def seen(z: Any, level: Any) -> Any:
            softplus = pt.log1p(pt.exp(level + defaults.SPACING_SD * z)) / RESOLVED
            return softplus + pt.log(-pt.expm1(-softplus))

        return _of_breaks(seen, value, inputs)

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Return the coordinates of the spacings."""

        def coordinate(v: Any, level: Any) -> Any:
            return (pt.log(pt.expm1(RESOLVED * pt.softplus(v))) - level) / defaults.SPACING_SD

        return _of_breaks(coordinate, value, inputs)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Return the log derivative of each coordinate."""

        def log_derivative(v: Any, _: Any) -> Any:
            softplus = pt.softplus(v)
            log_grown = RESOLVED * softplus  # log(1 + spacing)
            in_log = log_grown + v - softplus - pt.log(pt.expm1(log_grown))
            return in_log + np.log(RESOLVED / defaults.SPACING_SD)

        return _of_breaks(log_derivative, value, inputs)


class Standardized(Transform):
    """What the sampler sees in place of a normal variable: its distance from the mean, in sd.

    Few points say little of a curve of a family, so that its coordinates lie where the family has
    them. If that is a narrow place, so are they: a funnel, which this opens.
    """

    name = "standardized"

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Return the standardized variable."""
        *_, mean, sd = inputs
        return (value - mean) / sd

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Return the variable."""
        *_, mean, sd = inputs
        return mean + sd * value

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Return the log of the standard deviation, once for each entry."""
        *_, sd = inputs
        return pt.log(sd) + pt.zeros_like(value)


def _of_breaks(function: Any, value: Any, inputs: Any) -> Any:
    """Apply a function to each break by itself: compiled code is better off with scalars."""
    levels = _level(inputs)
    return pt.stack([function(value[i], levels[i]) for i in range(levels.type.shape[0])])


def _level(inputs: Any) -> Any:
    """Return the last parameter of a variable, after its size and before its generator."""
    return inputs[-2]
