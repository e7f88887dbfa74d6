"""The MQTT broker that the demo brings along: amqtt, on loopback, in a thread of its own. It speaks MQTT 3.1.1."""

from __future__ import annotations

import asyncio
import socket
import threading

from amqtt.broker import Broker
from amqtt.errors import AMQTTError

from wattwell.errors import WattwellError

_START_SECONDS = 15.0


class EmbeddedBroker:
    """A broker on a free port of 127.0.0.1 that anyone on this machine may use; for demonstration."""

    def __init__(self) -> None:
        self.port = 0
        self._started = threading.Event()
        self._failure: str | None = None
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="wattwell-broker", daemon=True)

    def start(self) -> None:
        """Starts listening; WattwellError when that fails."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._thread.start()
        if not self._started.wait(_START_SECONDS) or self._failure is not None:
            raise WattwellError(f"the embedded MQTT broker did not start: {self._failure or 'no answer'}")

    def stop(self) -> None:
        """Closes every connection and ends."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(_START_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _serve(self) -> None:
        anonymous = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
        listener = {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}
        broker = Broker({"listeners": {"default": listener}, "plugins": anonymous})
        try:
            await broker.start()
        except (AMQTTError, OSError) as error:
            self._failure = str(error)
            self._started.set()
            return
        self._started.set()
        await self._ended.wait()
        await broker.shutdown()
