"""Test loss of random-feature regression: the four regimes of scaling, and double descent.

The setting is that of Bahri et al., "Explaining neural scaling laws", PNAS 2024: a teacher that is
linear in Gaussian features F_i with variances ``i**-(1 + ALPHA)``, and a student that is linear in
random mixtures of them, fitted by least squares of smallest norm. With Gaussian features the test
loss is a sum over features, so that it is computed, not estimated from test points.

Run ``python examples/measured/random_features.py``: about five minutes on one core.
"""

import numpy as np
from bundling import folder_argument, write_curve

ALPHA = 0.5  # of the spectrum; so the resolution-limited loss falls with x**-0.5
REPLICATES = 24
MANY = 96  # where a small difference to a limit is to be seen
AT_A_PEAK = 60
N_FEATURES = 16384  # of infinitely many that the resolution-limited regimes draw one by one
N_SMALL = 1024  # of all features there are, in the other regimes
N_PEAK = 512  # of all features in double descent
FEW = 32  # width, or samples, where the other grows
SIGMA = 0.5  # of the label noise in double descent
RIDGE = 1e-3  # keeps the peak of double descent finite, and its mean over replicates


def half_octaves(first, last):
    """Return whole numbers from the first to the last, two for each factor of two."""
    count = round(2 * np.log2(last / first)) + 1
    return np.round(np.geomspace(first, last, count)).astype(int)


def spectrum(count):
    """Return the variances of the first features."""
    return np.arange(1, count + 1) ** -(1 + ALPHA)


def rest():
    """Return what the variances of all features beyond N_FEATURES sum to.

    By Euler and Maclaurin. So many and so small, they act on a few samples as one noise of that
    variance: in the kernel as its diagonal, in the teacher as scatter.
    """
    return N_FEATURES**-ALPHA / ALPHA - 0.5 * N_FEATURES ** -(1 + ALPHA)


def draw(generator, rows, variances):
    """Return Gaussian features, shape (rows, features)."""
    return generator.standard_normal((rows, len(variances))) * np.sqrt(variances)


def infinite_width(samples, generator):
    """Return the loss of infinitely many random features that pass through some samples."""
    variances = spectrum(N_FEATURES)
    teacher = generator.standard_normal(N_FEATURES)
    features = draw(generator, samples, variances)
    y = features @ teacher + np.sqrt(rest()) * generator.standard_normal(samples)
    kernel = features @ features.T + rest() * np.eye(samples)
    student = features.T @ np.linalg.solve(kernel, y)
    return variances @ (teacher - student) ** 2 + rest()


def infinite_data(width, generator):
    """Return the loss of some random features that know the teacher everywhere."""
    variances = spectrum(N_FEATURES)
    teacher = generator.standard_normal(N_FEATURES) * np.sqrt(variances)
    mixtures = draw(generator, width, variances)
    products = mixtures @ teacher
    overlap = mixtures @ mixtures.T + rest() * np.eye(width)
    return teacher @ teacher - products @ np.linalg.solve(overlap, products) + rest()


class Fixed:
    """What stays the same where only samples, or only the width, grow."""

    def __init__(self):
        generator = np.random.default_rng(0)
        self.variances = spectrum(N_SMALL)
        self.teacher = generator.standard_normal(N_SMALL)
        self.mixture = generator.standard_normal((FEW, N_SMALL))
        self.samples = draw(generator, FEW, self.variances)

    def loss(self, student):
        """Return the test loss of a student, given as weights of the features."""
        return self.variances @ (self.teacher - student) ** 2

    def limit_of_data(self):
        """Return the loss of the fixed width at infinitely many samples.

        The mean loss at n samples is exactly ``(n - 1) / (n - FEW - 1)`` times as large.
        """
        covariance = (self.mixture * self.variances) @ self.mixture.T
        products = (self.mixture * self.variances) @ self.teacher
        return self.loss(self.mixture.T @ np.linalg.solve(covariance, products))

    def limit_of_width(self):
        """Return the loss of infinitely many random features at the fixed samples.

        The mean loss of n random features is larger by exactly a constant over ``n - FEW - 1``.
        """
        y = self.samples @ self.teacher
        return self.loss(self.samples.T @ np.linalg.solve(self.samples @ self.samples.T, y))

    def more_data(self, samples, generator):
        """Return the loss of the fixed width after some samples."""
        features = draw(generator, samples, self.variances)
        weights, *_ = np.linalg.lstsq(features @ self.mixture.T, features @ self.teacher)
        return self.loss(self.mixture.T @ weights)

    def more_width(self, width, generator):
        """Return the loss of some random features at the fixed samples."""
        mixture = generator.standard_normal((width, N_SMALL))
        mixed = self.samples @ mixture.T
        weights = mixed.T @ np.linalg.solve(mixed @ mixed.T, self.samples @ self.teacher)
        return self.loss(mixture.T @ weights)


def double_descent(samples, width, generator):
    """Return the test loss, label noise included, of random features fitted to noisy labels."""
    variances = spectrum(N_PEAK)
    teacher = generator.standard_normal(len(variances))
    mixture = generator.standard_normal((width, len(variances))) / np.sqrt(width)
    features = draw(generator, samples, variances)
    y = features @ teacher + SIGMA * generator.standard_normal(samples)
    mixed = features @ mixture.T
    weights = mixed.T @ np.linalg.solve(mixed @ mixed.T + RIDGE * np.eye(samples), y)
    return variances @ (teacher - mixture.T @ weights) ** 2 + SIGMA**2


def measure(x, loss, replicates):
    """Return the replicates at each x; each has a generator of its own."""
    return [
        [loss(at, np.random.default_rng([int(at), number])) for number in range(replicates)]
        for at in x
    ]


FIXED = Fixed()
SETTING = (
    "Random-feature regression with a teacher from the same family, whose features have variances "
    f"i^-{1 + ALPHA:g}: "
)
CURVES = {
    "random_features_data_resolution": (
        "infinitely many features, against the number of samples. Resolution-limited: theory gives "
        f"the exponent {ALPHA:g} and the limit 0.",
        "training samples",
        half_octaves(16, 1024),
        infinite_width,
        REPLICATES,
    ),
    "random_features_width_resolution": (
        "infinitely many samples, against the number of random features. Resolution-limited: "
        f"theory gives the exponent {ALPHA:g} and the limit 0.",
        "random features",
        half_octaves(16, 1024),
        infinite_data,
        REPLICATES,
    ),
    "random_features_data_variance": (
        f"{FEW} random features, against the number of samples. Variance-limited: theory gives the "
        f"exponent 1 and the limit {FIXED.limit_of_data():.6f}.",
        "training samples",
        half_octaves(8 * FEW, 1024 * FEW),
        FIXED.more_data,
        REPLICATES,
    ),
    "random_features_width_variance": (
        f"{FEW} samples, against the number of random features. Variance-limited: theory gives the "
        f"exponent 1 and the limit {FIXED.limit_of_width():.6f}.",
        "random features",
        half_octaves(8 * FEW, 1024 * FEW),
        FIXED.more_width,
        MANY,
    ),
    "double_descent_width": (
        f"128 samples with label noise of standard deviation {SIGMA:g}, against the number of "
        "random features. The loss rises to a peak at 128 and falls again.",
        "random features",
        half_octaves(8, 2048),
        lambda width, generator: double_descent(128, width, generator),
        AT_A_PEAK,
    ),
    "double_descent_samples": (
        f"64 random features, label noise of standard deviation {SIGMA:g}, against the number of "
        "samples. The loss rises to a peak at 64 and falls again.",
        "training samples",
        half_octaves(8, 2048),
        lambda samples, generator: double_descent(samples, 64, generator),
        AT_A_PEAK,
    ),
}


def main():
    folder = folder_argument(__doc__)
    for name, (about, x_name, x, loss, replicates) in CURVES.items():
        y = measure(x, loss, replicates)
        write_curve(folder, name, __file__, SETTING + about, x_name, "test loss", x, y)


if __name__ == "__main__":
    main()
