"""Bayesian broken neural scaling laws.

Fit scaling laws to the points of a few training runs, learn how many breaks the data
support, and extrapolate with credible intervals::

    import bayes_bnsl as bb

    curve = bb.load_curve("four_digit_addition")

The stub ``__init__.pyi`` beside this file lists every public name. A name is imported when
it is first used, so that importing the package costs next to nothing.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
