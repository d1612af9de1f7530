# SPDX-License-Identifier: MIT
"""RFC 3339 dates to microseconds since the Unix epoch."""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

_DATE = re.compile(
    r"\s*(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?\s*(?:([Zz])|([+-])(\d\d):?(\d\d))\s*"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=256)
def microseconds(text: str | None) -> int:
    """The moment, or 0 where the text is no date with a time zone.

    A leap second counts as the second before it; what is finer than a microsecond is cut off.
    """
    match = _DATE.fullmatch(text or "")
    if match is None:
        return 0
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction = int((match[7] or "0")[:6].ljust(6, "0"))
    zone = UTC
    try:
        if match[9]:
            offset = timedelta(hours=int(match[10]), minutes=int(match[11]))
            zone = timezone(offset if match[9] == "+" else -offset)
        moment = datetime(year, month, day, hour, minute, min(second, 59), fraction, zone)
    except ValueError:
        return 0
    return (moment - _EPOCH) // timedelta(microseconds=1) if second <= 60 else 0
