"""The public names, by the room that holds each."""

from .checks import Checks as Checks
from .checks import check as check
from .comparison import Comparison as Comparison
from .curve import Curve as Curve
from .datasets import BenchmarkCurve as BenchmarkCurve
from .datasets import load_curve as load_curve
from .datasets import read_benchmark as read_benchmark
from .datasets import simulate as simulate
from .errors import BayesBnslWarning as BayesBnslWarning
from .errors import DuplicateRowsWarning as DuplicateRowsWarning
from .errors import NotConvergedWarning as NotConvergedWarning
from .forecasting import forecast as forecast
from .forecasting import interval as interval
from .forecasting import log_score as log_score
from .future import leave_future_out as leave_future_out
from .laws import BNSL as BNSL
from .laws import M1 as M1
from .laws import M2 as M2
from .laws import M3 as M3
from .laws import M4 as M4
from .laws import Custom as Custom
from .loo import leave_one_out as leave_one_out
from .model import build_model as build_model
from .noise import Correlated as Correlated
from .noise import LogNormal as LogNormal
from .noise import StudentT as StudentT
from .plots import plot_forecast as plot_forecast
from .plots import plot_posterior as plot_posterior
from .plots import plot_segments as plot_segments
from .plots_selection import plot_breaks as plot_breaks
from .plots_selection import plot_compare as plot_compare
from .plots_selection import plot_khat as plot_khat
from .plots_selection import plot_loo_pit as plot_loo_pit
from .priors import Prior as Prior
from .priors import Scale as Scale
from .result import Fit as Fit
from .result import load_fit as load_fit
from .sampling import fit as fit
from .selection import compare as compare
from .sensitivity import Sensitivity as Sensitivity
from .sensitivity import sensitivity as sensitivity
from .status import Status as Status

__version__: str
