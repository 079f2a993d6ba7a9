"""client.py LIBRARY URL SUBPROTOCOL TOKEN: a WebSocket client of somebody else's.

It connects to somebody who echoes and is known there by the token: it sends messages
of each kind, awaits one that nobody asked for, pings, and closes. Then it connects
again and sends more than is taken. It tells what comes of each.
"""

import asyncio
import sys

from common import end_with_stdin, got, say

LIBRARY, URL, PROTOCOL, TOKEN = sys.argv[1:]
HEADERS = {"X-Api-Key": TOKEN, "Return-Route": "all"}
PROTOCOLS = ["other.v9", PROTOCOL]
TOO_LONG = b"x" * (3 << 20)
MESSAGES = {
    "text": "gr\u00fc\u00dfe \U0001f426",
    "empty": "",
    "binary": bytes(range(256)),
    "long": bytes(1 << 20),
    "fragmented text": "\u00e4" * 1000,
    "fragmented binary": bytes(range(250)) * 1000,
}


def pieces(payload):
    size = len(payload) // 5
    return [payload[at : at + size] for at in range(0, len(payload), size)]


class Websockets:
    async def connect(self):
        import websockets

        self.ws = await websockets.connect(URL, extra_headers=HEADERS, subprotocols=PROTOCOLS, max_size=None)
        return self.ws.subprotocol

    async def send(self, payload, fragmented):
        await self.ws.send(pieces(payload) if fragmented else payload)

    async def receive(self):
        return await self.ws.recv()

    async def ping(self):
        await (await self.ws.ping(b"are you there"))

    async def close(self):
        await self.ws.close(1000)
        return self.ws.close_code

    async def closed(self):
        await self.ws.wait_closed()
        return self.ws.close_code


class Aiohttp:
    async def connect(self):
        import aiohttp

        session = aiohttp.ClientSession()
        self.ws = await session.ws_connect(URL, headers=HEADERS, protocols=PROTOCOLS, max_msg_size=0, compress=15)
        return self.ws.protocol

    async def send(self, payload, fragmented):  # the library never fragments
        await (self.ws.send_str if isinstance(payload, str) else self.ws.send_bytes)(payload)

    async def receive(self):
        return (await self.ws.receive()).data

    async def ping(self):
        await self.ws.ping(b"are you there")  # it does not tell of pongs

    async def close(self):
        await self.ws.close(code=1000)
        return self.ws.close_code

    async def closed(self):
        async for _ in self.ws:
            pass
        return self.ws.close_code


class Autobahn:
    async def connect(self):
        from urllib.parse import urlsplit

        from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol

        loop = asyncio.get_running_loop()
        opened, self.messages, self.pongs, self.end = loop.create_future(), asyncio.Queue(), asyncio.Queue(), loop.create_future()
        peer = self

        class Peer(WebSocketClientProtocol):
            def onConnect(self, response):
                self.chosen = response.protocol

            def onOpen(self):
                opened.set_result(self.chosen)

            def onMessage(self, payload, isBinary):
                peer.messages.put_nowait(payload if isBinary else payload.decode())

            def onPong(self, payload):
                peer.pongs.put_nowait(payload)

            def onClose(self, wasClean, code, reason):
                peer.end.set_result(self.remoteCloseCode)

        factory = WebSocketClientFactory(URL, headers=HEADERS, protocols=PROTOCOLS)
        factory.protocol = Peer
        where = urlsplit(URL)
        _, self.ws = await loop.create_connection(factory, where.hostname, where.port)
        return await opened

    async def send(self, payload, fragmented):
        body = payload.encode() if isinstance(payload, str) else payload
        self.ws.sendMessage(body, not isinstance(payload, str), fragmentSize=999 if fragmented else None)

    async def receive(self):
        return await self.messages.get()

    async def ping(self):
        self.ws.sendPing(b"are you there")
        assert await self.pongs.get() == b"are you there"

    async def close(self):
        self.ws.sendClose(1000)
        return await self.end

    async def closed(self):
        return await self.end


async def main():
    peer = {"websockets": Websockets, "aiohttp": Aiohttp, "autobahn": Autobahn}[LIBRARY]()
    say(subprotocol=await peer.connect())
    for name, payload in MESSAGES.items():
        await peer.send(payload, name.startswith("fragmented"))
        same = await peer.receive() == payload
        say(echo=name, same=same)
    got(await peer.receive())
    await peer.ping()
    await peer.send("bye", False)  # meanwhile the library answers the pings that it gets
    say(echo="bye", same=await peer.receive() == "bye")
    say(closed=await peer.close())
    again = type(peer)()
    await again.connect()
    try:
        await again.send(TOO_LONG, False)
    except ConnectionError:
        pass  # it was closed while that was sent
    say(closed=await again.closed())


end_with_stdin()
asyncio.run(main())
