# SPDX-License-Identifier: MIT
"""The life of a session, against a server that does what no real one does on command."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any
from xml.etree.ElementTree import Element

import pytest

from pubkeep.clock import Clock
from pubkeep.config import XmppSection
from pubkeep.errors import InvalidArgs, Refused, TimedOut, Unavailable
from pubkeep.model import Account, AccountState, NodeKey, Tls
from pubkeep.ports import SessionStatus
from pubkeep.protocol import ItemsQuery, Listing, NodeEvent
from pubkeep.xmpp.inbox import Inbox
from pubkeep.xmpp.requests import IN_FLIGHT
from pubkeep.xmpp.session import LASTING, Session
from tests.fixtures.server import FakeServer

KEY = NodeKey("alice@localhost", "pubsub.localhost", "news")
EVENT = "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='news'><item id='{}'/></items></event>"
STREAM_ERROR = "<stream:error><{} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
FAILURE = "<failure {}><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></failure>"
QUICK = XmppSection(keepalive_interval=0.05, keepalive_timeout=0.05)
SLOW = XmppSection()
ASKED = XmppSection(keepalive_interval=3600, keepalive_timeout=0.5)
"""Looks for signs of life only when it is asked to."""
FOR_EVER = 3600.0


class Delays(Clock):
    """A clock that notes how long a delay would be, and waits almost none of it; it can be put forward."""

    tick = 0.01

    def __init__(self) -> None:
        self.wanted: list[float] = []
        self.forward = 0.0
        self.delay = 0.01
        """Seconds that are waited in truth."""

    def boottime(self) -> float:
        return super().boottime() + self.forward

    def jitter(self, low: float, high: float) -> float:
        self.wanted.append(high)
        return self.delay


class Bench:
    """A session; what it tells is noted."""

    def __init__(self, server: FakeServer, clock: Delays) -> None:
        self.server = server
        self.clock = clock
        self.said: list[str] = []
        self.events: list[NodeEvent] = []
        self.states: list[SessionStatus] = []
        self._news = asyncio.Event()
        self.session: Session

    def start(self, settings: XmppSection = SLOW, tls: Tls = "allow-plaintext") -> None:
        account = Account(1, "alice@localhost", "pubkeep-1", 0, host="127.0.0.1", port=self.server.port, tls=tls)
        self.session = Session(account, "secret", Inbox(), self, self._tell, settings, self.clock, ())

    async def established(self, settings: XmppSection = SLOW) -> None:
        """A session begins, and all that belongs to its beginning is over."""
        self.start(settings)
        await self.server.up.wait()
        await self.server.fence()

    def _tell(self, _: str, status: SessionStatus) -> None:
        self.states.append(status)
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it is true; looked at when the session says something, or the server hears something."""
        async with asyncio.timeout(30):
            while not condition():
                self._news.clear()
                try:
                    async with asyncio.timeout(0.01):
                        await self._news.wait()
                except TimeoutError:
                    pass

    async def reached(self, state: AccountState, words: str = "") -> SessionStatus:
        """Wait for a state, now or to come; it is taken off the list."""
        found: list[SessionStatus] = []

        def there() -> bool:
            found[:] = [each for each in self.states if each.state is state and words in each.message]
            return bool(found)

        await self.until(there)
        del self.states[: self.states.index(found[0]) + 1]
        return found[0]

    def ask(self) -> "asyncio.Task[Listing]":
        async def apply(listing: Listing) -> Listing:
            return listing

        return asyncio.create_task(self.session.pubsub.items(KEY, ItemsQuery(), apply))

    # -- ports.SessionListener -------------------------------------------------------------------

    def session_started(self, account: str) -> None:
        self.said.append("started")

    def session_resumed(self, account: str) -> None:
        self.said.append("resumed")

    def session_lost(self, account: str) -> None:
        self.said.append("lost")

    def answered(self, account: str, service: str, sent_at: float) -> None:
        pass

    def path_lost(self, account: str, service: str) -> None:
        self.said.append(f"path lost to {service}")

    def contacts(self, account: str, contacts: frozenset[str]) -> None:
        pass

    def dropped(self, account: str, why: str) -> None:
        self.said.append(f"dropped {why}")

    async def handle(self, event: NodeEvent) -> None:
        self.events.append(event)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with FakeServer() as server:
        bench = Bench(server, Delays())
        yield bench
        await bench.session.stop()


# -- signs of life -----------------------------------------------------------------------------------


async def test_a_link_that_answers_no_ping_is_given_up(bench: Bench) -> None:
    bench.server.silent = {"ping"}
    bench.start(QUICK)

    status = await bench.reached(AccountState.WAITING)

    assert "did not answer a ping" in status.message
    assert bench.said == ["started", "lost"]


async def test_a_link_on_which_something_else_comes_is_kept(bench: Bench) -> None:
    bench.server.silent = {"ping"}
    bench.start(QUICK)
    await bench.reached(AccountState.ONLINE)

    def pings() -> int:
        bench.server.send(" ")
        return bench.server.log.count("ping")

    await bench.until(lambda: pings() >= 4)

    assert bench.server.connections == 1


async def test_a_ping_does_not_wait_for_room_among_the_requests(bench: Bench) -> None:
    bench.start()
    await bench.server.up.wait()
    asked = [bench.ask() for _ in range(IN_FLIGHT + 1)]
    await bench.until(lambda: bench.server.log.count("iq") == IN_FLIGHT)

    bench.server.cut()
    await bench.until(lambda: "resumed" in bench.said)

    assert bench.server.log.count("ping") == 1
    for each in asked:
        each.cancel()


async def test_a_link_that_was_asleep_for_hours_is_asked_for_a_sign_of_life_at_once(bench: Bench) -> None:
    bench.start(XmppSection(keepalive_interval=FOR_EVER, keepalive_timeout=0.05))
    await bench.reached(AccountState.ONLINE)
    await bench.server.fence()
    bench.server.silent = {"ping"}

    bench.clock.forward = 8 * FOR_EVER
    status = await bench.reached(AccountState.WAITING)

    assert "did not answer a ping" in status.message


async def test_a_delay_is_over_when_the_machine_slept_through_it(bench: Bench) -> None:
    bench.clock.delay = FOR_EVER
    bench.server.cut_at = "open"
    bench.start()
    await bench.reached(AccountState.WAITING)
    bench.server.cut_at = ""

    bench.clock.forward = 8 * FOR_EVER

    await bench.reached(AccountState.ONLINE)


# -- somebody asks to connect now --------------------------------------------------------------------


async def test_who_asks_to_connect_before_the_loss_is_noticed_is_not_forgotten(bench: Bench) -> None:
    bench.start()
    await bench.server.up.wait()
    bench.clock.delay = FOR_EVER

    bench.server.cut()
    bench.session.connect_now()
    await bench.until(lambda: "resumed" in bench.said)

    assert bench.server.connections == 2


async def test_who_asks_to_connect_over_a_link_that_is_dead_gets_another_one(bench: Bench) -> None:
    bench.start(ASKED)
    await bench.server.up.wait()
    await bench.reached(AccountState.ONLINE)
    await bench.server.fence()
    bench.clock.delay = FOR_EVER
    bench.server.silent = {"ping"}

    bench.session.connect_now()
    await bench.reached(AccountState.WAITING, "did not answer a ping")

    await bench.until(lambda: "resume" in bench.server.log)


async def test_who_asks_to_connect_over_a_link_that_lives_changes_nothing(bench: Bench) -> None:
    bench.start(ASKED)
    await bench.server.up.wait()
    await bench.reached(AccountState.ONLINE)
    await bench.server.fence()
    bench.clock.delay = FOR_EVER

    bench.session.connect_now()
    await bench.until(lambda: "ping" in bench.server.log)
    await bench.server.fence()
    bench.server.cut()
    await bench.reached(AccountState.WAITING)

    assert bench.server.connections == 1  # the wish was fulfilled, and is none any more


async def test_who_asks_to_connect_in_an_attempt_that_hangs_begins_another_one(bench: Bench) -> None:
    bench.clock.delay = FOR_EVER
    bench.server.silent = {"open"}
    bench.start(ASKED)
    await bench.until(lambda: "open" in bench.server.log)

    bench.server.silent = set()
    bench.session.connect_now()
    await bench.reached(AccountState.ONLINE)

    assert bench.server.connections == 2


# -- sessions that do not last -----------------------------------------------------------------------


async def test_a_server_that_ends_each_session_at_once_is_asked_less_and_less_often(bench: Bench) -> None:
    bench.server.cut_at = "presence"
    bench.start()

    await bench.until(lambda: len(bench.clock.wanted) >= 4)

    assert bench.clock.wanted[:4] == [2.0, 4.0, 8.0, 16.0]


async def test_after_a_session_that_lasted_the_next_is_tried_at_once(bench: Bench) -> None:
    await bench.established()

    bench.clock.forward = LASTING
    bench.server.cut()
    await bench.reached(AccountState.WAITING)

    assert bench.clock.wanted == [1.0]


async def test_requests_fail_when_no_session_is_reached_again(bench: Bench) -> None:
    bench.start()
    await bench.server.up.wait()
    asked = bench.ask()
    await bench.until(lambda: "iq" in bench.server.log)

    bench.server.cut_at = "open"
    bench.server.cut()

    with pytest.raises(Unavailable, match="not connected: the connection was lost"):
        await asked
    assert not bench.session.online


async def test_a_text_that_xml_cannot_hold_is_an_error_and_nothing_is_sent(bench: Bench) -> None:
    bench.start()
    await bench.server.up.wait()

    with pytest.raises(InvalidArgs, match="control character"):
        await bench.session.pubsub.subscriptions(KEY._replace(node="a\x00b"))
    await bench.server.fence()

    assert bench.server.log.count("iq") == 1  # the fence's


# -- cuts in a login ---------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["open", "starttls", "tls", "auth", "bind", "enable", "presence"])
async def test_a_cut_at_any_stage_of_the_login_is_noticed_at_once(bench: Bench, stage: str) -> None:
    bench.server.cut_at = stage
    bench.server.offers_tls = stage in ("starttls", "tls")
    bench.start(tls="required" if bench.server.offers_tls else "allow-plaintext")

    status = await bench.reached(AccountState.WAITING)

    assert "the connection was lost" in status.message
    assert bench.server.log[-1] == stage


@pytest.mark.parametrize("stage", ["open", "starttls", "tls", "auth", "restart", "bind"])
async def test_a_login_in_which_the_server_falls_silent_is_given_up(bench: Bench, stage: str) -> None:
    bench.server.silent = {stage}
    bench.server.offers_tls = stage in ("starttls", "tls")
    bench.start(
        replace(SLOW, negotiation_timeout=1.0), tls="required" if bench.server.offers_tls else "allow-plaintext"
    )

    status = await bench.reached(AccountState.WAITING)
    bench.server.silent, bench.server.offers_tls = set(), False
    await bench.until(lambda: bench.server.connections >= 2)

    assert "did not finish the login within 1 s" in status.message
    assert bench.server.log[: bench.server.log.index(stage) + 2][-2:] == [stage, "open"]  # nothing else in between


@pytest.mark.parametrize("stage", ["open", "auth", "restart", "resume"])
async def test_a_cut_at_any_stage_of_a_resumption_is_noticed_at_once_and_the_session_goes_on(
    bench: Bench, stage: str
) -> None:
    await bench.established()
    bench.server.cut_at = stage
    bench.server.cut()
    await bench.until(lambda: bench.server.connections >= 3)

    bench.server.cut_at = ""
    await bench.until(lambda: "resumed" in bench.said)

    assert bench.said == ["started", "lost", "resumed"]


async def test_a_resumption_that_is_not_answered_is_given_up_and_tried_again(bench: Bench) -> None:
    await bench.established(replace(SLOW, negotiation_timeout=1.0))
    bench.server.silent = {"resume"}
    bench.server.cut()
    await bench.reached(AccountState.WAITING, "did not finish the login")

    bench.server.silent = set()
    await bench.until(lambda: "resumed" in bench.said)

    assert bench.said == ["started", "lost", "resumed"]


async def test_a_resumption_that_is_refused_is_a_new_session_on_the_same_connection(bench: Bench) -> None:
    await bench.established()

    bench.server.resumes = False
    bench.server.cut()
    await bench.until(lambda: bench.said.count("started") == 2)
    await bench.server.fence()

    assert bench.said == ["started", "lost", "started"]
    assert (bench.server.connections, bench.server.log.count("bind")) == (2, 2)


async def test_a_server_that_does_not_let_its_streams_be_resumed_serves_all_the_same(bench: Bench) -> None:
    bench.server.enables = False
    bench.server.answer = lambda _: "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='news'/></pubsub>"
    bench.start()
    await bench.server.up.wait()
    first = await bench.ask()

    bench.server.cut()
    await bench.until(lambda: bench.said.count("started") == 2)

    assert first.items == (await bench.ask()).items == ()
    assert "resume" not in bench.server.log


async def test_a_server_that_never_says_whether_its_streams_can_be_resumed_serves_all_the_same(bench: Bench) -> None:
    bench.server.silent = {"enable"}
    bench.server.answer = lambda _: "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='news'/></pubsub>"
    bench.start()
    await bench.reached(AccountState.ONLINE)
    await bench.ask()

    bench.server.cut()
    await bench.until(lambda: bench.said.count("started") == 2)

    assert "resume" not in bench.server.log


async def test_a_server_that_restarts_says_so_and_is_asked_again(bench: Bench) -> None:
    await bench.established()

    bench.server.resumes = False
    bench.server.send(STREAM_ERROR.format("system-shutdown"))
    status = await bench.reached(AccountState.WAITING)
    await bench.until(lambda: bench.said.count("started") == 2)

    assert status.message.startswith("the server ended the stream: system-shutdown")


async def test_a_conflict_ends_the_attempts(bench: Bench) -> None:
    bench.start()
    await bench.server.up.wait()
    asked = bench.ask()
    await bench.until(lambda: "iq" in bench.server.log)

    bench.server.send(STREAM_ERROR.format("conflict"))
    status = await bench.reached(AccountState.REFUSED)

    assert (status.error, bench.server.connections, bench.session.online) == ("Conflict", 1, False)
    with pytest.raises(Unavailable, match="another program connected with this resource"):
        await asked


# -- what a resumed session proves -------------------------------------------------------------------


async def test_a_resumed_session_counts_from_the_answer_to_a_ping_on(bench: Bench) -> None:
    await bench.established()
    bench.server.silent = {"ping"}

    bench.server.cut()
    await bench.until(lambda: "ping" in bench.server.log)
    await bench.server.fence()
    before = list(bench.said)
    bench.server.cut()  # a second one, before the ping of the first is answered
    bench.server.silent = set()
    await bench.until(lambda: "resumed" in bench.said)

    assert before == ["started", "lost"]
    assert bench.said == ["started", "lost", "lost", "resumed"]


async def test_a_resumed_link_that_answers_no_ping_is_given_up(bench: Bench) -> None:
    await bench.established(replace(SLOW, reply_timeout=0.5))
    bench.server.silent = {"ping"}

    bench.server.cut()
    await bench.reached(AccountState.WAITING, "did not answer a ping after it had resumed the session")
    bench.server.silent = set()

    await bench.until(lambda: "resumed" in bench.said)


async def test_a_resumed_link_on_which_much_is_replayed_is_kept_and_asked_again(bench: Bench) -> None:
    await bench.established(replace(SLOW, reply_timeout=0.5))
    bench.server.silent = {"ping"}
    bench.server.cut()
    await bench.until(lambda: "resume" in bench.server.log)

    def pings() -> int:
        bench.server.send(" ")
        return bench.server.log.count("ping")

    await bench.until(lambda: pings() >= 4)
    bench.server.silent = set()
    await bench.until(lambda: pings() >= 4 and "resumed" in bench.said)

    assert bench.server.connections == 2
    assert bench.said == ["started", "lost", "resumed"]


async def test_what_was_asked_before_a_cut_and_is_not_answered_by_the_ping_is_asked_again(bench: Bench) -> None:
    bench.start()
    await bench.server.up.wait()
    asked = bench.ask()
    await bench.until(lambda: "iq" in bench.server.log)  # it has come, and its answer never will

    bench.server.answer = lambda _: "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='news'/></pubsub>"
    bench.server.cut()

    assert (await asked).items == ()
    assert bench.server.log.count("iq") == 2
    assert bench.said == ["started", "lost", "resumed"]


async def test_what_was_written_before_a_cut_and_is_not_answered_by_the_ping_may_have_happened(bench: Bench) -> None:
    bench.start()
    await bench.server.up.wait()
    writing = asyncio.create_task(bench.session.pubsub.create_node(KEY, {}))
    await bench.until(lambda: "iq" in bench.server.log)

    bench.server.cut()

    with pytest.raises(TimedOut, match="it may have happened"):
        await writing
    await bench.server.fence()
    assert bench.server.log.count("iq") == 2  # it, and the fence's: nothing is written twice


async def test_a_cut_while_resuming_leaves_nothing_that_logs_in_twice(bench: Bench) -> None:
    await bench.established()
    bench.server.cut_at = "resume"
    bench.server.cut()
    await bench.until(lambda: "resume" in bench.server.log)

    bench.server.cut_at, bench.server.resumes = "", False
    await bench.until(lambda: bench.said.count("started") == 2)
    await bench.server.fence()

    assert bench.server.log.count("bind") == 2


# -- what is not accepted ----------------------------------------------------------------------------


async def test_what_comes_before_the_login_may_be_anybodys(bench: Bench) -> None:
    bench.server.before_login = f"<message from='pubsub.localhost'>{EVENT.format('early')}</message>"
    bench.start()
    await bench.server.up.wait()

    bench.server.send(f"<message from='pubsub.localhost'>{EVENT.format('late')}</message>")
    await bench.until(lambda: bool(bench.events))

    assert [event.items[0].id for event in bench.events] == ["late"]


async def test_an_event_that_no_service_sent_is_dropped_and_counted(bench: Bench) -> None:
    bench.start()
    await bench.server.up.wait()
    event = EVENT.format("x")

    bench.server.send(f"<message from='room@localhost/nick'>{event}</message>")
    bench.server.send(f"<message from='pubsub.localhost' type='error'>{event}</message>")
    bench.server.send(
        "<message from='alice@localhost'><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"
        f"<message xmlns='jabber:client' from='pubsub.localhost'>{event}</message></forwarded></received></message>"
    )
    bench.server.send(f"<message from='pubsub.localhost'>{event}</message>")
    await bench.until(lambda: bool(bench.events))

    assert bench.said == ["started", "dropped sender", "dropped error", "dropped wrapped"]
    assert len(bench.events) == 1


@pytest.mark.parametrize("namespace", ["urn:ietf:params:xml:ns:xmpp-sasl", "urn:xmpp:sasl:2"])
@pytest.mark.parametrize("element", ["<challenge {}>cj0x</challenge>", "<success {}/>", FAILURE])
async def test_what_belongs_to_a_login_is_dropped_and_counted_after_it(
    bench: Bench, element: str, namespace: str
) -> None:
    await bench.established()
    before = list(bench.server.log)

    bench.server.send(element.format(f"xmlns='{namespace}'"))
    bench.server.send(f"<message from='pubsub.localhost'>{EVENT.format('next')}</message>")
    await bench.until(lambda: bool(bench.events))
    await bench.server.fence()

    assert bench.said == ["started", "dropped login"]
    assert bench.server.log == [*before, "iq"]  # the fence's


@pytest.mark.parametrize(
    "offer",
    [
        "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
        "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>",
    ],
    ids=["to encrypt", "to bind"],
)
@pytest.mark.parametrize("resumed", [False, True], ids=["begun", "resumed"])
async def test_an_offer_of_a_login_is_dropped_and_counted_when_a_session_is_there(
    bench: Bench, offer: str, resumed: bool
) -> None:
    await bench.established()
    if resumed:
        bench.server.cut()
        await bench.until(lambda: "resumed" in bench.said)
    before = list(bench.said)

    bench.server.send(offer)
    await bench.server.fence()

    assert bench.said == [*before, "dropped login"]
    assert not {"tls", "starttls"}.intersection(bench.server.log)
    assert bench.server.log.count("bind") == 1


# -- too much ----------------------------------------------------------------------------------------


async def test_a_message_that_is_too_much_is_a_loss_on_the_way_to_its_sender(bench: Bench) -> None:
    bench.start()
    await bench.server.up.wait()

    bench.server.send(f"<message from='pubsub.localhost'>{'<b>' * 300}{'</b>' * 300}</message>")
    await bench.server.fence()

    assert bench.said == ["started", "path lost to pubsub.localhost"]
    assert bench.server.connections == 1


async def test_an_answer_that_is_too_much_is_an_error_and_the_session_goes_on(bench: Bench) -> None:
    bench.start()
    await bench.server.up.wait()
    bench.server.answer = lambda _: "<b>" * 300 + "</b>" * 300

    with pytest.raises(Refused, match="nested more than 200 deep"):
        await bench.ask()

    assert bench.server.connections == 1


async def test_an_answer_that_does_not_end_is_an_error_ends_the_session_and_is_said(bench: Bench) -> None:
    bench.start(replace(SLOW, max_stanza=1024 * 1024))
    await bench.server.up.wait()

    def flood(iq: Element) -> str:
        items = "".join(f"<item id='{number}'><x>{'y' * 10_000}</x></item>" for number in range(200))
        return f"<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='news'>{items}</items></pubsub>"

    bench.server.answer = flood
    bench.clock.forward = LASTING  # no matter how long it was good
    asked = bench.ask()
    status = await bench.reached(AccountState.WAITING)
    await bench.until(lambda: bench.said.count("started") == 2)

    with pytest.raises(Refused, match=r"see \[xmpp\] max_stanza"):
        await asked
    assert "a stanza is longer than 1048576 bytes; see [xmpp] max_stanza" in status.message
    assert "resume" not in bench.server.log
    assert bench.clock.wanted == [2.0]


@pytest.mark.parametrize(
    "stanza",
    [
        "<iq type='get' from='bob@localhost/\N{GRINNING FACE}' id='1'><x xmlns='urn:x'/></iq>",
        "<iq type='set' from='@@' id='1'><query xmlns='jabber:iq:roster'/></iq>",
        "<presence from='@@'/>",
        "<message from='bob@localhost'><x xmlns='urn:}x' xmlns:p='{' p:k='1'/></message>",
        "<a xmlns='urn:xmpp:sm:3' h='many'/>",
        "<a xmlns='urn:xmpp:sm:3'/>",
    ],
)
async def test_a_stanza_that_cannot_be_handled_is_passed_over(bench: Bench, stanza: str) -> None:
    await bench.established()

    bench.server.send(stanza + f"<message from='pubsub.localhost'>{EVENT.format('next')}</message>")
    await bench.until(lambda: bool(bench.events))

    assert [event.items[0].id for event in bench.events] == ["next"]
    assert (bench.said, bench.server.connections) == (["started"], 1)


async def test_a_flood_is_worked_off_in_turn_with_everybody_else(bench: Bench) -> None:
    bench.start()
    await bench.server.up.wait()
    turns: list[Any] = []

    async def count() -> None:
        while True:
            await asyncio.sleep(0)
            turns.append(None)

    bench.server.send("<message/>" * 3_000)
    before = len(turns)
    counting = asyncio.create_task(count())
    await bench.server.fence()
    counting.cancel()

    assert len(turns) - before > 10
