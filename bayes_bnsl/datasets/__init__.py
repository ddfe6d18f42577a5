"""Curves to learn on and to measure with: bundled ones, and the public benchmark."""

from __future__ import annotations

from bayes_bnsl.datasets.benchmark import BenchmarkCurve, read_benchmark
from bayes_bnsl.datasets.bundled import curve_names, load_curve
from bayes_bnsl.datasets.download import fetch_benchmark
from bayes_bnsl.datasets.simulation import simulate

__all__ = [
    "BenchmarkCurve",
    "curve_names",
    "fetch_benchmark",
    "load_curve",
    "read_benchmark",
    "simulate",
]
