"""The public names, by the room that holds each."""

from .calibration import calibrate as calibrate
from .calibration import draw_curve as draw_curve
from .calibration import rank_truth as rank_truth
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
from .laws import BNSL as BNSL
from .laws import M1 as M1
from .laws import M2 as M2
from .laws import M3 as M3
from .laws import M4 as M4
from .laws import Custom as Custom
from .model import build_model as build_model
from .naive import naive_forecasts as naive_forecasts
from .noise import Correlated as Correlated
from .noise import LogNormal as LogNormal
from .noise import StudentT as StudentT
from .plots import plot_forecast as plot_forecast
from .plots import plot_posterior as plot_posterior
from .plots import plot_segments as plot_segments
from .plots_calibration import plot_calibration as plot_calibration
from .priors import Prior as Prior
from .priors import Scale as Scale
from .result import Fit as Fit
from .result import load_fit as load_fit
from .sampling import fit as fit
from .scores import LogError as LogError
from .scores import coverage as coverage
from .scores import crps as crps
from .scores import msce as msce
from .scores import pit as pit
from .scores import rmsle as rmsle
from .scores import score as score
from .status import Status as Status
from .uniformity import Calibration as Calibration

__version__: str
