"""Log densities and gradients in the form that is compiled, beside those of PyMC and PyTensor."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

import bayes_bnsl as bb
from bayes_bnsl.compiled import compile_family, compile_law
from bayes_bnsl.family import Family
from bayes_bnsl.family_model import build_family_model
from bayes_bnsl.graphs import FEW, coordinates, gradient, position_of, value_of
from bayes_bnsl.model import build_model, model_data
from bayes_bnsl.priors import Scale
from problems import simulated

PRIORS = {
    "a": 0.0,
    "c": bb.Prior("Normal", mu=0.0, sigma=1.0),
    "f": bb.Prior("HalfNormal", sigma=2),
}
KINDS = [
    (bb.BNSL(0), bb.LogNormal(), {}),
    (bb.BNSL(1), bb.LogNormal(), {}),
    (bb.BNSL(3), bb.LogNormal(), {}),
    (bb.BNSL(2), bb.LogNormal(), PRIORS),
    (bb.BNSL(1), bb.LogNormal(changing=True), {}),
    (bb.BNSL(1), bb.StudentT(), {}),
    (bb.BNSL(1), bb.Correlated(), {}),
    (bb.M4(), bb.LogNormal(), {}),
]
each_kind = pytest.mark.parametrize(("law", "noise", "priors"), KINDS, ids=str)


def curve_of(n_points):
    return simulated("one break").take(range(n_points))


def assert_that_of_pymc(compiled, model, data):
    """Compare at draws from the prior."""
    log_density, shapes = compiled.log_density(data), compiled.shapes.values()
    expected = [make(mode="FAST_COMPILE") for make in (model.compile_logp, model.compile_dlogp)]
    for position in compiled.draw_prior(data, np.random.default_rng(4), 3):
        parts, start = {}, 0
        for variable, shape in zip(model.value_vars, shapes, strict=True):
            stop = start + np.prod(shape, dtype=int)
            parts[variable.name] = position[start:stop].reshape(shape)
            start = stop
        density, slopes = log_density(position)
        exact, gradient = (function(parts) for function in expected)
        assert density == pytest.approx(float(exact), rel=1e-9)
        np.testing.assert_allclose(slopes, gradient, rtol=1e-7, atol=1e-9 * abs(gradient).max())


class TestLogDensity:
    @each_kind
    def test_is_that_of_pymc(self, law, noise, priors):
        compiled = compile_law(curve_of(20), law, noise, priors)
        curve = curve_of(29)  # of another length, without compiling
        model = build_model(curve, law, noise=noise, priors=priors)
        data = model_data(curve, law, noise, priors, Scale.of(curve))
        assert_that_of_pymc(compiled, model, data)

    def test_of_known_errors(self):
        curve = curve_of(20)
        curve = bb.Curve(curve.x, curve.y, y_se=0.03 * curve.y)
        law, noise = bb.BNSL(1), bb.LogNormal()
        compiled = compile_law(curve, law, noise, {})
        data = model_data(curve, law, noise, {}, Scale.of(curve))
        assert_that_of_pymc(compiled, build_model(curve, law), data)

    @pytest.mark.parametrize("n_curves", [2, FEW + 1])
    def test_of_families_few_and_many(self, n_curves):
        curves = [simulated("power law to a limit", seed=seed) for seed in range(n_curves)]
        family = Family(tuple(curves), bb.BNSL(0), bb.LogNormal(), {})
        assert_that_of_pymc(compile_family(family), build_family_model(family), family.data())


class TestGradient:
    @pytest.mark.parametrize("law", [bb.M1(), bb.BNSL(0), bb.BNSL(1), bb.BNSL(3)], ids=str)
    def test_is_one_loop_that_leaves_no_arrays(self, law):
        function = compile_law(curve_of(20), law, bb.LogNormal(), {})._gradient
        vectors = [
            output
            for node in function.maker.fgraph.toposort()
            for output in node.outputs
            if output.type.ndim
        ]
        assert len(vectors) == 1  # the gradient

    def test_sums_of_sums(self):
        """A sum may enter others, more than once."""
        inputs = [pt.scalar(), pt.vector(shape=(2,))]
        points = pytensor.shared(np.arange(1.0, 5.0), name="points")
        first = pt.sum((points - inputs[0]) ** 2)
        second = pt.sum(pt.exp(-points * inputs[1][0]) / first)
        density = pt.log(first) * second - first * inputs[1][1] + pt.sum(inputs[1] ** 2)
        outputs, slopes = gradient(density, inputs)
        plain = pt.concatenate([pt.flatten(each) for each in pt.grad(density, inputs)])
        function = pytensor.function(inputs, [outputs, density, slopes, plain], mode="FAST_COMPILE")
        ours, theirs, slopes, plain = function(0.3, np.array([0.2, -1.5]))
        assert ours == pytest.approx(theirs)
        np.testing.assert_allclose(slopes, plain)


class TestCoordinates:
    @pytest.mark.parametrize("shape", [(), (1,), (3,), (FEW + 1,), (2, 3)])
    def test_a_position_holds_all_entries_in_order(self, shape):
        variables = {pt.scalar(): (), pt.tensor(dtype="float64", shape=shape): shape}
        inputs, values = coordinates(variables)
        position, places = position_of(inputs)
        flat = pt.concatenate([pt.flatten(each) for each in values.values()])
        joined = pytensor.graph.graph_replace(flat, places)
        at = np.arange(1.0 + np.prod(shape, dtype=int))
        np.testing.assert_array_equal(joined.eval({position: at}), at)


class TestValueOf:
    def test_what_is_made_of_data_follows_them(self):
        law, noise = bb.BNSL(1), bb.LogNormal()
        function = compile_law(curve_of(20), law, noise, {})._gradient
        curve = curve_of(25)
        data = model_data(curve, law, noise, {}, Scale.of(curve))
        values = [value_of(each, data) for each in function.get_shared()]
        for expected in (curve.log_x, curve.log_y):
            assert any(np.shape(each) == (25,) and np.allclose(each, expected) for each in values)
        assert not any(np.shape(each) == (20,) for each in values)

    def test_refuses_another_number_of_dimensions(self):
        variable = pytensor.shared(np.ones(2), name="y")
        with pytest.raises(ValueError, match="y must have 1 dimensions; got 2"):
            value_of(variable, {"y": np.ones((2, 2))})
