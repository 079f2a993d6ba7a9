"""server.py LIBRARY SUBPROTOCOL: a WebSocket server of somebody else's.

It tells of each message. What it does then is in the path: /ack answers with the
message's id, /echo with the message, /goaway closes with 1001 (autobahn says no such
code for an application, and closes with 3001); any other is silent.
"""

import asyncio
import json
import sys

from common import end_with_stdin, got, say

HOST, LIMIT = "127.0.0.1", 64 << 20


def answer(path, payload):
    """Returns what to send back, and the code to close with."""
    if path == "/ack":
        return json.dumps({"ack": json.loads(payload)["id"]}), None
    if path == "/echo":
        return payload, None
    return None, 1001 if path == "/goaway" else None


async def with_websockets(protocol):
    import websockets

    async def serve(ws, path):
        async for payload in ws:
            got(payload, subprotocol=ws.subprotocol)
            reply, code = answer(path, payload)
            if reply is not None:
                await ws.send(reply)
            if code is not None:
                await ws.close(code)

    server = await websockets.serve(serve, HOST, 0, subprotocols=[protocol], max_size=LIMIT)
    return server.sockets[0]


async def with_aiohttp(protocol):
    from aiohttp import WSMsgType, web

    async def serve(request):
        ws = web.WebSocketResponse(protocols=[protocol], max_msg_size=LIMIT)
        await ws.prepare(request)
        async for message in ws:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            got(message.data, subprotocol=ws.ws_protocol)
            reply, code = answer(request.path, message.data)
            if isinstance(reply, str):
                await ws.send_str(reply)
            elif reply is not None:
                await ws.send_bytes(reply)
            if code is not None:
                await ws.close(code=code)
        return ws

    app = web.Application()
    app.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    return site._server.sockets[0]


async def with_autobahn(protocol):
    from autobahn.asyncio.websocket import WebSocketServerFactory, WebSocketServerProtocol

    class Peer(WebSocketServerProtocol):
        def onConnect(self, request):
            self.path = request.path
            self.chosen = protocol if protocol in request.protocols else None
            return self.chosen

        def onMessage(self, payload, isBinary):
            payload = payload if isBinary else payload.decode()
            got(payload, subprotocol=self.chosen)
            reply, code = answer(self.path, payload)
            if isinstance(reply, str):
                self.sendMessage(reply.encode(), isBinary=False)
            elif reply is not None:
                self.sendMessage(reply, isBinary=True)
            if code is not None:
                self.sendClose(3001)

    factory = WebSocketServerFactory(protocols=[protocol])
    factory.protocol = Peer
    factory.setProtocolOptions(maxMessagePayloadSize=LIMIT, maxFramePayloadSize=LIMIT)
    server = await asyncio.get_running_loop().create_server(factory, HOST, 0)
    return server.sockets[0]


async def main():
    library, protocol = sys.argv[1:]
    socket = await globals()["with_" + library](protocol)
    say(port=socket.getsockname()[1])
    await asyncio.Event().wait()


end_with_stdin()
asyncio.run(main())
