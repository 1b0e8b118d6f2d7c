"""Initialisers: variances, shapes of distribution, pairing, and the same weights as torch.nn.init's."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy import stats

from trainability.initializers import (
    INITIALIZERS,
    Constant,
    Initializer,
    KaimingNormal,
    KaimingUniform,
    LargeNormal,
    LecunNormal,
    LecunUniform,
    Lsuv,
    Ones,
    Orthogonal,
    RandomizedAsymmetric,
    Scaled,
    SmallNormal,
    Sparse,
    TorchDefault,
    TruncatedNormal,
    XavierNormal,
    XavierUniform,
    Zeros,
    uniform,
)
from trainability.seeding import generator

Array = NDArray[np.float64]
FAN_IN, FAN_OUT = 400, 250  # 100000 weights: their std is known to 0.2 %, and KS sees a scale wrong by 2 %
LEAK = 0.25
LEVEL = 1e-3  # a KS test with a fixed seed either always passes or never

# name: the variance, written out by hand
VARIANCES = {
    "small_normal": 0.01**2,
    "large_normal": 1.0,
    "lecun_uniform": 1 / 400,
    "lecun_normal": 1 / 400,
    "xavier_uniform": 2 / (400 + 250),
    "xavier_normal": 2 / (400 + 250),
    "kaiming_uniform": 2 / 400,
    "kaiming_normal": 2 / 400,
    "torch_default": 1 / (3 * 400),
    "truncated_normal": 1 / 400,
}
NORMAL = ["small_normal", "large_normal", "lecun_normal", "xavier_normal", "kaiming_normal"]
UNIFORM = ["lecun_uniform", "xavier_uniform", "kaiming_uniform", "torch_default"]
PAIRS = [
    (LecunUniform(), LecunNormal()),
    (XavierUniform(), XavierNormal()),
    (KaimingUniform(), KaimingNormal()),
]


@pytest.fixture(scope="module")
def noise() -> Array:
    return np.random.default_rng(11).standard_normal((FAN_IN, FAN_OUT))


def scheme(name: str) -> Initializer:
    return INITIALIZERS[name](name=name)


# --- the registry and its parameters


def test_registry_names_and_labels() -> None:
    assert list(INITIALIZERS) == ["zeros", "ones", "constant", *VARIANCES, "orthogonal", "lsuv", "sparse", "rai"]
    assert [scheme(name).label for name in INITIALIZERS] == list(INITIALIZERS)
    assert SmallNormal(std=0.05).label == "small_normal(std=0.05)"
    assert INITIALIZERS.parse('{"name": "small_normal", "std": 0.05}') == SmallNormal(std=0.05)


@pytest.mark.parametrize("std", [0.0, -0.01, math.inf, math.nan])
def test_std_of_small_normal_is_positive_and_finite(std: float) -> None:
    with pytest.raises(ValidationError):
        SmallNormal(std=std)


def test_schemes_without_parameters_take_none() -> None:
    with pytest.raises(ValidationError, match="not permitted"):
        LecunNormal(gain=2.0)  # type: ignore[call-arg]


# --- variances


@pytest.mark.parametrize(("name", "variance"), list(VARIANCES.items()))
def test_variance_is_the_formula_s_and_the_weights_have_it(name: str, variance: float, noise: Array) -> None:
    chosen = scheme(name)
    assert isinstance(chosen, Scaled)
    assert chosen.variance(FAN_IN, FAN_OUT) == pytest.approx(variance, rel=1e-12)
    weights = chosen.draw(noise, FAN_OUT)
    assert weights.shape == (FAN_IN, FAN_OUT)
    assert weights.dtype == np.float64
    assert weights.var() == pytest.approx(variance, rel=0.015)
    assert abs(weights.mean()) < 4 * math.sqrt(variance / weights.size)


def test_kaiming_is_twice_lecun(noise: Array) -> None:
    for kaiming, lecun in ((KaimingNormal(), LecunNormal()), (KaimingUniform(), LecunUniform())):
        assert kaiming.variance(FAN_IN, FAN_OUT) == 2 * lecun.variance(FAN_IN, FAN_OUT)
        assert kaiming.draw(noise, FAN_OUT).var() == pytest.approx(2 * lecun.draw(noise, FAN_OUT).var())


@pytest.mark.parametrize("kaiming", [KaimingNormal(), KaimingUniform()], ids=str)
def test_kaiming_gain_of_leaky_units(kaiming: Scaled, noise: Array) -> None:
    assert kaiming.variance(FAN_IN, FAN_OUT, LEAK) == pytest.approx(2 / (1 + LEAK**2) / FAN_IN)
    assert kaiming.variance(FAN_IN, FAN_OUT, 1.0) == pytest.approx(1 / FAN_IN)  # linear units: LeCun's
    leaky, plain = kaiming.draw(noise, FAN_OUT, LEAK), kaiming.draw(noise, FAN_OUT)
    np.testing.assert_allclose(leaky, plain / math.sqrt(1 + LEAK**2), rtol=1e-12)


@pytest.mark.parametrize("name", [name for name in INITIALIZERS if not name.startswith("kaiming")])
def test_only_kaiming_looks_at_the_slope(name: str, noise: Array) -> None:
    chosen = scheme(name)
    assert np.array_equal(chosen.draw(noise, FAN_OUT, LEAK), chosen.draw(noise, FAN_OUT))


@pytest.mark.parametrize("name", list(VARIANCES))
def test_fan_out_is_that_of_one_linear_map(name: str, noise: Array) -> None:
    """A maxout layer of 50 units with 5 pieces is five maps to 50 units and not one to 250."""
    weights = scheme(name).draw(noise, fan_out=FAN_OUT // 5)
    expected = 2 / (FAN_IN + FAN_OUT // 5) if name.startswith("xavier") else VARIANCES[name]
    assert weights.var() == pytest.approx(expected, rel=0.015)


# --- distributions


@pytest.mark.parametrize("name", NORMAL)
def test_normal_schemes_are_normal(name: str, noise: Array) -> None:
    weights = scheme(name).draw(noise, FAN_OUT).ravel()
    assert stats.kstest(weights, "norm", args=(0, math.sqrt(VARIANCES[name]))).pvalue > LEVEL
    wrong = (0, 1.03 * math.sqrt(VARIANCES[name]))  # the test has the power to see three per cent
    assert stats.kstest(weights, "norm", args=wrong).pvalue < LEVEL


@pytest.mark.parametrize("name", UNIFORM)
def test_uniform_schemes_are_uniform_with_bound_root_3_variance(name: str, noise: Array) -> None:
    weights = scheme(name).draw(noise, FAN_OUT).ravel()
    bound = math.sqrt(3 * VARIANCES[name])
    assert stats.kstest(weights, "uniform", args=(-bound, 2 * bound)).pvalue > LEVEL
    assert stats.kstest(weights, "uniform", args=(-1.03 * bound, 2.06 * bound)).pvalue < LEVEL
    assert 0.999 * bound < np.abs(weights).max() <= bound


def test_uniform_is_the_distribution_function_stretched() -> None:
    z = np.array([-40.0, -1.0, 0.0, 0.5, 40.0])
    assert uniform(z) == pytest.approx(2 * stats.norm.cdf(z) - 1, abs=1e-15)


@pytest.mark.parametrize(("flat", "bell"), PAIRS, ids=str)
def test_uniform_and_normal_form_are_paired(flat: Scaled, bell: Scaled, noise: Array) -> None:
    assert flat.variance(FAN_IN, FAN_OUT, LEAK) == bell.variance(FAN_IN, FAN_OUT, LEAK)
    a, b = flat.draw(noise, FAN_OUT).ravel(), bell.draw(noise, FAN_OUT).ravel()
    assert stats.spearmanr(a, b).statistic == pytest.approx(1, abs=1e-12)
    assert a.var() == pytest.approx(b.var(), rel=0.02)
    assert stats.ks_2samp(a, b).pvalue < LEVEL  # the same variance, but another shape


@pytest.mark.parametrize("names", [NORMAL, UNIFORM], ids=["normal", "uniform"])
def test_schemes_that_differ_in_scale_are_multiples(names: list[str], noise: Array) -> None:
    first = scheme(names[0]).draw(noise, FAN_OUT)
    for name in names[1:]:
        ratio = math.sqrt(VARIANCES[name] / VARIANCES[names[0]])
        np.testing.assert_allclose(scheme(name).draw(noise, FAN_OUT), ratio * first, rtol=1e-12)


def test_constants(noise: Array) -> None:
    assert np.array_equal(Zeros().draw(noise, FAN_OUT), np.zeros((FAN_IN, FAN_OUT)))
    assert np.array_equal(Ones().draw(noise, FAN_OUT), np.ones((FAN_IN, FAN_OUT)))
    assert np.array_equal(Constant(value=-0.3).draw(noise, FAN_OUT), np.full((FAN_IN, FAN_OUT), -0.3))
    assert np.array_equal(LargeNormal().draw(noise, FAN_OUT), noise)


@pytest.mark.parametrize("std", [0.01, 0.5, 1.0])
def test_small_normal_takes_its_std_whatever_the_fans(std: float, noise: Array) -> None:
    for some in (noise, noise[:3]):
        np.testing.assert_allclose(SmallNormal(std=std).draw(some, 7), std * some, rtol=1e-12)


@pytest.mark.parametrize("name", list(INITIALIZERS))
def test_draws_depend_on_the_noise_alone_and_leave_it(name: str, noise: Array) -> None:
    before = noise.copy()
    np.random.seed(0)
    first = scheme(name).draw(noise, FAN_OUT)
    np.random.seed(1)
    assert np.array_equal(scheme(name).draw(noise, FAN_OUT), first)
    assert np.array_equal(noise, before)


# --- truncated, orthogonal, sparse


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_truncated_normal_is_cut_at_two_deviations_and_keeps_its_variance(scale: float, noise: Array) -> None:
    weights = TruncatedNormal(scale=scale).draw(noise, FAN_OUT).ravel()
    deviation = math.sqrt(scale / FAN_IN) / 0.87962566103423978  # Keras' and JAX's constant
    distribution = stats.truncnorm(-2, 2, scale=deviation)
    assert distribution.var() == pytest.approx(scale / FAN_IN, rel=1e-12)
    assert stats.kstest(weights, distribution.cdf).pvalue > LEVEL
    assert stats.kstest(weights, stats.norm(scale=math.sqrt(scale / FAN_IN)).cdf).pvalue < LEVEL
    assert 1.99 * deviation < np.abs(weights).max() <= 2 * deviation
    assert stats.spearmanr(weights, noise.ravel()).statistic == pytest.approx(1, abs=1e-12)


def test_truncated_normal_stands_noise_of_any_size() -> None:
    z = np.array([[-40.0, -1.0, 0.0, 1.0, 40.0]])
    bound = 2 / 0.87962566103423978
    drawn = TruncatedNormal().draw(z, 5)[0]
    assert drawn[[0, 2, 4]] == pytest.approx([-bound, 0, bound], abs=1e-12)
    assert drawn[1] == pytest.approx(-drawn[3], rel=1e-12)


@pytest.mark.parametrize(("inputs", "units"), [(60, 40), (40, 40), (40, 60), (30, 1)])
def test_orthogonal_matrices_are_orthogonal(inputs: int, units: int, noise: Array) -> None:
    weights = Orthogonal(gain=1.5).draw(noise[:inputs, :units], units)
    assert weights.shape == (inputs, units)
    product = weights.T @ weights if inputs >= units else weights @ weights.T
    np.testing.assert_allclose(product, 1.5**2 * np.eye(min(inputs, units)), atol=1e-12)


def test_orthogonal_matrices_are_haar_distributed() -> None:
    """Rotations by any angle are as likely, and so are reflections; without the sign correction they are not."""
    draws = np.random.default_rng(3).standard_normal((4000, 2, 2))
    matrices = np.array([Orthogonal().draw(some, 2) for some in draws])
    for column in (0, 1):
        angles = np.arctan2(matrices[:, 1, column], matrices[:, 0, column])
        assert stats.kstest(angles, "uniform", args=(-math.pi, 2 * math.pi)).pvalue > LEVEL
    assert stats.binomtest(int((np.linalg.det(matrices) > 0).sum()), 4000).pvalue > LEVEL
    generator = torch.Generator().manual_seed(3)
    expected = np.array([torch.nn.init.orthogonal_(torch.empty(2, 2), generator=generator) for _ in range(4000)])
    assert stats.ks_2samp(matrices[:, 0, 0], expected[:, 0, 0]).pvalue > LEVEL


@pytest.mark.parametrize("connections", [1, 15, FAN_IN])
def test_sparse_units_have_so_many_inputs_and_the_noise_for_weights(connections: int, noise: Array) -> None:
    weights = Sparse(connections=connections, std=0.5).draw(noise, FAN_OUT)
    assert ((weights != 0).sum(0) == connections).all()
    np.testing.assert_array_equal(weights[weights != 0], 0.5 * noise[weights != 0])


def test_sparse_layers_with_few_inputs_are_dense(noise: Array) -> None:
    np.testing.assert_array_equal(Sparse().draw(noise[:7], FAN_OUT), noise[:7])


def test_sparse_weights_are_normal_at_places_that_are_equally_likely() -> None:
    noise = np.random.default_rng(5).standard_normal((50, 20_000))
    weights = Sparse().draw(noise, 20_000)
    values, places = weights[weights != 0], np.nonzero(weights)[0]
    assert stats.kstest(values, "norm").pvalue > LEVEL
    assert stats.chisquare(np.bincount(places, minlength=50)).pvalue > LEVEL
    assert abs(stats.spearmanr(values, places).statistic) < 4 / math.sqrt(values.size)
    smallest = np.abs(values.reshape(-1, 15)).min(1)  # of any 15 weights: the choice does not look at their size
    assert stats.kstest(smallest, lambda x: 1 - (2 * stats.norm.sf(x)) ** 15).pvalue > LEVEL


def test_lsuv_starts_orthogonal_and_is_the_one_that_is_calibrated(noise: Array) -> None:
    some = noise[:60]
    np.testing.assert_array_equal(Lsuv().draw(some, FAN_OUT // 5), Orthogonal().draw(some, FAN_OUT // 5))
    assert [name for name in INITIALIZERS if scheme(name).calibrated] == ["lsuv"]


@pytest.mark.parametrize("name", [name for name in INITIALIZERS if name != "rai"])
def test_biases_start_at_the_factor_bias(name: str, noise: Array) -> None:
    np.testing.assert_array_equal(scheme(name).bias(noise, 0.25), np.full(FAN_OUT, 0.25))


# --- randomized asymmetric: what each unit of twenty thousand with ten inputs got

INPUTS, UNITS = 10, 20_000
NORMAL_STD = 0.6007 / math.sqrt(INPUTS)


@pytest.fixture(scope="module")
def thin() -> Array:
    return np.random.default_rng(7).standard_normal((INPUTS, UNITS))


@pytest.fixture(scope="module")
def entries(thin: Array) -> Array:
    """Weights and, last, the bias of every unit."""
    rai = RandomizedAsymmetric()
    return np.vstack([rai.draw(thin, UNITS), rai.bias(thin, 0.0)])


@pytest.fixture(scope="module")
def chosen(thin: Array, entries: Array) -> NDArray[np.int64]:
    """Which entry of each unit is from Beta(2, 1): the weight that is not the scaled noise, or else the bias."""
    changed = ~np.isclose(entries[:-1], NORMAL_STD * thin, rtol=1e-12, atol=0)
    assert set(changed.sum(0)) == {0, 1}
    return np.where(changed.any(0), changed.argmax(0), INPUTS)


def test_rai_chooses_every_weight_and_the_bias_equally_often(chosen: NDArray[np.int64]) -> None:
    assert stats.chisquare(np.bincount(chosen, minlength=INPUTS + 1)).pvalue > LEVEL


def test_rai_draws_the_chosen_entry_from_beta(entries: Array, chosen: NDArray[np.int64]) -> None:
    drawn = np.take_along_axis(entries, chosen[None], axis=0)[0]
    assert stats.kstest(drawn, stats.beta(2, 1).cdf).pvalue > LEVEL
    assert stats.kstest(drawn[chosen == INPUTS], stats.beta(2, 1).cdf).pvalue > LEVEL, "biases too"
    assert stats.kstest(drawn, "uniform").pvalue < LEVEL
    assert abs(stats.spearmanr(drawn, chosen).statistic) < 4 / math.sqrt(UNITS)


def test_rai_draws_the_other_entries_from_a_normal_distribution(
    thin: Array, entries: Array, chosen: NDArray[np.int64]
) -> None:
    others = np.arange(INPUTS + 1)[:, None] != chosen
    assert stats.kstest(entries[others], "norm", args=(0, NORMAL_STD)).pvalue > LEVEL
    biases = entries[-1, chosen != INPUTS]
    assert stats.kstest(biases, "norm", args=(0, NORMAL_STD)).pvalue > LEVEL
    assert abs(stats.spearmanr(biases, thin[0, chosen != INPUTS]).statistic) < 4 / math.sqrt(UNITS)
    replaced = np.take_along_axis(thin, chosen[None] % INPUTS, axis=0)[0, chosen < INPUTS]
    assert stats.kstest(replaced, "norm").pvalue > LEVEL, "the choice does not look at what it replaces"


def test_constant_of_rai_keeps_the_mean_square() -> None:
    """Of a normal number s and a Beta(2, 1) one u: s^2 / 2 + 2 E[max(0, s)] E[u] + E[u^2] = 1 (E[u^2] = 1/2)."""
    beta = stats.beta(2, 1)
    assert (beta.mean(), beta.moment(2)) == pytest.approx((2 / 3, 1 / 2))
    linear = 2 * beta.mean() / math.sqrt(2 * math.pi)
    assert math.sqrt(linear**2 + 1) - linear == pytest.approx(0.6007, abs=5e-5)
    assert linear == pytest.approx(2 * math.sqrt(2) / (3 * math.sqrt(math.pi)))


def test_rai_stands_another_last_bit_and_adds_the_factor_bias(thin: Array, entries: Array) -> None:
    rai, other = RandomizedAsymmetric(), np.nextafter(thin, np.inf)
    np.testing.assert_allclose(rai.draw(other, UNITS), entries[:-1], rtol=1e-12)
    np.testing.assert_allclose(rai.bias(thin, 0.5), entries[-1] + 0.5, rtol=1e-12)


@pytest.mark.parametrize(("width", "at_most"), [(2, 30.0), (3, 10.0)])
def test_rai_lets_few_networks_be_born_dead(width: int, at_most: float) -> None:
    """Lu et al. 2020: nine hidden layers on a scalar input. Under Kaiming's scheme it is 87 and 57 % of them."""
    inputs = np.linspace(-math.sqrt(3), math.sqrt(3), 10)[:, None]

    def born_dead(init: Initializer, seed: int) -> bool:
        a = inputs
        for layer in range(1, 10):
            noise = generator(seed, "weights", layer).standard_normal((a.shape[1], width))
            a = np.maximum(0, a @ init.draw(noise, width) + init.bias(noise, 0.0))
            if not a.any():
                return True
        return False

    found = {
        init.name: np.mean([born_dead(init, seed) for seed in range(500)])
        for init in (KaimingNormal(), RandomizedAsymmetric())
    }
    assert 100 * found["kaiming_normal"] == pytest.approx({2: 87.2, 3: 56.9}[width], abs=8)
    assert 100 * found["rai"] < at_most


# --- what is refused


@pytest.mark.parametrize(
    "bad",
    [
        {"name": "sparse", "connections": 0},
        {"name": "orthogonal", "gain": 0.0},
        {"name": "lsuv", "tolerance": 0.0},
        {"name": "lsuv", "iterations": 0},
    ],
    ids=str,
)
def test_parameters_out_of_range_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        INITIALIZERS[bad["name"]](**bad)


# --- torch


def xavier(fill: Callable[..., Any]) -> Callable[[torch.Tensor], Any]:
    return lambda weight: fill(weight, generator=torch.Generator().manual_seed(5))


def fan_in(fill: Callable[..., Any], nonlinearity: str) -> Callable[[torch.Tensor], Any]:
    """torch's Kaiming family, whose slope is passed to leaky_relu; with `linear` it is LeCun's scheme."""
    seeded = {"generator": torch.Generator().manual_seed(5), "mode": "fan_in"}
    return lambda weight: fill(weight, a=LEAK, nonlinearity=nonlinearity, **seeded)


TORCH = {
    "lecun_uniform": fan_in(torch.nn.init.kaiming_uniform_, "linear"),
    "lecun_normal": fan_in(torch.nn.init.kaiming_normal_, "linear"),
    "xavier_uniform": xavier(torch.nn.init.xavier_uniform_),
    "xavier_normal": xavier(torch.nn.init.xavier_normal_),
    "kaiming_uniform": fan_in(torch.nn.init.kaiming_uniform_, "leaky_relu"),
    "kaiming_normal": fan_in(torch.nn.init.kaiming_normal_, "leaky_relu"),
}


@pytest.mark.parametrize(("name", "fill"), list(TORCH.items()), ids=list(TORCH))
def test_weights_are_distributed_as_torch_s(name: str, fill: Callable[..., Any], noise: Array) -> None:
    weight = torch.empty(FAN_OUT, FAN_IN, dtype=torch.float64)  # torch's layout is [units, fan_in]
    fill(weight)
    ours, theirs = scheme(name).draw(noise, FAN_OUT, LEAK), weight.numpy()
    assert ours.std() == pytest.approx(theirs.std(), rel=0.01)
    assert stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > LEVEL


def test_torch_default_is_what_a_linear_layer_starts_with(noise: Array) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        theirs = torch.nn.Linear(FAN_IN, FAN_OUT).weight.detach().numpy().astype(np.float64)
    ours = TorchDefault().draw(noise, FAN_OUT)
    assert stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > LEVEL
    bound = 1 / math.sqrt(FAN_IN)
    assert stats.kstest(theirs.ravel(), "uniform", args=(-bound, 2 * bound)).pvalue > LEVEL
    assert np.abs(theirs).max() == pytest.approx(np.abs(ours).max(), rel=1e-3)


def test_importing_the_module_loads_neither_torch_nor_scipy() -> None:
    code = "import sys, trainability.initializers; print({'torch', 'scipy'} & set(sys.modules) or 'none')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "none"
