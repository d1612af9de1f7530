# SPDX-License-Identifier: MIT
"""Why a node is, or is not, answered from the cache: for people first."""

from collections.abc import Mapping, Sequence

from pubkeep.cache.known import LEASE, Known
from pubkeep.cache.wanted import Node
from pubkeep.clock import Clock
from pubkeep.model import Copy, NodeKey, NodeState

NEVER = (
    "Since that was decided nothing of it is held, and requests are passed to the service. "
    "The policy auto lets the analysers decide again; always has it kept, whatever they say."
)


def explain(
    known: Known, clock: Clock, key: NodeKey, tried: Sequence[tuple[str, str]], unkept: NodeState
) -> Mapping[str, object]:
    """The keys of Sync.Explain (DBUS-API).

    Args:
        tried: (name of an analyser, why it did or did not match), in the order of registration.
        unkept: what to call the node if it is not kept: unknown or ignored.
    """
    node, policy = known.node(key), known.policy(key).sync
    result: dict[str, object] = {
        "tried": [name for name, _ in tried],
        "reasons": [reason for _, reason in tried],
        "policy": policy,
        "connected": known.live(key.account),
        "account_dropped": [f"{number} {why}" for why, number in known.dropped_events(key.account).items()],
    }
    if node is None:
        why = "no analyser that synchronises has matched it so far. Requests are passed to the service."
        if policy == "never":
            why = f"its policy is never. {NEVER}"
        return {"words": f"{key.node} at {key.service} is not kept: {why}", "state": str(unkept)} | result
    doubt = known.doubts(node, None, clock.boottime())
    result |= {
        "words": _words(node, doubt, known.state(node)),
        "state": str(known.state(node)),
        "doubt": doubt,
        "analyser": node.record.analysis.name if node.record.analysis else "",
        "wanted_by": node.record.wanted_by,
        "subscription": "subscribed" if node.subscribed_epoch == node.link.epoch else node.subscription,
        "items": node.record.items,
        "verified_at": node.record.verified_at,
        "epoch": node.link.epoch,
        "order": node.link.order or "unknown",
        "untold": list(node.untold),
        "proved_by": sorted(str(way) for way in node.proof.by) if node.proof else [],
        "shown": sorted(node.link.traits.shown),
        "distrusted": sorted(node.link.traits.distrusted),
        "failures": node.failures,
        "damaged": len(node.harm.met),
        "dropped_events": node.dropped_events,
        "last_error": node.record.error,
        "last_message": node.record.reason,
    }
    if node.next_attempt is not None:
        result["next_attempt"] = clock.wall_of(node.next_attempt)
    return result


def _words(node: Node, doubt: str, state: NodeState) -> str:
    analysis = node.record.analysis
    if node.policy.sync == "never":
        why = "although its policy is never: it could not be dropped yet"
    elif node.record.wanted_by == "request":
        why = "because it was asked to be synchronised"
    elif node.policy.sync == "always":
        why = "because its policy says so"
    else:
        name, kind = (analysis.name, analysis.type) if analysis else ("?", "?")
        why = f"because the analyser {name} takes it for a {kind}"
    head = f"{node.key.node} at {node.key.service} is kept {why}. {node.record.items} items are held. "
    if node.hidden:
        return head + f"None is served: {node.record.reason}"
    if not doubt:
        what = "the copy is whole" if node.record.copy is Copy.WHOLE else "only the newest are kept"
        return f"{head}It is answered from the cache: {what}, verified and subscribed."
    if doubt == LEASE:
        return (
            head + "It is answered from the cache after one round trip to the service, which was not heard of lately."
        )
    waiting = "It is being synchronised now" if state is NodeState.SYNCING else "Requests go to the service"
    return head + f"{waiting}: {doubt}."
