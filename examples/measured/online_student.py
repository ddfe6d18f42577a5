"""One long training run with dense checkpoints: a network that learns another one, online.

Each step sees new inputs, so the test loss falls as long as the run goes on. Neighbouring
checkpoints share the state of the weights: their residuals about any smooth curve hang together.

Run ``python examples/measured/online_student.py``: about two minutes on one core.
"""

import numpy as np
from bundling import folder_argument, write_curve

INPUTS, TEACHER, STUDENT = 12, 32, 128
BATCH, STEPS, RATE = 32, 200_000, 0.03
N_TEST = 4000
CHECKPOINTS = np.unique(np.round(np.geomspace(20, STEPS, 120)).astype(int))


def teach(inputs, first, second):
    """Return what the teacher says of some inputs."""
    return np.tanh(inputs @ first) @ second


def run(steps=STEPS, seed=1):
    """Return the test loss at each checkpoint of so many steps of gradient descent."""
    generator = np.random.default_rng(seed)
    of_teacher = (
        1.5 * generator.standard_normal((INPUTS, TEACHER)) / np.sqrt(INPUTS),
        generator.standard_normal(TEACHER) / np.sqrt(TEACHER),
    )
    first = generator.standard_normal((INPUTS, STUDENT)) / np.sqrt(INPUTS)
    second = 0.1 * generator.standard_normal(STUDENT) / np.sqrt(STUDENT)
    test = generator.standard_normal((N_TEST, INPUTS))
    truth = teach(test, *of_teacher)
    losses, due = [], set(CHECKPOINTS.tolist())
    for step in range(1, steps + 1):
        inputs = generator.standard_normal((BATCH, INPUTS))
        hidden = np.tanh(inputs @ first)
        error = (hidden @ second - teach(inputs, *of_teacher)) / BATCH
        back = np.outer(error, second) * (1 - hidden**2)
        second -= RATE * (hidden.T @ error)
        first -= RATE * (inputs.T @ back)
        if step in due:
            losses.append(np.mean((np.tanh(test @ first) @ second - truth) ** 2))
    return losses


def main():
    folder = folder_argument(__doc__)
    about = (
        f"A network of {STUDENT} hidden units learns one of {TEACHER} by gradient descent on new "
        f"inputs, {BATCH} a step, at a constant rate: test squared error at the checkpoints of one "
        "run. Neighbouring residuals hang together."
    )
    x_y = (CHECKPOINTS, run())
    write_curve(folder, "online_student", __file__, about, "steps", "test loss", *x_y)


if __name__ == "__main__":
    main()
