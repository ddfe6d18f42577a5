"""Curves that come with the package: a published one, and ones measured with it.

Each is ``data/NAME.csv``, whose first two headers name the axes and whose third column, where there
is one, holds standard errors; beside it ``data/NAME.md`` says where the numbers come from.
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
    >>> "four_digit_addition" in curve_names()
    True
    """
    files = (resources.files(__package__) / "data").iterdir()
    return sorted(file.name.removesuffix(".csv") for file in files if file.name.endswith(".csv"))


def load_curve(name: str) -> Curve:
    """Load a curve that comes with the package.

    Parameters
    ----------
    name : str
        ``"four_digit_addition"`` is a published curve: the test cross-entropy of adding numbers of
        four digits against the number of training examples, 17 points with one sharp break, of
        which its authors fit the first 14 (``curve.split(x=736)``). The others were measured by
        the scripts in ``examples/measured/``; points that are means of replicates carry their
        standard errors. They are ``"random_features_data_resolution"``,
        ``"random_features_width_resolution"``, ``"random_features_data_variance"`` and
        ``"random_features_width_variance"`` (the four regimes of scaling, with known exponents);
        ``"double_descent_samples"`` and ``"double_descent_width"``; ``"digits_linear_error"``,
        ``"digits_linear_loss"``, ``"digits_network_error"`` and ``"digits_network_loss"``
        (images of digits); ``"modular_addition_pairs"`` and ``"modular_addition_steps"`` (a late,
        sharp transition); ``"online_student"`` (checkpoints of one long run).

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
    >>> load_curve("random_features_data_resolution")
    <Curve 'random_features_data_resolution': 13 points, training samples 16 to 1024, test loss ...
    known standard errors>
    """
    if name not in curve_names():
        raise ValueError(f"name={name!r} is no bundled curve. {did_you_mean(name, curve_names())}")
    with resources.as_file(resources.files(__package__) / "data" / f"{name}.csv") as path:
        x_name, y_name, *errors = CsvTable.read(path).columns
        y_se = errors[0] if errors else None
        return Curve.from_csv(path, x=x_name, y=y_name, y_se=y_se, name=name)
