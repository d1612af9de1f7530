# SPDX-License-Identifier: MIT
# mypy: ignore-errors
"""A bare service of the D-Bus library in use, that always gives the reply which the daemon gave once.

python -m tests.bench.echo BUS QUESTION
"""

import asyncio
import importlib
import sys

from pubkeep_bridge.bus import LIBRARY, _Writer
from tests.bench.question import ECHO, Question

library = importlib.import_module(LIBRARY)


async def main(address, text):
    """Ask once, then serve."""
    bus = await importlib.import_module(f"{LIBRARY}.aio").MessageBus(address).connect()
    bus._writer = _Writer(bus, fds=False)  # the library's own ends the connection with 32 in flight
    question = Question.read(text)
    given = await bus.call(library.Message("im.pubkeep.Pubkeep1", **question.message))
    assert given.message_type == library.MessageType.METHOD_RETURN, given.body

    def answer(message):
        if message.message_type == library.MessageType.METHOD_CALL and message.member == question.member:
            return library.Message.new_method_return(message, given.signature, given.body)
        return None

    bus.add_message_handler(answer)
    await bus.request_name(ECHO)
    print("ready", flush=True)
    await bus.wait_for_disconnect()


asyncio.run(main(*sys.argv[1:]))
