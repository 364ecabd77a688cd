"""Expected values: statsmodels 0.15 (`confint_proportions_2indep(method="newcomb")`, `proportion_confint`,
`proportions_ztest`) and scipy 1.18 (`stats.t.ppf`, `ttest_ind(equal_var=False).confidence_interval()`)."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quanyu.journeys.statistics import Arm, lift, newcombe, pooled_p_value, student_quantile, welch, wilson


@pytest.mark.parametrize(
    ("converted", "people", "low", "high"),
    [
        (56, 70, 0.6918335550374695, 0.8769526075163705),
        (48, 80, 0.4904546500516038, 0.7003817240412906),
        (0, 10, 0.0, 0.27753279986288926),
        (5, 5, 0.5655175352168252, 1.0),
        (120, 10000, 0.010045476139717912, 0.014329306270062445),
    ],
)
def test_wilson_equals_statsmodels(converted: int, people: int, low: float, high: float) -> None:
    found = wilson(converted, people)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)


@pytest.mark.parametrize(
    ("a", "b", "low", "high", "p"),
    [
        # The first two are also printed in Newcombe's paper, table II: .0524 to .3339 and .1705 to .8090.
        ((56, 70), (48, 80), 0.05243147240236498, 0.33387265403690614, 0.00804508136819656),
        ((9, 10), (3, 10), 0.1705227239345029, 0.809017973535488, 0.006169899320544151),
        ((10, 10), (0, 20), 0.6790860371419145, 1.0, 4.320463057827506e-08),
        ((5, 56), (0, 29), -0.038137147903536936, 0.19256001385511165, 0.09718656817057973),
        ((120, 2000), (10, 200), -0.030723150060811735, 0.0352722869362707, 0.5674214931984061),
        ((0, 50), (0, 50), -0.07134759913335874, 0.07134759913335874, None),
    ],
)
def test_difference_of_rates_equals_statsmodels(a, b, low, high, p) -> None:
    first, second = Arm(a[1], a[0]), Arm(b[1], b[0])
    found = newcombe(first, second)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)
    assert pooled_p_value(first, second) == (None if p is None else pytest.approx(p, rel=1e-10))


@pytest.mark.parametrize(
    ("probability", "freedom", "expected"),
    [
        (0.975, 1, 12.706204736174694),
        (0.975, 2.5, 3.5746548420036817),
        (0.975, 10, 2.228138851986274),
        (0.975, 30.7, 2.040321537812142),
        (0.975, 1000, 1.9623390808264083),
        (0.95, 7.3, 1.8829300179564308),
        (0.995, 4, 4.604094871349992),
    ],
)
def test_student_quantile_equals_scipy(probability: float, freedom: float, expected: float) -> None:
    assert student_quantile(probability, freedom) == pytest.approx(expected, rel=1e-10)


def test_amount_interval_equals_scipy() -> None:
    # [0,0,120,990,0,455,1300,20,0,75] against [0,10,0,0,300,0,0]
    found = welch(Arm(10, 6, 2960, 2897550), Arm(7, 2, 310, 90100))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((-93.60146462505628, 597.0300360536278), rel=1e-10)


def test_large_amounts_do_not_cancel() -> None:
    # Two people of 10^12 and 10^12 + 2 minor units: the variance is 2, whatever the size.
    base = 10**12
    arm = Arm(2, 2, 2 * base + 2, base**2 + (base + 2) ** 2)
    other = Arm(2, 2, 2 * base + 2, base**2 + (base + 2) ** 2)
    found = welch(arm, other)
    assert found is not None
    assert found.high == pytest.approx(student_quantile(0.975, 2) * math.sqrt(2), rel=1e-9)


def test_verdicts_never_claim_more_than_the_interval() -> None:
    assert lift(Arm(1000, 120), Arm(1000, 60)).verdict == "positive"
    assert lift(Arm(1000, 60), Arm(1000, 120)).verdict == "negative"
    assert lift(Arm(1000, 60), Arm(1000, 58)).verdict == "inconclusive"
    assert lift(Arm(1000, 60), Arm(29, 0)).verdict == "too_few"
    assert lift(Arm(1000, 3), Arm(1000, 1)).verdict == "too_few"
    empty = lift(Arm(0, 0), Arm(0, 0))
    assert (empty.verdict, empty.relative, empty.p_value, empty.amount_interval) == ("too_few", None, None, None)


arms = st.integers(1, 500).flatmap(lambda n: st.builds(Arm, st.just(n), st.integers(0, n)))


@given(arms, arms)
def test_interval_holds_the_difference_and_mirrors(a: Arm, b: Arm) -> None:
    found, mirrored = newcombe(a, b), newcombe(b, a)
    assert -1 - 1e-12 <= found.low <= a.rate - b.rate <= found.high <= 1 + 1e-12
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low), abs=1e-12)
