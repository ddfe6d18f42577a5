"""Mixtures of Gaussians, against those of SciPy and of scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import kstest, multivariate_normal, norm
from sklearn.mixture import GaussianMixture

from bayes_bnsl.gaussians import Gaussians


def some_mixture(k=3, dimensions=4, seed=1):
    generator = np.random.default_rng(seed)
    factors = generator.standard_normal((k, dimensions, dimensions))
    covariances = factors @ factors.transpose(0, 2, 1) + 0.01 * np.eye(dimensions)
    means = 5 * generator.standard_normal((k, dimensions))
    return Gaussians(generator.dirichlet(np.ones(k)), means, covariances)


def log_density(mixture, z):
    """By SciPy, component by component."""
    parts = zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
    return logsumexp([np.log(w) + multivariate_normal(m, c).logpdf(z) for w, m, c in parts], axis=0)


def banana(n, seed):
    """Draws of a bent ridge, its coordinates with mean 0 and standard deviation 1."""
    generator = np.random.default_rng(seed)
    first = generator.standard_normal(n)
    second = (first**2 - 1) / np.sqrt(2)
    return np.column_stack([first, second + 0.1 * generator.standard_normal(n)])


def test_the_density_is_that_of_its_components():
    mixture = some_mixture()
    z = 5 * np.random.default_rng(2).standard_normal((2500, 4))
    np.testing.assert_allclose(mixture.log_density(z), log_density(mixture, z), rtol=1e-9)


def test_a_narrow_component_keeps_its_digits():
    """Far from the origin products of coordinates would cancel: a posterior without noise."""
    mixture = Gaussians(np.ones(1), np.full((1, 3), 8.0), 1e-16 * np.eye(3)[None])
    z = 8 + 3e-8 * np.random.default_rng(3).standard_normal((100, 3))
    np.testing.assert_allclose(mixture.log_density(z), log_density(mixture, z), atol=1e-6)


def test_draws_have_the_density_in_no_order():
    mixture = Gaussians(
        np.array([0.3, 0.7]), np.array([[-5.0], [5.0]]), np.array([[[1.0]], [[4.0]]])
    )
    z = mixture.draw(4000, np.random.default_rng(4))[:, 0]
    left = z < 0
    assert left.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 4000))
    assert kstest(z[left], norm(-5, 1).cdf).pvalue > 0.01
    assert left[:2000].mean() == pytest.approx(left[2000:].mean(), abs=0.07)


def test_a_fit_finds_separate_hills():
    true = Gaussians(
        np.array([0.25, 0.75]), np.array([[-2.0, 0.0], [1.0, 0.5]]), np.array([np.eye(2)] * 2) / 25
    )
    draws = true.draw(30, np.random.default_rng(5))  # enough for two components, 15 draws a hill
    draws = np.vstack([draws, true.draw(10, np.random.default_rng(6))])
    mixture = Gaussians.fitted(draws, np.random.default_rng(7))
    assert len(mixture.weights) == 2
    order = np.argsort(mixture.means[:, 0])
    np.testing.assert_allclose(mixture.means[order], true.means, atol=0.3)
    np.testing.assert_allclose(mixture.weights[order], true.weights, atol=0.2)


def test_it_describes_new_draws_as_well_as_that_of_scikit_learn():
    draws, others = banana(2000, 8), banana(2000, 9)
    mine = Gaussians.fitted(draws, np.random.default_rng(10))
    k = len(mine.weights)
    theirs = GaussianMixture(k, reg_covar=1e-4, tol=1e-2, random_state=1).fit(draws)
    assert mine.log_density(others).mean() > theirs.score(others) - 0.03
    one = Gaussians(np.ones(1), others.mean(axis=0)[None], np.cov(others.T)[None])
    assert mine.log_density(others).mean() > one.log_density(others).mean() + 0.5


def test_the_more_draws_the_more_components():
    generator = np.random.default_rng(11)
    counts = [
        len(Gaussians.fitted(generator.standard_normal((n, 3)), generator).weights)
        for n in (4, 59, 60, 100_000)
    ]
    assert counts == [1, 1, 2, 12]


def test_repetition_changes_nothing():
    draws = banana(5000, 12)
    one, two = (Gaussians.fitted(draws, np.random.default_rng(13)) for _ in range(2))
    np.testing.assert_array_equal(one.covariances, two.covariances)
    np.testing.assert_array_equal(one.log_density(draws), two.log_density(draws))


@pytest.mark.parametrize("places", [1, 5])
def test_draws_that_repeat_leave_a_density(places):
    """Chains that hardly moved: fewer places than components."""
    draws = np.tile(banana(places, 14), (2000 // places, 1))
    mixture = Gaussians.fitted(draws, np.random.default_rng(15))
    assert np.isfinite(mixture.log_density(draws)).all()
    assert np.isfinite(mixture.draw(100, np.random.default_rng(16))).all()
