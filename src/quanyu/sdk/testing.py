"""The suite that every channel must pass: what the host relies on, tried against a network that fails in every way.

    class TestWebhook(ChannelSuite):
        channel = WebhookChannel
        config = {"url": "https://example.com/hook", "secret": "whsec_…"}

It opens no socket. What the provider answers when all is well is the plugin's own test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx

from quanyu.kernel.clock import Clock, ManualClock
from quanyu.sdk.channel import Batch, Card, Channel, Host, Message
from quanyu.sdk.config import MASK, Config
from quanyu.sdk.errors import ChannelError, NotTaken, OutcomeUnknown
from quanyu.sdk.inbound import Contact, HttpRequest

_NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
_METHODS = {"find": "find", "results": "results", "receive": "receive", "details": "details"}

Handler = Callable[[httpx.Request], httpx.Response]


def host(handler: Handler, *, connection: str = "test", clock: Clock | None = None) -> Host:
    """A host whose network is `handler`."""
    client = httpx.Client(transport=httpx.MockTransport(handler), follow_redirects=False)
    return Host(connection, client, clock or ManualClock(_NOW))


def batch(*addresses: str, text: str = "你好", card: bool = False, reply_token: str | None = None) -> Batch:
    """A batch for these addresses."""
    messages = tuple(Message(f"ef_{number}", each, reply_token) for number, each in enumerate(addresses))
    return Batch("snd_1", text, Card("领券", "pages/coupon?send=snd_1") if card else None, "anna", messages)


def _raising(error: type[httpx.HTTPError]) -> Handler:
    def handler(request: httpx.Request) -> httpx.Response:
        raise error("down", request=request)  # type: ignore[call-arg]

    return handler


def _answering(status: int, body: bytes = b"", **headers: str) -> Handler:
    return lambda _: httpx.Response(status, content=body, headers=headers)


# Everything a network does that is not an answer.
NOT_REACHED: dict[str, Handler] = {
    "refused": _raising(httpx.ConnectError),
    "connect timeout": _raising(httpx.ConnectTimeout),
}
NOT_ANSWERED: dict[str, Handler] = {
    "read timeout": _raising(httpx.ReadTimeout),
    "cut while writing": _raising(httpx.WriteError),
    "cut while reading": _raising(httpx.ReadError),
    "not HTTP": _raising(httpx.RemoteProtocolError),
}
NO_GOOD: dict[str, Handler] = {
    "server error": _answering(500, b"<html>"),
    "redirect": _answering(302, location="http://169.254.169.254/latest/meta-data/"),
    "unauthorised": _answering(401, b"{}"),
}


class ChannelSuite:
    """Subclass it as `Test…` and set `channel` and `config` (one that is valid, secrets included)."""

    channel: ClassVar[type[Channel[Any]]]
    config: ClassVar[dict[str, Any]]
    address: ClassVar[str] = "a1"

    def settings(self) -> Config:
        """The configuration, read."""
        return self.config_class().model_validate(self.config)

    def config_class(self) -> type[Config]:
        """The config class that the channel is declared with."""
        for base in getattr(self.channel, "__orig_bases__", ()):
            for argument in getattr(base, "__args__", ()):
                if isinstance(argument, type) and issubclass(argument, Config):
                    return argument
        raise AssertionError("declare the channel as Channel[YourConfig]")

    def make(self, handler: Handler) -> Channel[Any]:
        """The channel on a network."""
        return self.channel(self.settings(), host(handler))

    def secrets(self) -> list[str]:
        """The secrets of the configuration, in clear."""
        config = self.settings()
        found = [getattr(config, name).get_secret_value() for name in config.secret_fields()]
        return [secret for secret in found if secret]

    def test_the_form_can_be_made_and_hides_secrets(self) -> None:
        """The schema is JSON; secrets are masked in it, in `repr`, and kept when the mask comes back."""
        config = self.settings()
        schema = json.loads(json.dumps(type(config).model_json_schema()))
        for name in config.secret_fields():
            assert schema["properties"][name].get("writeOnly"), f"{name} must be a Secret"
        shown = config.masked()
        for secret in self.secrets():
            assert secret not in json.dumps(shown)
            assert secret not in repr(config)
        assert type(config).merged(config, shown) == config
        assert all(shown[name] in (MASK, "") for name in config.secret_fields())

    def test_it_says_what_it_is(self) -> None:
        """Kind, consent channel, namespace and batch size are set; every capability has its method."""
        made = self.make(_answering(500))
        assert made.kind
        assert made.channel
        assert made.namespace
        assert made.max_batch >= 1
        assert made.parallel >= 1
        for capability in made.capabilities & _METHODS.keys():
            method = _METHODS[capability]
            assert getattr(type(made), method) is not getattr(Channel, method), f"{capability} has no {method}()"

    def test_a_check_never_raises_and_explains_itself(self) -> None:
        """Whatever the network does, `check` gives steps, the bad one in both languages."""
        for name, handler in self._all():
            steps = list(self.make(handler).check())
            assert steps, name
            bad = [step for step in steps if not step.ok]
            assert bad, f"{name}: the check says that all is well"
            for step in bad:
                assert step.message.zh, name
                assert step.message.en, name
                assert not any(secret in step.message.en + step.message.zh for secret in self.secrets()), name

    def test_what_did_not_reach_the_provider_was_not_taken(self) -> None:
        """No connection: NotTaken, and worth trying again."""
        for name, handler in NOT_REACHED.items():
            error = self._failure(handler)
            assert isinstance(error, NotTaken), name
            assert error.transient, name

    def test_what_was_not_answered_is_never_called_sent_nor_surely_unsent(self) -> None:
        """A call that broke after it may have arrived is unknown, unless it provably changed nothing yet."""
        for name, handler in NOT_ANSWERED.items():
            error = self._failure(handler)
            assert isinstance(error, OutcomeUnknown) or (isinstance(error, NotTaken) and error.transient), name

    def test_no_bad_answer_counts_as_accepted(self) -> None:
        """Errors, redirects and refusals raise, with a remedy in both languages and no secret in the text."""
        for name, handler in NO_GOOD.items():
            error = self._failure(handler)
            problem = error.problem
            assert problem.code, name
            for label in (problem.title, problem.remedy):
                assert label.zh, name
                assert label.en, name
            assert not any(secret in str(error) + repr(problem) for secret in self.secrets()), name

    def test_redirects_are_not_followed(self) -> None:
        """A provider cannot send us to another address."""
        asked: list[str] = []

        def redirecting(request: httpx.Request) -> httpx.Response:
            asked.append(request.url.host)
            return httpx.Response(302, headers={"location": "http://169.254.169.254/"})

        self._failure(redirecting)
        assert "169.254.169.254" not in asked

    def test_a_forged_callback_gives_no_event(self) -> None:
        """What is not genuine is answered with 4xx and read no further."""
        made = self.make(_answering(500))
        if "receive" not in made.capabilities:
            return
        for body in (b"", b"<xml/>", b"\xff\xfe", b"{}", b"<xml><Encrypt>AAAA</Encrypt></xml>"):
            for method in ("GET", "POST"):
                request = HttpRequest(method, {"msg_signature": "0", "timestamp": "1", "nonce": "2"}, {}, body)
                received = made.receive(request)
                assert 400 <= received.answer.status < 500, body
                assert not received.events, body
                assert not received.contacts, body

    def test_asking_afterwards_fails_as_a_channel_error(self) -> None:
        """`find`, `results` and `details` raise nothing but channel errors when the network fails."""
        for name, handler in self._all():
            made = self.make(handler)
            calls: list[Callable[[], object]] = []
            if "find" in made.capabilities:
                calls.append(lambda made=made: made.find(batch(self.address, card=True), _NOW))  # type: ignore[misc]
            if "results" in made.capabilities:
                calls.append(lambda made=made: made.results("ref"))  # type: ignore[misc]
            if "details" in made.capabilities:
                calls.append(lambda made=made: made.details(Contact(self.address)))  # type: ignore[misc]
            for ask in calls:
                try:
                    ask()
                except ChannelError:
                    continue
                raise AssertionError(f"{name}: a failed question was answered")

    def _failure(self, handler: Handler) -> ChannelError:
        try:
            self.make(handler).send(batch(self.address))
        except ChannelError as error:
            return error
        raise AssertionError("the send counts as accepted")

    @staticmethod
    def _all() -> Iterator[tuple[str, Handler]]:
        yield from {**NOT_REACHED, **NOT_ANSWERED, **NO_GOOD}.items()
