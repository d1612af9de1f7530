# SPDX-License-Identifier: MIT
"""The only place with slixmpp.

* sessions.py    all accounts (ports.Sessions)
* session.py     the life of one account: connect, resume, back off, give up
* stream.py      slixmpp's client, with the limits and the fidelity that it lacks
* presence.py    being available, +notify, the roster
* requests.py    IQs: a bounded number in flight, what becomes of them at a cut
* pubsub.py      XEP-0060 requests (ports.PubSubClient)
* owner.py       requests of owners, what they hold and what their answers say
* archives.py    archives of nodes (XEP-0442, XEP-0313)
* disco.py       service discovery (XEP-0030)
* forms.py       data forms (XEP-0004)
* stanzas.py     bytes into stanzas, within limits, before a tree grows
* events.py      <message><event/></message> -> NodeEvent
* inbox.py       events and answers, in the order of the stream, one node at a time
* conditions.py  stanza errors -> our errors, one table
* jid.py         normalised addresses
"""
