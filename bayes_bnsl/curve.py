"""The data: `Curve`, the validated points (x, y) that a scaling law is fitted to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayes_bnsl.cards import card, scatter
from bayes_bnsl.columns import (
    Fault,
    FloatArray,
    checked_columns,
    checked_integer,
    checked_number,
    checked_text,
    counted,
    extent,
    refuse,
)
from bayes_bnsl.errors import DuplicateRowsWarning, warn
from bayes_bnsl.tables import FromTables

__all__ = ["Curve"]

HALF_WITHIN = 0.6745
"""Standard deviations from the mean within which half of a normal distribution lies."""


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Curve(FromTables):
    """Points of a scaling curve: positive, finite, sorted by x, immutable.

    Points that share an x are replicates and stay, in the order given; rows that repeat
    another row in every field carry no information and are dropped with a warning.

    Parameters
    ----------
    x : array_like, shape (n_points,)
        Scale of each point (examples, tokens, compute, parameters), above zero.
    y : array_like, shape (n_points,)
        Performance at each point (loss, error rate, reward), above zero.
    y_se : array_like, shape (n_points,), optional
        Known standard error of each y, in the units of y, zero or more.
    run : sequence of str or of int, shape (n_points,), optional
        Label of the training run that each point is a checkpoint of.
    name, x_name, y_name : str
        What the curve and its axes are called; the axes may hold units.
    ceiling : float, optional
        Set by `from_accuracy`: the reported quantity is ``ceiling - y``.

    Raises
    ------
    TypeError
        If a value is no real number (text, a boolean, a date), a label neither text nor an
        integer, or a name no text.
    ValueError
        If a value is missing, not finite or out of range, or the arguments do not match.

    Warns
    -----
    DuplicateRowsWarning
        If exact duplicates were dropped.

    Examples
    --------
    >>> curve = Curve([1e4, 1e3, 1e5], [2.5, 3.1, 2.2], x_name="tokens", y_name="loss")
    >>> curve
    <Curve 'curve': 3 points, tokens 1000 to 1e+05, loss 2.2 to 3.1>
    >>> curve.x
    array([  1000.,  10000., 100000.])
    """

    x: FloatArray
    y: FloatArray
    y_se: FloatArray | None
    run: NDArray[np.object_] | None
    name: str
    x_name: str
    y_name: str
    ceiling: float | None

    def __init__(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        y_se: ArrayLike | None = None,
        run: Iterable[str | int] | None = None,
        name: str = "curve",
        x_name: str = "x",
        y_name: str = "y",
        ceiling: float | None = None,
    ) -> None:
        texts = {"name": name, "x_name": x_name, "y_name": y_name}
        state: dict[str, Any] = {key: checked_text(text, key) for key, text in texts.items()}
        state["ceiling"] = None if ceiling is None else checked_number(ceiling, "ceiling")
        given: dict[str, Any] = {"x": (x, "positive"), "y": (y, "positive")}
        if y_se is not None:
            given["y_se"] = (y_se, "non-negative")
        if run is not None:
            given["run"] = (run, "labels")
        columns = checked_columns(given)
        rows = list(zip(*columns.values(), strict=True))
        # A dict keeps its keys in the order of their first appearance.
        kept = np.array(list({row: number for number, row in enumerate(rows)}.values()))
        if len(kept) < len(rows):
            warn(
                f"Dropped {len(rows) - len(kept)} of {len(rows)} rows of the curve {name!r}: "
                f"each repeats another row in all of {', '.join(columns)}. If they are replicates "
                "that agree by chance, tell them apart with run=.",
                DuplicateRowsWarning,
            )
        order = kept[np.argsort(columns["x"][kept], kind="stable")]
        state |= {"y_se": None, "run": None} | {key: v[order] for key, v in columns.items()}
        self.__setstate__(state)

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        # Also called by pickle and copy, which would hand back writeable arrays.
        for field, value in state.items():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
            object.__setattr__(self, field, value)

    @classmethod
    def from_accuracy(
        cls,
        x: ArrayLike,
        accuracy: ArrayLike,
        *,
        ceiling: float = 1.0,
        y_name: str = "error",
        **others: Any,
    ) -> Curve:
        """Model what an accuracy lacks: ``y = ceiling - accuracy``.

        Parameters
        ----------
        x : array_like, shape (n_points,)
            Scale of each point.
        accuracy : array_like, shape (n_points,)
            A performance that grows towards the ceiling and stays below it.
        ceiling : float, default 1.0
            The best there can be, in the units of `accuracy`; 100 for percentages.
        y_name : str, default "error"
            What the error that is modelled is called.
        **others
            Passed to `Curve`: `name`, `x_name`, `run`, and `y_se`, which is the same for both.

        Returns
        -------
        Curve
            The errors, with `ceiling` set, so that `to_reported` leads back.

        Raises
        ------
        TypeError, ValueError
            If an accuracy is not below the ceiling, or as for `Curve`.

        Examples
        --------
        >>> curve = Curve.from_accuracy([10, 100], [0.5, 0.75])
        >>> curve.y, curve.to_reported(curve.y)
        (array([0.5 , 0.25]), array([0.5 , 0.75]))
        """
        ceiling = checked_number(ceiling, "ceiling")
        given: dict[str, Any] = {"x": (x, "positive"), "accuracy": (accuracy, "finite")}
        reported = checked_columns(given)["accuracy"]
        mend = "Pass the best value there can be as ceiling, such as ceiling=100 for percentages"
        fault = Fault(reported >= ceiling, "not", mend)
        refuse([fault], "accuracy", f"numbers below ceiling={ceiling:g}", reported)
        return cls(x, ceiling - reported, ceiling=ceiling, y_name=y_name, **others)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def n_points(self) -> int:
        """Number of points, replicates included."""
        return len(self)

    @property
    def log_x(self) -> FloatArray:
        """Natural logarithm of x, shape (n_points,)."""
        return np.log(self.x)

    @property
    def log_y(self) -> FloatArray:
        """Natural logarithm of y, shape (n_points,)."""
        return np.log(self.y)

    @property
    def runs(self) -> tuple[str | int, ...]:
        """The distinct run labels in order of first appearance; empty if there are none."""
        return () if self.run is None else tuple(dict.fromkeys(self.run))

    @property
    def run_index(self) -> NDArray[np.int64] | None:
        """Position in `runs` of each point's label, shape (n_points,), if there are labels."""
        codes = {label: code for code, label in enumerate(self.runs)}
        return None if self.run is None else np.array([codes[label] for label in self.run])

    @property
    def falls(self) -> bool:
        """Whether y is no higher at the last point than at the first."""
        return bool(self.y[-1] <= self.y[0])

    @property
    def steps(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numbers of points, and of those that follow them in their runs."""
        index = self.run_index
        run = np.zeros(len(self), dtype=int) if index is None else index
        order = np.argsort(run, kind="stable")
        pairs = np.flatnonzero(np.diff(run[order]) == 0)
        return order[pairs], order[pairs + 1]

    @property
    def scatter(self) -> float:
        """Estimate of the standard deviation of log y about a smooth curve, whatever its law.

        From the median distance of a point from the line through its neighbours (Gasser, Sroka,
        Jennen-Steinmetz, "Residual variance and residual pattern in nonlinear regression",
        Biometrika 73, 1986); 0 for fewer than three points.
        """
        if len(self) < 3:
            return 0.0
        log_x, log_y = self.log_x, self.log_y
        apart = log_x[2:] - log_x[:-2]
        share = np.divide(
            log_x[1:-1] - log_x[:-2], apart, np.full_like(apart, 0.5), where=apart > 0
        )
        distance = (1 - share) * log_y[:-2] + share * log_y[2:] - log_y[1:-1]
        distance /= np.sqrt(1 + (1 - share) ** 2 + share**2)
        return float(np.median(np.abs(distance)) / HALF_WITHIN)

    def split(self, *, x: float | None = None, n: int | None = None) -> tuple[Curve, Curve]:
        """Cut the curve in two: what is seen, and what comes later.

        Parameters
        ----------
        x : float, optional
            Points up to and including this x are seen.
        n : int, optional
            The first `n` points, by x, are seen. Give either `x` or `n`.

        Returns
        -------
        seen, later : Curve
            Both hold at least one point and keep the names and the ceiling.

        Raises
        ------
        TypeError, ValueError
            If neither or both are given, `x` is no number or `n` no integer, or a side is empty.

        Examples
        --------
        >>> seen, later = Curve([1, 2, 4, 8], [4.0, 3.0, 2.5, 2.2]).split(x=2)
        >>> seen.x, later.x
        (array([1., 2.]), array([4., 8.]))
        """
        if (x is None) == (n is None):
            came = "neither" if x is None else "both"
            raise ValueError(f"split needs either x= or n=, but {came} came.")
        if n is None:
            value = checked_number(x, "x")
            n_seen, asked = int(np.searchsorted(self.x, value, side="right")), f"x={value:g}"
        else:
            n_seen, asked = checked_integer(n, "n"), f"n={n}"
        if not 0 < n_seen < len(self):
            raise ValueError(
                f"split({asked}) leaves no point {'seen' if n_seen <= 0 else 'for later'}: the "
                f"curve has {counted(len(self), 'point')} and {self.x_name} from {self.x[0]:g} to "
                f"{self.x[-1]:g}. Cut inside that range."
            )
        return self.take(slice(n_seen)), self.take(slice(n_seen, None))

    def take(self, rows: Any) -> Curve:
        """Return a curve of some of the points, with the names and the ceiling.

        Parameters
        ----------
        rows : slice, array of int or array of bool
            Which points, counted from zero in the order of x.

        Returns
        -------
        Curve
            Those points.

        Examples
        --------
        >>> Curve([1, 2, 4], [4.0, 3.0, 2.5]).take([0, 2]).x
        array([1., 4.])
        """
        columns = {field: v for field, v in vars(self).items() if isinstance(v, np.ndarray)}
        taken: dict[str, Any] = {field: column[rows] for field, column in columns.items()}
        return replace(self, **taken)

    def to_reported(self, y: Any) -> Any:
        """Map modelled values back to what was reported.

        Parameters
        ----------
        y : float or array
            Values on the scale of `Curve.y`; labelled arrays keep their labels.

        Returns
        -------
        float or array
            ``ceiling - y`` for a curve made by `from_accuracy`, otherwise `y`.

        Examples
        --------
        >>> Curve.from_accuracy([10, 100], [40.0, 60.0], ceiling=100).to_reported(25.0)
        75.0
        """
        return y if self.ceiling is None else self.ceiling - y

    @property
    def reported_name(self) -> str:
        """What `to_reported` leads back to is called, such as ``100 - error``.

        For a curve that was not made by `from_accuracy` it is `y_name`.

        Examples
        --------
        >>> Curve.from_accuracy([10, 100], [0.5, 0.75]).reported_name
        '1 - error'
        """
        return self.y_name if self.ceiling is None else f"{self.ceiling:g} - {self.y_name}"

    def _content(self) -> tuple[Any, ...]:
        values = (getattr(self, field.name) for field in fields(self))
        return tuple(tuple(v) if isinstance(v, np.ndarray) else v for v in values)

    def __eq__(self, other: object) -> bool:
        return self._content() == other._content() if isinstance(other, Curve) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._content())

    def _facts(self) -> list[str]:
        n_replicates = len(self) - len(np.unique(self.x))
        facts = {
            counted(len(self), "point"): True,
            f"{self.x_name} {extent(self.x)}": True,
            f"{self.y_name} {extent(self.y)}": True,
            counted(n_replicates, "replicate"): n_replicates,
            counted(len(self.runs), "run"): self.runs,
            "known standard errors": self.y_se is not None,
            f"reported as {self.reported_name}": self.ceiling is not None,
        }
        return [fact for fact, holds in facts.items() if holds]

    def __repr__(self) -> str:
        return f"<Curve {self.name!r}: {', '.join(self._facts())}>"

    def _repr_html_(self) -> str:
        picture = scatter(self.log_x, self.log_y, caption="the points on logarithmic axes")
        return card(self.name, [(fact,) for fact in self._facts()], picture)
