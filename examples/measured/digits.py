"""Learning curves on images of handwritten digits: a linear model and a network, error and loss.

scikit-learn's 1797 images of 8 by 8 pixels. Each training has a test of its own, 450 of them at
random, its own random subset of the others to learn from, and its own random initial weights.

Run ``python examples/measured/digits.py``: about a minute on one core.
"""

import warnings

import numpy as np
from bundling import folder_argument, write_curve
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

REPLICATES = 16
N_TEST = 450
SIZES = np.round(np.geomspace(20, 1347, 15)).astype(int)


def linear(_):
    """Return multinomial logistic regression with a little weight decay."""
    return LogisticRegression(C=1.0, max_iter=2000)


def network(seed):
    """Return a network of one hidden layer."""
    return MLPClassifier(
        (64,), alpha=0.01, max_iter=150, learning_rate_init=0.003, random_state=seed
    )


def train(make, size, number):
    """Return the test error and the test cross-entropy after one training."""
    images, labels = load_digits(return_X_y=True)
    generator = np.random.default_rng([size, number])
    order = generator.permutation(len(labels))
    images, labels = images[order] / 16.0, labels[order]
    test, others = np.arange(N_TEST), np.arange(N_TEST, len(labels))
    # every digit is there at least once, so that the model knows of ten classes
    first = [others[labels[others] == digit][0] for digit in range(10)]
    taken = np.concatenate([first, np.setdiff1d(others, first)[: size - 10]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of passes is a choice
        model = make(int(generator.integers(2**31))).fit(images[taken], labels[taken])
    probabilities = model.predict_proba(images[test])
    error = np.mean(probabilities.argmax(axis=1) != labels[test])
    return error, log_loss(labels[test], probabilities)


def main():
    folder = folder_argument(__doc__)
    models = {
        "linear": (linear, "Multinomial logistic regression (C = 1)"),
        "network": (network, "A network of one hidden layer of 64 units (Adam, 150 passes)"),
    }
    for name, (make, what) in models.items():
        results = np.array(
            [[train(make, size, number) for number in range(REPLICATES)] for size in SIZES]
        )
        about = f"{what} on scikit-learn's images of digits: test %s against training images."
        for i, (label, words) in enumerate(
            {"error": "error rate", "loss": "cross-entropy"}.items()
        ):
            note = (folder, f"digits_{name}_{label}", __file__, about % words)
            write_curve(*note, "training images", f"test {words}", SIZES, results[..., i])


if __name__ == "__main__":
    main()
