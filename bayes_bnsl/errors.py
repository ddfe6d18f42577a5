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
    "name_rows",
    "warn",
]


class BayesBnslWarning(UserWarning):
    """Base of every warning that the package gives."""


class DuplicateRowsWarning(BayesBnslWarning):
    """Rows that repeat another row in every field were dropped from a curve."""


class NotConvergedWarning(BayesBnslWarning):
    """The draws of a fit do not meet the bar; the message is the status of the fit."""


class FailedFitsWarning(BayesBnslWarning):
    """Fits of a batch raised errors, which its table holds."""


def warn(message: str, category: type[BayesBnslWarning]) -> None:
    """Warn at the line of the user that led here, whatever calls lie between.

    Parameters
    ----------
    message : str
        What happened, what it means and what to do.
    category : type
        The warning's class.
    """
    inside = f"{Path(__file__).parent}{os.sep}"
    warnings.warn(message, category, skip_file_prefixes=(inside,))


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
