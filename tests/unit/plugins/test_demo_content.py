"""What the demonstration loads can be read in both languages, and its newcomers are nobody's friend yet."""

from __future__ import annotations

import json

import pytest

from quanyu.plugins.connectors.complete_journey.connector import CompleteJourney
from quanyu.plugins.connectors.complete_journey.made import MadeTouchpoints
from quanyu.profiles.contracts import TRAIT_LABELS


@pytest.fixture(scope="module")
def journey() -> CompleteJourney:
    return CompleteJourney()


def test_every_trait_has_a_name_in_both_languages(journey: CompleteJourney) -> None:
    bindings = next(MadeTouchpoints(journey).feeds()).chunks
    columns = [journey.members()["traits"], *(table["traits"] for table in bindings)]
    said = {name for column in columns for text in column.to_pylist() for name in json.loads(text)["set"]}
    assert {"member_level", "household_type", "age_band", "name"} <= said
    assert said <= set(TRAIT_LABELS)


def test_newcomers_have_wechat_and_no_guide_yet(journey: CompleteJourney) -> None:
    made = MadeTouchpoints(journey)
    known = {customer.household_id: customer for customer in made.customers()}
    new = made.newcomers(120)
    assert len({customer.external_userid for customer in new}) == 120
    for customer in new:
        assert customer.unionid
        assert known[customer.household_id].external_userid is None
    assert made.newcomers(120) == new
    taken = {customer.external_userid for customer in known.values()}
    assert not taken & {customer.external_userid for customer in new}
