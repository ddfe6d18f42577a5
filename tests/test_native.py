"""Compiled functions that are called at their address."""

import os
import subprocess
import sys
from ctypes import POINTER, byref, c_double, c_uint64
from pathlib import Path

import numba
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.raise_op import Assert

from bayes_bnsl.native import NO_DENSITY, Native, addresses, copy_callback, gradient_callback

position = pt.vector("position")
vector, scalar, matrix, counts = pt.vector(), pt.scalar(), pt.matrix(), pt.lvector()
DATA = (np.array([1.0, 2.0]), np.array(3.0), np.arange(6.0).reshape(2, 3), np.array([4, 5, 6]))


def native_of(density, data=(), values=()):
    outputs = [density, pytensor.grad(density, position)]
    function = pytensor.function([position, *data], outputs, mode="NUMBA")
    return Native.of(function, np.zeros(2), *values)


def called(callback, at, data=()):
    """Return the code, the log density and the gradient."""
    gradient, density, where = np.zeros(len(at)), c_double(), addresses(data)
    code = callback.ctypes(
        len(at),
        at.ctypes.data_as(POINTER(c_double)),
        gradient.ctypes.data_as(POINTER(c_double)),
        byref(density),
        where.ctypes.data_as(POINTER(c_uint64)),
    )
    return code, density.value, gradient


class TestGradientCallback:
    def test_data_of_every_shape_arrive(self):
        weights = vector * scalar + pt.dot(matrix, counts.astype("float64"))
        native = native_of(pt.sum(weights * position**2), (vector, scalar, matrix, counts), DATA)
        callback, at = gradient_callback(native), np.array([0.5, -2.0])
        for factor in (1.0, 2.0):  # other data of the same shape, without compiling
            first, second, third, fourth = DATA
            data = (factor * first, second, third, fourth)
            expected = data[0] * 3.0 + third @ fourth
            code, density, gradient = called(callback, at, data)
            assert code == 0
            assert density == pytest.approx(np.sum(expected * at**2))
            np.testing.assert_allclose(gradient, 2 * expected * at)

    def test_longer_data_need_no_compilation(self):
        native = native_of(pt.sum(vector) * pt.sum(position), (vector,), (np.ones(2),))
        callback = gradient_callback(native)
        assert called(callback, np.ones(2), (np.ones(50),))[1] == 100.0

    @pytest.mark.parametrize("at", [[-1.0, 1.0], [np.inf, 1.0], [np.nan, 1.0]])
    def test_nuts_is_told_where_there_is_no_density(self, at):
        callback = gradient_callback(native_of(pt.sum(pt.log(position))))
        assert called(callback, np.array(at))[0] == NO_DENSITY
        assert called(callback, np.ones(2))[0] == 0

    def test_a_function_that_raises_has_no_density_there(self):
        checked = Assert("positive")(position, pt.all(position > 0))
        callback = gradient_callback(native_of(pt.sum(checked)))
        assert called(callback, -np.ones(2))[0] == NO_DENSITY
        assert called(callback, np.ones(2))[:2] == (0, 2.0)


def test_a_draw_is_kept_as_it_is():
    at, kept = np.array([1.5, np.nan, -3.0]), np.zeros(3)
    pointers = [array.ctypes.data_as(POINTER(c_double)) for array in (at, kept)]
    assert copy_callback().ctypes(3, 3, *pointers, None) == 0
    np.testing.assert_array_equal(kept, at)


def test_other_types_than_it_was_compiled_for_are_refused():
    call = native_of(pt.sum(position)).call
    with pytest.raises(TypeError, match="Compiled for"):
        numba.njit(lambda at: call((at,)))(np.ones(2, dtype=int))


DRAWN = """
import bayes_bnsl as bb, hashlib, numpy as np, sys
from bayes_bnsl.compiled import compile_law
seen, _ = bb.load_curve("four_digit_addition").split(n=14)
n_breaks = int(sys.argv[1])
fit = bb.fit(seen, bb.BNSL(n_breaks), seed=1, progress=False, draws=300, tune=300)
assert (fit.status.restarts > 0) == (n_breaks > 0)  # tempered
function = compile_law(seen, fit.law, fit.noise, fit.priors)._gradient.vm.jit_fn
print(function.stats.cache_misses.total())
print(hashlib.md5(fit.posterior["a"].values.tobytes()).hexdigest())
"""


@pytest.mark.parametrize(
    "n_breaks", [0, pytest.param(1, marks=pytest.mark.slow)], ids=["NUTS", "tempered"]
)
def test_a_process_that_loads_from_disk_draws_what_the_one_that_compiled_drew(tmp_path, n_breaks):
    environment = os.environ | {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path}"}
    if n_breaks:  # the loop of tempered chains too is compiled anew
        environment |= {"NUMBA_CACHE_DIR": str(tmp_path)}
    said = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", DRAWN, str(n_breaks)],
            env=environment, capture_output=True, text=True, check=True,
        ).stdout.split("\n")
        for _ in range(2)
    ]  # fmt: skip
    assert [each[0] for each in said] == ["1", "0"], "how often each has compiled"
    assert said[0][1] == said[1][1]


COUNTED = f"""
import sys; sys.path.append({str(Path(__file__).parent)!r})
import numpy as np
from numba.core.runtime import rtsys
from test_native import DATA, called, counts, gradient_callback, matrix, native_of, position
from test_native import pt, scalar, vector
weights = vector * scalar + pt.dot(matrix, counts.astype("float64"))
native = native_of(pt.sum(weights * position**2), (vector, scalar, matrix, counts), DATA)
callback, at = gradient_callback(native), np.ones(2)
before = rtsys.get_allocation_stats()
for _ in range(1000):
    called(callback, at, DATA)
after = rtsys.get_allocation_stats()
print(after.alloc - before.alloc > 1000, (after.alloc - before.alloc) - (after.free - before.free))
"""


def test_calls_leak_no_memory():
    environment = os.environ | {"NUMBA_NRT_STATS": "1"}
    said = subprocess.run(
        [sys.executable, "-c", COUNTED],
        env=environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert said.split() == ["True", "0"]
