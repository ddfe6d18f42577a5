"""A delayed, sharp transition: a network that learns to add numbers modulo a prime.

All pairs (a, b) of residues are the data. A network of one hidden layer with quadratic units
(Gromov, "Grokking modular arithmetic", 2023) trains on some of them, all at once, with AdamW; the
others are the test. It fits its pairs at once, and finds the rule late or, from few pairs, never.

Run ``python examples/measured/modular_addition.py``: about three minutes on one core.
"""

import numpy as np
from bundling import folder_argument, write_curve

PRIME, HIDDEN = 23, 96
RATE, DECAY = 0.01, 0.3
STEPS, FEWER_STEPS = 6000, 3000
N_TRAIN = 320
REPLICATES = 6
CHECKPOINTS = np.unique(np.round(np.geomspace(10, STEPS, 60)).astype(int))
SIZES = np.round(np.linspace(80, 480, 21)).astype(int)


def cross_entropy(logits, answers):
    """Return the mean cross-entropy, and its gradient with respect to the logits."""
    logits = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(logits).sum(axis=1, keepdims=True))
    rows = np.arange(len(answers))
    gradient = np.exp(logits - log_sum)
    gradient[rows, answers] -= 1
    return np.mean(log_sum[:, 0] - logits[rows, answers]), gradient / len(answers)


def train(n_train, steps, generator):
    """Return the test cross-entropy after each checkpoint up to so many steps."""
    pairs = generator.permutation(PRIME**2)
    first, second = np.divmod(pairs, PRIME)
    answers = (first + second) % PRIME
    inputs = np.eye(PRIME)[first], np.eye(PRIME)[second]
    inputs = np.concatenate(inputs, axis=1)
    seen, test = slice(n_train), slice(n_train, None)
    weights = [
        generator.standard_normal((2 * PRIME, HIDDEN)) / np.sqrt(2 * PRIME),
        generator.standard_normal((HIDDEN, PRIME)) / np.sqrt(HIDDEN),
    ]
    mean = [np.zeros_like(each) for each in weights]
    square = [np.zeros_like(each) for each in weights]
    losses, due = [], {*CHECKPOINTS.tolist(), steps}
    for step in range(1, steps + 1):
        before = inputs[seen] @ weights[0]
        _, error = cross_entropy(before**2 @ weights[1], answers[seen])
        gradients = (
            inputs[seen].T @ (error @ weights[1].T * 2 * before),
            before.T**2 @ error,
        )
        for i, gradient in enumerate(gradients):
            mean[i] += 0.1 * (gradient - mean[i])
            square[i] += 0.02 * (gradient**2 - square[i])
            move = mean[i] / (1 - 0.9**step) / (np.sqrt(square[i] / (1 - 0.98**step)) + 1e-8)
            weights[i] -= RATE * (move + DECAY * weights[i])
        if step in due:
            logits = (inputs[test] @ weights[0]) ** 2 @ weights[1]
            losses.append(cross_entropy(logits, answers[test])[0])
    return losses


def main():
    folder = folder_argument(__doc__)
    task = f"A network learns to add modulo {PRIME}: test cross-entropy against "
    each = [
        train(N_TRAIN, STEPS, np.random.default_rng([1, number])) for number in range(REPLICATES)
    ]
    about = (
        f"{task}training steps, on {N_TRAIN} of the {PRIME**2} pairs. The loss first rises while "
        "pairs are learnt by heart, and falls sharply where the rule is found."
    )
    note = (folder, "modular_addition_steps", __file__, about)
    write_curve(
        *note, "steps", "test cross-entropy", CHECKPOINTS, np.transpose(each), geometric=True
    )
    y = [
        [train(n, FEWER_STEPS, np.random.default_rng([n, k]))[-1] for k in range(REPLICATES)]
        for n in SIZES
    ]
    about = (
        f"{task}training pairs, of {PRIME**2}, after {FEWER_STEPS} steps. Below some number of "
        "pairs the rule is not found; beyond it the loss falls sharply."
    )
    note = (folder, "modular_addition_pairs", __file__, about)
    write_curve(*note, "training pairs", "test cross-entropy", SIZES, y, geometric=True)


if __name__ == "__main__":
    main()
