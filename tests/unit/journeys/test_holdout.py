from hypothesis import given
from hypothesis import strategies as st

from quanyu.journeys.holdout import BUCKETS, bucket, held_out, is_held_out


def test_the_bucket_of_a_person_never_changes() -> None:
    # Frozen values: a change here would move people between the arms of journeys that run.
    assert [bucket("s", person) for person in (1, 2, 3, 4294967295)] == [8575, 8015, 7306, 7385]
    assert bucket("t", 1) != bucket("s", 1)


def test_shares_are_even_and_salts_are_independent() -> None:
    people = range(1, 100_001)
    first, second = held_out("a", people, 10), held_out("b", people, 10)
    assert abs(sum(first.values()) - 10_000) < 4 * (100_000 * 0.1 * 0.9) ** 0.5
    both = sum(1 for person in people if first[person] and second[person])
    assert abs(both - 1_000) < 4 * (100_000 * 0.01 * 0.99) ** 0.5


@given(st.text(max_size=20), st.integers(1, 2**32 - 1), st.floats(0, 50))
def test_a_larger_percentage_only_adds_people(salt: str, person: int, percent: float) -> None:
    assert 0 <= bucket(salt, person) < BUCKETS
    if is_held_out(salt, person, percent):
        assert is_held_out(salt, person, min(50, percent + 5))
    assert not is_held_out(salt, person, 0)
