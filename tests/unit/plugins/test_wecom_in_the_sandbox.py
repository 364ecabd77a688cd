"""WeCom's channel in the faithful sandbox: the host's lanes on one side, customers with phones on the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from quanyu.kernel.ids import SystemIds
from quanyu.kernel.label import Label
from quanyu.messaging.api import CardTemplate, HttpRequest, Messaging
from quanyu.messaging.contracts import PersonCard
from quanyu.plugins.channels.wecom.channel import WeComChannel
from quanyu.plugins.channels.wecom.config import WeComConfig
from quanyu.promotions.api import Promotions
from quanyu.sdk.channel import ChannelPlugin
from quanyu.storage.state import State
from quanyu.storage.vault import Vault
from tests.unit.doubles import BRAND, Cards, Consents, People, Recorder, holder
from tests.unit.messaging.conftest import World
from tests.unit.sandbox.stage import AES_KEY, CORP, SECRET, START, TOKEN, Brand, on_stage


class WeComWorld(World):
    """The messaging door with one WeCom connection into a sandbox."""

    def __init__(self, state, vault, clock, stage, brand) -> None:
        self.state, self.clock, self.stage = state, clock, stage
        self.people, self.consents, self.cards = People(state), Consents(state), Cards()
        self.recorder = Recorder()
        self.promotions = Promotions(state, clock, SystemIds(), self.people, self.recorder)
        plugin = ChannelPlugin("wecom", Label("企业微信", "WeCom"), Label("", ""), "us", WeComConfig, WeComChannel)
        self.messaging = Messaging(
            state,
            vault,
            clock,
            SystemIds(),
            people=self.people,
            consents=self.consents,
            cards=self.cards,
            coupons=self.promotions,
            plugins={"wecom": plugin},
            http=lambda: stage.http,
            record_events=self.recorder,
            scope_of=lambda brand_id: BRAND,
            uniform=lambda: 0.5,
        )
        config = {
            "corp_id": CORP,
            "corp_secret": SECRET,
            "app_id": "wx1",
            "token": TOKEN,
            "aes_key": AES_KEY,
            "base_url": "http://testserver",
        }
        self.messaging.connections.create(BRAND, "wecom", "one", "WeCom", config)
        self.template = self.messaging.templates.create(
            BRAND, "Card", "{{name}}，送你一张券", CardTemplate("会员专享券", "pages/coupon")
        ).template_id
        self.count = 0
        brand.receive = self.messaging.receive

    def know(self, customers: list[str]) -> None:
        """Every customer of the sandbox as a person of ours, with consent."""
        with self.state.write() as tx:
            for number, external in enumerate(customers, 1):
                tx.execute(
                    holder.insert().values(
                        identifier_id=number,
                        person_id=number,
                        brand_id=1,
                        namespace="external_userid",
                        value=f"{CORP}:{external}",
                    )
                )
                self.cards.known[number] = PersonCard(f"p{number}", "会员", staff_id="guide1")
        self.consents.grant(range(1, len(customers) + 1), channel="wecom")

    def pass_time(self, seconds: float) -> None:
        self.stage.tick(seconds)
        self.clock.advance(timedelta(seconds=seconds))

    def texts(self) -> list[str]:
        """Whose phone shows the text of the message, once per time that it came (the card is a bubble of its own)."""
        bubbles = self.stage.look("messages", limit=100)["items"]
        return [each["external_userid"] for each in bubbles if "会员，送你一张券" in str(each)]

    def asked(self, path: str) -> int:
        calls = self.stage.look("calls", limit=1000)["items"]
        return sum(each["path"].endswith(path) for each in calls)


class ListeningBrand(Brand):
    """A brand whose callback address is our messaging door."""

    receive = None

    def _callback(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        given = HttpRequest(request.method, query, dict(request.headers), request.content)
        answer = self.receive("one", given)
        self.callback_posts += request.method == "POST"
        return httpx.Response(answer.status, content=answer.body)


@pytest.fixture
def world(tmp_path, clock):
    clock.set(datetime.fromtimestamp(START, UTC))
    state = State(f"sqlite:///{tmp_path / 'state.sqlite'}")
    from quanyu.storage.schema import metadata

    metadata.create_all(state.engine)
    vault = Vault(state, bytes(32), clock)
    vault.prepare(1)
    brand = ListeningBrand()
    with on_stage(tmp_path / "sandbox", brand) as stage:
        made = WeComWorld(state, vault, clock, stage, brand)
        yield made
        made.messaging.close()
    state.dispose()


def test_the_connection_check_passes_and_explains_a_wrong_secret(world) -> None:
    world.stage.move_in(1)
    assert [step.ok for step in world.messaging.connections.check(BRAND, "one")] == [True, True]
    shown = world.messaging.connections.view(BRAND, "one").config
    world.messaging.connections.update(BRAND, "one", given=shown | {"corp_secret": "wrong"})
    (step,) = world.messaging.connections.check(BRAND, "one")
    assert not step.ok
    assert "Secret" in step.message.zh


def test_one_call_reaches_everybody_and_the_phones_show_it(world) -> None:
    customers = world.stage.move_in(5)
    world.know([*customers, "wmstranger"])
    effects = world.wish(*(world.intent(i) for i in range(1, 7)))
    world.messaging.dispatch()
    assert world.asked("add_msg_template") == 1
    assert world.status(*effects[:5]) == [("accepted", None)] * 5
    assert world.status(effects[5]) == [("rejected", "wecom:fail_list")]
    for _ in range(6):
        world.pass_time(120)
        world.messaging.dispatch()
    assert all(world.look(each).delivered_at is not None for each in effects[:5])
    assert sorted(world.texts()) == sorted(customers)
    world.messaging.publish_events()
    assert len(world.recorder.named("message_delivered")) == 5


def test_an_answer_that_was_lost_is_found_by_the_cards_token_and_nothing_is_sent_twice(world) -> None:
    world.know(world.stage.move_in(2))
    effects = world.wish(world.intent(1), world.intent(2))
    world.stage.do("faults", {"kind": "http_500_after", "path": "externalcontact/add_msg_template", "times": 1})
    world.messaging.dispatch()
    assert world.status(*effects) == [("unknown", "unanswered")] * 2
    world.pass_time(40)
    world.messaging.dispatch()
    assert world.status(*effects) == [("accepted", None)] * 2
    assert world.asked("add_msg_template") == 1
    world.pass_time(600)
    world.messaging.dispatch()
    assert sorted(world.texts()) == ["wm000", "wm001"]


def test_a_call_that_never_arrived_is_unknown_until_a_person_decides(world) -> None:
    world.know(world.stage.move_in(1))
    (effect,) = world.wish(world.intent(1))
    world.stage.do("faults", {"kind": "http_500", "path": "externalcontact/add_msg_template", "times": 1})
    world.messaging.dispatch()
    for _ in range(5):
        world.pass_time(200)
        world.messaging.dispatch()
    assert world.status(effect) == [("unknown", "provider_has_not")]
    assert world.texts() == []


def test_revoked_tokens_and_rate_limits_are_got_over(world) -> None:
    world.know(world.stage.move_in(2))
    (first,) = world.wish(world.intent(1))
    world.messaging.dispatch()
    world.stage.do("faults", {"kind": "revoke_tokens"})
    (second,) = world.wish(world.intent(2))
    world.messaging.dispatch()
    assert world.status(first, second) == [("accepted", None)] * 2
    world.stage.do("faults", {"kind": "errcode", "errcode": 45009, "path": "externalcontact/add_msg_template"})
    (third,) = world.wish(world.intent(1))
    world.messaging.dispatch()
    assert world.status(third) == [("deferred", "provider_busy")]
    world.pass_time(90)
    world.messaging.dispatch()
    assert world.status(third) == [("accepted", None)]


def test_an_added_contact_is_told_welcomed_and_looked_up(world) -> None:
    (customer,) = world.stage.move_in(1, friend=False)
    world.know([customer])
    world.stage.do("act", {"action": "add", "external_userid": customer, "userid": "guide1", "state": "store-7"})
    world.pass_time(1)
    (added,) = world.recorder.named("contact_added")
    assert added.identifiers[0].value == f"{CORP}:{customer}"
    assert added.staff_id == "guide1"
    token = added.properties["reply_token"]
    reply = world.clock.now() + timedelta(seconds=added.properties["reply_seconds"])
    (effect,) = world.wish(world.intent(1, reply_token=token, reply_until=reply))
    world.messaging.dispatch()
    assert world.status(effect) == [("accepted", None)]
    assert world.asked("send_welcome_msg") == 1
    (known,) = world.recorder.named("identified")
    assert ("unionid", "union0") in {(each.namespace, each.value) for each in known.identifiers}
    world.stage.do("act", {"action": "block", "external_userid": customer, "userid": "guide1"})
    world.pass_time(1)
    assert len(world.recorder.named("contact_blocked")) == 1
