"""Published curves that come with the package.

Each is ``data/NAME.csv``, whose two headers name the axes, beside ``data/NAME.md``, which says
where the numbers come from.
"""

from __future__ import annotations

from importlib import resources

from bayes_bnsl.curve import Curve
from bayes_bnsl.errors import did_you_mean
from bayes_bnsl.tables import CsvTable

__all__ = ["curve_names", "load_curve"]


def curve_names() -> list[str]:
    """List the curves that `load_curve` knows.

    Returns
    -------
    list of str
        Their names, in alphabetical order.

    Examples
    --------
    >>> curve_names()
    ['four_digit_addition']
    """
    files = (resources.files(__package__) / "data").iterdir()
    return sorted(file.name.removesuffix(".csv") for file in files if file.name.endswith(".csv"))


def load_curve(name: str) -> Curve:
    """Load a published curve that comes with the package.

    Parameters
    ----------
    name : {"four_digit_addition"}
        ``"four_digit_addition"`` is the test cross-entropy of adding numbers of four digits
        against the number of training examples: 17 points with one sharp break, of which its
        authors fit the first 14 (``curve.split(x=736)``).

    Returns
    -------
    Curve
        The points, with named axes.

    Raises
    ------
    ValueError
        If there is no such curve.

    References
    ----------
    Caballero, Gupta, Rish, Krueger, "Broken Neural Scaling Laws", ICLR 2023: figure 4, left.

    Examples
    --------
    >>> seen, later = load_curve("four_digit_addition").split(x=736)
    >>> len(seen), len(later)
    (14, 3)
    """
    if name not in curve_names():
        raise ValueError(f"name={name!r} is no bundled curve. {did_you_mean(name, curve_names())}")
    with resources.as_file(resources.files(__package__) / "data" / f"{name}.csv") as path:
        x_name, y_name = CsvTable.read(path).columns
        return Curve.from_csv(path, x=x_name, y=y_name, name=name)
