# SPDX-License-Identifier: MIT
"""The script, told to the simulated services: carol is the account that they are seen from."""

from xml.etree import ElementTree as ET

from tests.golden.requests import SERVICE
from tests.golden.steps import BOB, PEP, Step
from tests.simulation.history import History
from tests.simulation.paging import Asked
from tests.simulation.refusals import CLOSED, CONTACTS_ONLY, FORBIDDEN, Refusal
from tests.simulation.services import Notice, Profile, Rules, Service

_PUBSUB, _OWNER = "{http://jabber.org/protocol/pubsub}", "{http://jabber.org/protocol/pubsub#owner}"
_RSM, _DATA, _DISCO = "{http://jabber.org/protocol/rsm}", "{jabber:x:data}", "{http://jabber.org/protocol/disco#"
_BAD, _INVALID = ("modify", "bad-request"), ("modify", "bad-request", "invalid-payload")
_MISSING = ("modify", "bad-request", "item-required")


class Conversation:
    """Says what the service answers and tells in each step, as essence.py says it of the real one."""

    def __init__(self, profile: Profile, at_home: Profile) -> None:
        self.profile = profile
        self.services = {SERVICE: Service(SERVICE, profile), BOB: Service(BOB, at_home)}
        self._open: set[str] = set()
        """Nodes where everybody may publish."""
        self._closed: set[str] = set()
        """Nodes that only those on a list may read."""
        self._affiliated: dict[str, set[str]] = {}
        self._at = 0.0
        self._edges = {"{first}": "no-cursor", "{last}": "no-cursor"}
        self.away = False

    def step(self, step: Step) -> list[tuple[str, str]]:
        """Who is told or answered what, in order for each of them."""
        self._at += 1.0
        if not step.stanza.startswith("<iq"):
            return self._presence(step.stanza)
        text = step.stanza
        for name, value in self._edges.items():
            text = text.replace(name, value)
        iq = ET.fromstring(text)
        told: list[Notice] = []
        try:
            answer = self._answer(step.who, iq, told)
        except Refusal as refusal:
            answer = str(refusal)
        notices = [("carol", _words(notice)) for notice in told if not self.away]
        first = answer.startswith("result subscribed") and self.profile.prosody
        return [(step.who, answer), *notices] if first else [*notices, (step.who, answer)]

    # -- requests --------------------------------------------------------------------------------

    def _answer(self, who: str, iq: ET.Element, told: list[Notice]) -> str:
        service = self.services[iq.get("to", BOB)]
        query = iq[0]
        if query.tag.startswith(_DISCO):
            return self._discover(service, query)
        asked = query[0]
        name, node = asked.tag.rpartition("}")[2], asked.get("node", "")
        if query.tag.startswith(_OWNER):
            return self._own(service, who, name, node, asked, told)
        match name:
            case "items" if iq.get("type") == "get":
                return self._get(service, node, query)
            case "create":
                return self._create(service, node, query)
            case "publish":
                return self._publish(service, who, node, query, told)
            case "retract":
                return self._retract(service, who, node, asked, told)
            case "subscribe":
                return self._subscribe(service, node, asked.get("jid", ""), told)
            case "unsubscribe":
                service.unsubscribe(node)
                return "result none" if self.profile.prosody else "result"
            case "subscriptions":
                return " ".join(["result", *(service.subscriptions(node) if node else ())])
        raise AssertionError(name)

    def _get(self, service: Service, node: str, query: ET.Element) -> str:
        if not node:
            raise Refusal("modify", "bad-request", "nodeid-required" if self.profile.prosody else "")
        asked, rsm = query[0], query.find(f"{_RSM}set")
        ids = tuple(item.get("id", "") for item in asked)
        number = self._number(asked.get("max_items"))
        request = Asked(ids, number)
        if rsm is not None and self.profile.prosody:
            request = Asked(ids, number, paged=True)
        elif rsm is not None:
            size, index = (self._number(rsm.findtext(f"{_RSM}{name}")) for name in ("max", "index"))
            after, before = (rsm.findtext(f"{_RSM}{name}") for name in ("after", "before"))
            request = Asked(ids, number, True, size, after, before, index)
        found, edges = service.part(node, request)
        said = "items " + " ".join(f"{item.id}={item.text}" for item in found)
        if edges is None:
            return said
        if edges.first is not None:
            self._edges = {"{first}": edges.first, "{last}": edges.last or ""}
        return f"{said} |{'' if edges.first is None else f' from {edges.index}'} of {edges.count}"

    def _number(self, text: str | None) -> int | None:
        try:
            return int(text) if text else None
        except ValueError:
            if self.profile.prosody:
                return None
            raise Refusal(*_BAD) from None

    def _publish(self, service: Service, who: str, node: str, query: ET.Element, told: list[Notice]) -> str:
        if service.jid == BOB and node not in service.nodes:
            self._make(service, node, {"max_items": "1"})
            service.holding(node).refusal = FORBIDDEN if self.profile.prosody else CONTACTS_ONLY
            service.change(node, self._at, "deny")
        service.there(node)
        if who == "carol" and node not in self._open:
            raise Refusal(*FORBIDDEN)
        items = list(query[0])
        if len(items) > 1 and self.profile.ejabberd:
            raise Refusal(*_INVALID)
        if len(items[0]) != 1:
            raise Refusal(*((*_BAD, "") if self.profile.prosody else _MISSING if not len(items[0]) else _INVALID))
        options = {each.get("var", ""): each.findtext(f"{_DATA}value") for each in query.iter(f"{_DATA}field")}
        if options.get("pubsub#access_model") == "whitelist":
            raise Refusal("cancel", "conflict", "precondition-not-met")
        if self.profile.ejabberd and set(options) - {"FORM_TYPE", "pubsub#access_model"}:
            raise Refusal("wait", "resource-constraint")
        if who not in self._affiliated.get(node, {"bob"}) and not (who == "carol" and node in service.subscribed):
            service.holding(node).strangers.add(who)
        text = "".join(items[0].itertext())
        told += service.change(node, self._at, "put", items[0].get("id", ""), text, by=who)[1]
        return "result"

    def _retract(self, service: Service, who: str, node: str, asked: ET.Element, told: list[Notice]) -> str:
        service.there(node)
        if who == "carol" and node not in self._open:
            raise Refusal(*FORBIDDEN)
        ids = [item.get("id", "") for item in asked]
        if self.profile.ejabberd and len(ids) != 1:
            raise Refusal(*(_INVALID if ids else _MISSING))
        notify = asked.get("notify") == "true"
        told += service.change(node, self._at, "del", ids[0] if ids else "", by=who, notify=notify)[1]
        return "result"

    def _subscribe(self, service: Service, node: str, jid: str, told: list[Notice]) -> str:
        if not jid.startswith("carol@"):
            raise Refusal(*(FORBIDDEN if self.profile.prosody else ("modify", "bad-request", "invalid-jid")))
        told += service.subscribe(node)
        service.holding(node).strangers.discard("carol")
        return f"result {service.holding(node).subscription}"

    def _discover(self, service: Service, query: ET.Element) -> str:
        node = query.get("node", "")
        if query.tag.endswith("info}query"):
            service.info(node)
            return "result"
        names = [item.name for item in service.listed(node)] if node else list(service.nodes)
        return " ".join(["listed", *names])

    # -- what owners ask -------------------------------------------------------------------------

    def _own(self, service: Service, who: str, name: str, node: str, asked: ET.Element, told: list[Notice]) -> str:
        service.there(node)
        if who == "carol":
            raise Refusal(*FORBIDDEN)
        if name in ("purge", "delete"):
            told += service.change(node, self._at, {"purge": "purge", "delete": "gone"}[name])[1]
        elif name == "configure":
            fields = {each.get("var", ""): each.findtext(f"{_DATA}value", "") for each in asked.iter(f"{_DATA}field")}
            told += self._configure(service, node, {key.partition("#")[2]: value for key, value in fields.items()})
        elif name == "affiliations" and len(asked):
            self._affiliate(service, node, asked[0].get("jid", ""), asked[0].get("affiliation", ""))
        elif name == "subscriptions" and len(asked):
            service.subscribed.discard(node)
            told += [("subscription",)] if self.profile.ejabberd else []
        return "result"

    def _create(self, service: Service, node: str, query: ET.Element) -> str:
        fields = {each.get("var", ""): each.findtext(f"{_DATA}value", "") for each in query.iter(f"{_DATA}field")}
        config = {key.partition("#")[2]: value for key, value in fields.items()}
        if config.get("access_model") == "nonsense":
            raise Refusal(*(("modify", "not-acceptable") if self.profile.prosody else ("wait", "resource-constraint")))
        if node in service.nodes and service.nodes[node].state().exists:
            raise Refusal("cancel", "conflict")
        self._make(service, node, config)
        return "result"

    def _make(self, service: Service, node: str, config: dict[str, str]) -> None:
        if node in service.nodes:
            service.change(node, self._at, "made")
        else:
            service.nodes[node] = History(service.profile.order)
        if config.get("publish_model") == "open":
            self._open.add(node)
        self._affiliated[node] = {"bob"}
        self._configure(service, node, config)

    def _configure(self, service: Service, node: str, config: dict[str, str]) -> list[Notice]:
        rules, told = service.holding(node).rules, list[Notice]()
        for name, value in config.items():
            match name:
                case "max_items":
                    told += service.change(node, self._at, "limit", value)[1]
                case "access_model" if value == "authorize" and self.profile.prosody:
                    raise Refusal("modify", "not-acceptable")
                case "access_model" if value != "open":
                    service.holding(node).refusal = (
                        FORBIDDEN if self.profile.prosody or value == "authorize" else CLOSED
                    )
                    service.holding(node).subscription = "pending" if value == "authorize" else "subscribed"
                    self._closed.add(node)
                    service.change(node, self._at, "close")
                case "persist_items":
                    service.change(node, self._at, "on" if value == "1" else "off")
                case _:
                    _set(rules, name, value == "1")
        tells = self.profile.ejabberd and rules.notify_config and service.hears(node)
        return [*told, ("config",)] if tells else told

    def _affiliate(self, service: Service, node: str, jid: str, affiliation: str) -> None:
        who = jid.partition("@")[0]
        self._affiliated[node].add(who)
        if who == "carol":
            allowed = affiliation == "member" or (affiliation == "none" and node not in self._closed)
            service.change(node, self._at, "allow" if allowed else "deny")

    # -- presence --------------------------------------------------------------------------------

    def _presence(self, stanza: str) -> list[tuple[str, str]]:
        """Contacts may read at home; who comes online is told of the last items again."""
        home = self.services[BOB]
        if "'subscribed'" in stanza and PEP in home.nodes:
            home.change(PEP, self._at, "allow")
        self.away = stanza == "leave"
        service = self.services[SERVICE]
        back = service.subscribed if stanza == "enter" and self.profile.ejabberd else ()
        return [("carol", _words(notice)) for node in back for notice in service.last(node, "put")]


def _set(rules: Rules, name: str, value: bool) -> None:
    match name:
        case "deliver_payloads":
            rules.payloads = value
        case "deliver_notifications":
            rules.muted = not value
        case "notify_retract" | "notify_delete" | "notify_config":
            setattr(rules, name, value)


def _words(notice: Notice) -> str:
    match notice:
        case ("put", item_id, text):
            return f"published {item_id}={text}"
        case ("late", item_id, text):
            return f"published {item_id}={text} late"
        case ("del", ids):
            return f"retracted {ids}"
        case _:
            return {"gone": "delete", "config": "configuration"}.get(notice[0], notice[0])
