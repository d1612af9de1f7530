# SPDX-License-Identifier: MIT
"""What people decided about nodes, what services showed, what is left to be done: small tables beside the items."""

from sqlalchemy import Connection, Table, delete, insert, select

from pubkeep.model import NodeKey, Policy, Traits
from pubkeep.storage import tables
from pubkeep.storage.transactions import Transactions


def _table(mapped: type[tables.Base]) -> Table:
    assert isinstance(mapped.__table__, Table)
    return mapped.__table__


_Policy, _Service, _Leftover = (_table(row) for row in (tables.PolicyRow, tables.ServiceRow, tables.LeftoverRow))


class Learnt(Transactions):
    """See ports.LearntStore."""

    async def policies(self, account: str) -> dict[NodeKey, Policy]:
        """See ports.LearntStore."""
        statement = select(_Policy).where(_Policy.c.account == account)
        rows = await self._writer.run(lambda c: c.execute(statement).all())
        return {NodeKey(account, row.service, row.name): Policy(row.sync, row.max_items, row.max_age) for row in rows}

    async def save_policy(self, key: NodeKey, policy: Policy) -> None:
        """See ports.LearntStore."""
        place = {"account": key.account, "service": key.service, "name": key.node}
        values = place | {"sync": policy.sync, "max_items": policy.max_items, "max_age": policy.max_age}

        def work(connection: Connection) -> None:
            connection.execute(delete(_Policy).filter_by(**place))
            if policy != Policy():
                connection.execute(insert(_Policy).values(values))

        await self._write("save policy", work)

    async def traits(self, account: str) -> dict[str, Traits]:
        """See ports.LearntStore."""
        statement = select(_Service).where(_Service.c.account == account)
        rows = await self._writer.run(lambda c: c.execute(statement).all())
        return {
            row.service: Traits(
                row.item_order,
                _flag(row.reversed),
                _flag(row.rsm),
                row.fan_out,
                frozenset(row.revoked.split()),
                frozenset(row.shown.split()),
                frozenset(row.distrusted.split()),
            )
            for row in rows
        }

    async def save_traits(self, account: str, service: str, traits: Traits) -> None:
        """See ports.LearntStore."""
        place = {"account": account, "service": service}
        values = place | {
            "item_order": traits.order,
            "reversed": traits.reversed,
            "rsm": traits.rsm,
            "fan_out": traits.fan_out,
            "revoked": " ".join(sorted(traits.revoked)),
            "shown": " ".join(sorted(traits.shown)),
            "distrusted": " ".join(sorted(traits.distrusted)),
        }

        def work(connection: Connection) -> None:
            connection.execute(delete(_Service).filter_by(**place))
            connection.execute(insert(_Service).values(values))

        await self._write("save traits", work)

    async def leftovers(self, account: str) -> list[NodeKey]:
        """See ports.LearntStore."""
        statement = select(_Leftover).where(_Leftover.c.account == account)
        rows = await self._writer.run(lambda c: c.execute(statement).all())
        return [NodeKey(account, row.service, row.name) for row in rows]

    async def save_leftover(self, key: NodeKey, *, left: bool) -> None:
        """See ports.LearntStore."""
        place = {"account": key.account, "service": key.service, "name": key.node}

        def work(connection: Connection) -> None:
            connection.execute(delete(_Leftover).filter_by(**place))
            if left:
                connection.execute(insert(_Leftover).values(place))

        await self._write("save leftover", work)


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)
