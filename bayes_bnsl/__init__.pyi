"""The public names, by the room that holds each."""

from .curve import Curve as Curve
from .datasets import BenchmarkCurve as BenchmarkCurve
from .datasets import load_curve as load_curve
from .datasets import read_benchmark as read_benchmark
from .errors import BayesBnslWarning as BayesBnslWarning
from .laws import BNSL as BNSL
from .laws import M1 as M1
from .laws import M2 as M2
from .laws import M3 as M3
from .laws import M4 as M4
from .laws import Custom as Custom
from .model import build_model as build_model
from .noise import LogNormal as LogNormal
from .priors import Prior as Prior
from .result import Fit as Fit
from .result import load_fit as load_fit
from .sampling import fit as fit
from .status import Status as Status

__version__: str
