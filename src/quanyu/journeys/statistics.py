"""Lift of the treated over the holdout: a difference, its interval, and a verdict in words.

Proportions: Newcombe's hybrid score interval (R. G. Newcombe, "Interval estimation for the difference between
independent proportions", Statistics in Medicine 17, 1998, method 10), built from Wilson's intervals (E. B. Wilson,
JASA 22, 1927). It stays within −1…1 and keeps its coverage when arms are small or nobody converts. The p-value is
the two-sided z-test with pooled proportion. Amounts per person: Welch's interval (B. L. Welch, Biometrika 34,
1947) with Satterthwaite's degrees of freedom. Student's t is inverted here by bisection on the regularised
incomplete beta function (continued fraction, DLMF 8.17.22), so that the product needs no statistics library;
the tests compare with one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from quanyu.kernel.label import Label

Verdict = Literal["positive", "negative", "inconclusive", "too_few"]

MIN_PEOPLE = 30
MIN_CONVERTED = 5
METHOD = Label(
    "转化率差：Newcombe 混合得分区间；人均金额差：Welch 区间；只比较本应收到消息的两组人",
    "Difference of rates: Newcombe's hybrid score interval; amount per person: Welch's interval; "
    "both arms are people who were due a message",
)


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm: people, how many converted, and the sums of their amounts and squared amounts (minor units)."""

    people: int
    converted: int
    amount: int = 0
    amount_squared: int = 0

    @property
    def rate(self) -> float:
        """Converted per person; 0 for an empty arm."""
        return self.converted / self.people if self.people else 0.0

    @property
    def mean_amount(self) -> float:
        """Amount per person in minor units; 0 for an empty arm."""
        return self.amount / self.people if self.people else 0.0


@dataclass(frozen=True, slots=True)
class Interval:
    """Both ends of a confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Lift:
    """What the treatment changed: rates as fractions, amounts in minor units per person."""

    confidence: float
    treated: Arm
    holdout: Arm
    difference: float
    interval: Interval
    relative: float | None
    p_value: float | None
    amount_difference: float
    amount_interval: Interval | None
    verdict: Verdict
    explanation: Label


def wilson(converted: int, people: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion; 0…1 when there is nobody."""
    if people == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, z2 = converted / people, z * z
    middle = (share + z2 / (2 * people)) / (1 + z2 / people)
    half = z / (1 + z2 / people) * math.sqrt(share * (1 - share) / people + z2 / (4 * people * people))
    # At 0 and at everybody the exact ends are 0 and 1; rounding must not move them.
    return Interval(0.0 if converted == 0 else middle - half, 1.0 if converted == people else middle + half)


def newcombe(first: Arm, second: Arm, confidence: float = 0.95) -> Interval:
    """The interval of `first.rate - second.rate`, Newcombe's method 10."""
    a, b = wilson(first.converted, first.people, confidence), wilson(second.converted, second.people, confidence)
    p, q = first.rate, second.rate
    difference = p - q
    return Interval(
        difference - math.hypot(p - a.low, b.high - q),
        difference + math.hypot(a.high - p, q - b.low),
    )


def pooled_p_value(first: Arm, second: Arm) -> float | None:
    """Two-sided p of equal proportions (z, pooled); None where it is not defined."""
    people = first.people + second.people
    if not first.people or not second.people:
        return None
    share = (first.converted + second.converted) / people
    spread = share * (1 - share) * (1 / first.people + 1 / second.people)
    if spread == 0:
        return None
    return math.erfc(abs(first.rate - second.rate) / math.sqrt(spread) / math.sqrt(2))


def welch(first: Arm, second: Arm, confidence: float = 0.95) -> Interval | None:
    """The interval of the difference of mean amounts; None where an arm has fewer than two people or no spread."""
    if first.people < 2 or second.people < 2:
        return None
    a, b = _variance_of_mean(first), _variance_of_mean(second)
    if a + b == 0:
        return None
    freedom = (a + b) ** 2 / (a * a / (first.people - 1) + b * b / (second.people - 1))
    half = student_quantile((1 + confidence) / 2, freedom) * math.sqrt(a + b)
    difference = first.mean_amount - second.mean_amount
    return Interval(difference - half, difference + half)


def _variance_of_mean(arm: Arm) -> float:
    n = arm.people
    # In integers, so that large amounts do not cancel.
    spread = n * arm.amount_squared - arm.amount * arm.amount
    return spread / (n * n * (n - 1))


def student_quantile(probability: float, freedom: float) -> float:
    """The `probability` quantile (above one half) of Student's t with `freedom` degrees of freedom."""
    if not 0.5 <= probability < 1 or freedom <= 0:
        raise ValueError(f"no quantile {probability} with {freedom} degrees of freedom")
    if freedom > 1e7:
        return NormalDist().inv_cdf(probability)
    low, high = 0.0, 1.0
    while _student_cdf(high, freedom) < probability:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if _student_cdf(middle, freedom) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _student_cdf(t: float, freedom: float) -> float:
    return 1 - _incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b): DLMF 8.17.22 by the modified Lentz method."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    tiny = 1e-300
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > tiny else tiny)
    fraction = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 + term * d
            d = 1 / (d if abs(d) > tiny else tiny)
            c = 1 + term / c
            c = c if abs(c) > tiny else tiny
            fraction *= d * c
        if abs(d * c - 1) < 1e-16:
            break
    return front * fraction / a


def lift(treated: Arm, holdout: Arm, confidence: float = 0.95) -> Lift:
    """The lift of `treated` over `holdout`, with a verdict that never claims more than the interval allows."""
    difference = treated.rate - holdout.rate
    interval = newcombe(treated, holdout, confidence)
    verdict = _verdict(treated, holdout, interval)
    return Lift(
        confidence=confidence,
        treated=treated,
        holdout=holdout,
        difference=difference,
        interval=interval,
        relative=difference / holdout.rate if holdout.rate else None,
        p_value=pooled_p_value(treated, holdout),
        amount_difference=treated.mean_amount - holdout.mean_amount,
        amount_interval=welch(treated, holdout, confidence),
        verdict=verdict,
        explanation=_explain(verdict, difference, interval, confidence),
    )


def _verdict(treated: Arm, holdout: Arm, interval: Interval) -> Verdict:
    if min(treated.people, holdout.people) < MIN_PEOPLE or treated.converted + holdout.converted < MIN_CONVERTED:
        return "too_few"
    if interval.low > 0:
        return "positive"
    return "negative" if interval.high < 0 else "inconclusive"


def _explain(verdict: Verdict, difference: float, interval: Interval, confidence: float) -> Label:
    sure, points = f"{confidence:.0%}", f"{difference * 100:+.1f}"
    low, high = f"{interval.low * 100:+.1f}", f"{interval.high * 100:+.1f}"
    range_zh, range_en = f"{sure} 区间 {low} 到 {high} 个百分点", f"{sure} interval {low} to {high} percentage points"
    if verdict == "too_few":
        return Label(
            f"人数还太少，不能下结论（每组至少 {MIN_PEOPLE} 人，合计至少 {MIN_CONVERTED} 次转化）。",
            f"Too few people to say (at least {MIN_PEOPLE} per arm and {MIN_CONVERTED} conversions are needed).",
        )
    if verdict == "positive":
        return Label(
            f"消息带来了增量：转化率提高 {points} 个百分点（{range_zh}）。",
            f"The messages added conversions: {points} percentage points ({range_en}).",
        )
    if verdict == "negative":
        return Label(
            f"消息起了反作用：转化率变化 {points} 个百分点（{range_zh}）。",
            f"The messages cost conversions: {points} percentage points ({range_en}).",
        )
    return Label(
        f"还看不出差别：转化率变化 {points} 个百分点，区间包含 0（{range_zh}）。",
        f"No difference can be seen yet: {points} percentage points, and the interval contains 0 ({range_en}).",
    )
