# SPDX-License-Identifier: MIT
"""What counts as a difference between two recordings, and how it shows."""

from tests.golden.comparing import differences, merged
from tests.golden.recording import Line, Recording

HEAD = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
ASKED = Line("carol", ">", "<iq id='carol asks'/>")
ANSWER, EVENT = "<iq id='carol asks' type='result'/>", "<message type='headline'/>"


def recording(*received: str) -> Recording:
    """In which carol asks once."""
    return Recording(HEAD, {"carol asks": [ASKED, *(Line("carol", "<", each) for each in received)]})


def test_the_order_of_attributes_and_features_is_no_difference() -> None:
    query = "<query xmlns='http://jabber.org/protocol/disco#info'><feature var='{}'/><feature var='{}'/></query>"
    held = recording(f"<iq id='carol asks' type='result'>{query.format('a', 'b')}</iq>")
    now = recording(f'<iq type="result" id="carol asks">{query.format("b", "a")}</iq>')

    assert differences(held, now, racing=False) == []
    assert merged(held, now, racing=False).steps == held.steps


def test_another_answer_shows_at_its_step_and_is_kept_when_asked() -> None:
    held, now = recording(ANSWER), recording(ANSWER.replace("result", "error"))

    assert differences(held, now, racing=False) == [
        "# carol asks",
        "@@ -1,2 +1,2 @@",
        " carol > <iq id='carol asks'/>",
        '-carol < <iq id="carol asks" type="result"/>',
        '+carol < <iq id="carol asks" type="error"/>',
    ]
    assert merged(held, now, racing=False).steps == now.steps


def test_an_event_before_its_answer_is_a_difference_only_where_nothing_races() -> None:
    held, now = recording(EVENT, ANSWER), recording(ANSWER, EVENT)

    assert differences(held, now, racing=True) == []
    assert differences(held, now, racing=False) != []


def test_a_step_that_is_new_or_gone_shows() -> None:
    held, now = recording(ANSWER), Recording(HEAD)

    assert differences(held, now, racing=False)[0] == differences(now, held, racing=False)[0] == "# carol asks"


def test_what_is_kept_is_what_is_loaded() -> None:
    text = recording(EVENT, ANSWER).text()

    assert text == f"{HEAD}\n\n# carol asks\ncarol > {ASKED.stanza}\ncarol < {EVENT}\ncarol < {ANSWER}\n"
