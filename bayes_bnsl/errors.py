"""What the package says to the person who meets it: warnings, and words for messages."""

from __future__ import annotations

import difflib
import os
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = [
    "BayesBnslWarning",
    "DuplicateRowsWarning",
    "FailedFitsWarning",
    "NotConvergedWarning",
    "did_you_mean",
    "more_about",
    "name_rows",
    "warn",
]

FAQ = "docs/faq.md#"
"""The page with a section for every status and every warning."""


class BayesBnslWarning(UserWarning):
    """Base of every warning that the package gives.

    Examples
    --------
    >>> issubclass(NotConvergedWarning, BayesBnslWarning)
    True
    """


class DuplicateRowsWarning(BayesBnslWarning):
    """Rows that repeat another row in every field were dropped from a curve.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", bb.DuplicateRowsWarning)  # the log was read twice
    ...     curve = bb.Curve([10, 20, 10, 20], [3.0, 2.0, 3.0, 2.0])
    >>> len(curve)
    2
    """


class NotConvergedWarning(BayesBnslWarning):
    """The draws of a fit do not meet the bar; the message is the status of the fit.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> import numpy as np
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", bb.NotConvergedWarning)
    ...     fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, draws=25, max_gradients=1, seed=1)
    >>> fit.status.ok
    False
    """


class FailedFitsWarning(BayesBnslWarning):
    """Fits of a batch raised errors, which its table holds.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", bb.FailedFitsWarning)
    ...     batch = bb.fit_many([bb.Curve([10], [3.0])], bb.M1(), progress=False)
    >>> batch.table["error"].item()
    "ValueError: The curve 'curve' has one x only, 10: no law can be fitted. ..."
    """


def warn(message: str, category: type[BayesBnslWarning]) -> None:
    """Warn at the line of the user that led here, whatever calls lie between.

    Parameters
    ----------
    message : str
        What happened, what it means and what to do.
    category : type
        The warning's class.
    """
    if FAQ not in message:  # that of a fit carries what its status says
        message = f"{message} {more_about(category.__name__.lower())}"
    inside = f"{Path(__file__).parent}{os.sep}"
    warnings.warn(message, category, skip_file_prefixes=(inside,))


def more_about(name: str) -> str:
    """Say where the documentation explains a status or a warning.

    Parameters
    ----------
    name : str
        The stable name, as the heading of its section has it.

    Returns
    -------
    str
        One sentence that ends a message.

    Examples
    --------
    >>> more_about("few_draws")
    'More: docs/faq.md#few_draws.'
    """
    return f"More: {FAQ}{name}."


def did_you_mean(word: object, choices: Iterable[object]) -> str:
    """List the choices there are, the nearest one first if there is one.

    Parameters
    ----------
    word : object
        What was asked for.
    choices : iterable of object
        What could have been asked for.

    Returns
    -------
    str
        One or two sentences that end an error message.

    Examples
    --------
    >>> did_you_mean("los", ["tokens", "loss"])
    "Did you mean 'loss'? There are: 'tokens', 'loss'."
    """
    by_text = {str(choice): choice for choice in choices}
    nearest = difflib.get_close_matches(str(word), by_text, n=1)
    guess = f"Did you mean {by_text[nearest[0]]!r}? " if nearest else ""
    return f"{guess}There are: {', '.join(map(repr, by_text.values())) or 'none'}."


def name_rows(rows: Sequence[int], *, shown: int = 5) -> str:
    """Name row numbers, the first few of them in full.

    Parameters
    ----------
    rows : sequence of int
        Row numbers, counted from zero in the order given by the user.
    shown : int, default 5
        How many to write out.

    Returns
    -------
    str
        For example ``"row 3"`` or ``"rows 0, 2 and 7 more"``.

    Examples
    --------
    >>> name_rows([4]), name_rows([0, 2, 4], shown=2)
    ('row 4', 'rows 0, 2 and 1 more')
    """
    listed = ", ".join(str(row) for row in rows[:shown])
    more = f" and {len(rows) - shown} more" if len(rows) > shown else ""
    return f"row{'s' if len(rows) > 1 else ''} {listed}{more}"
