"""The public names, by the room that holds each."""

from .curve import Curve as Curve
from .datasets import BenchmarkCurve as BenchmarkCurve
from .datasets import load_curve as load_curve
from .datasets import read_benchmark as read_benchmark
from .errors import BayesBnslWarning as BayesBnslWarning

__version__: str
