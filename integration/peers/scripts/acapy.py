"""acapy.py aiohttp agent | acapy.py aiohttp send HTTP-URL WS-URL TOKEN: what ACA-Py does.

It is written from what ACA-Py's transports do, with the library they use. `agent`
receives as they do, and `send` sends as they do; both tell what comes of it.
"""

import asyncio
import json
import sys

from aiohttp import ClientSession, DummyCookieJar, WSMsgType, web

from common import end_with_stdin, got, say

DIDCOMM, OLD_DIDCOMM, JSON = "application/didcomm-envelope-enc", "application/ssi-agent-wire", "application/json"
BYTES = "application/octet-stream"  # where no envelope is to be opened
LIMIT = 2 << 20


def reply_to(payload):
    """Returns the direct answer, where one is asked for."""
    message = json.loads(payload)
    if message.get("~transport", {}).get("return_route", "none") == "none":
        return None
    return {"@id": "reply", "~thread": {"thid": message["@id"]}}


async def receive_post(request):
    is_json = request.headers.get("content-type", "").startswith(JSON)
    payload = await (request.text() if is_json else request.read())
    got(payload, type=request.headers.get("content-type"), key=request.headers.get("x-api-key"))
    if not is_json:
        return web.Response(status=200)
    try:
        reply = reply_to(payload)
    except ValueError as fault:
        raise web.HTTPBadRequest(reason="message_parse_error") from fault
    return web.Response(status=200) if reply is None else web.json_response(reply)


async def receive_socket(request):
    ws = web.WebSocketResponse(autoping=True, heartbeat=3, receive_timeout=15)
    await ws.prepare(request)
    async for message in ws:
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            break
        got(message.data)
        try:
            reply = reply_to(message.data)
        except ValueError:
            await ws.close(code=1003)
            break
        if reply is not None:
            await ws.send_str(json.dumps(reply))
    return ws


async def receive(request):
    is_socket = request.headers.get("upgrade", "").lower() == "websocket"
    return await (receive_socket if is_socket else receive_invitation)(request)


async def receive_invitation(request):
    return web.Response(text="Paste this invitation" if "c_i" in request.query else "")


async def agent():
    app = web.Application(client_max_size=LIMIT)
    app.add_routes([web.post("/", receive_post), web.get("/", receive)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    say(port=site._server.sockets[0].getsockname()[1])
    await asyncio.Event().wait()


def asking(route, **more):
    return json.dumps({"@id": "1", "~transport": {"return_route": route}, **more})


async def send(http, ws, token):
    metadata = {"x-wallet-id": "w1"}
    async with ClientSession(cookie_jar=DummyCookieJar()) as session:

        async def post(name, payload, content_type, **headers):
            headers = {**metadata, "Content-Type": content_type, "x-api-key": token, **headers}
            async with session.post(http, data=payload, headers=headers) as response:
                body = await response.read()
                say(name=name, status=response.status, type=response.headers.get("content-type"), body=body.decode())

        async def get(name, query):
            async with session.get(http, params=query) as response:
                say(name=name, status=response.status, body=await response.text())

        async def socket(name, payload, replies):
            async with session.ws_connect(ws, headers=metadata) as connection:
                await (connection.send_str if isinstance(payload, str) else connection.send_bytes)(payload)
                say(name=name, body=(await connection.receive()).data if replies else "")

        packed = b'{"protected": "eyJ0eXAiOiJKV00vMS4wIn0"}'
        await post("packed", packed, DIDCOMM)
        await post("packed, old", packed, OLD_DIDCOMM)
        await post("bytes", packed, BYTES)
        await post("bytes, with the header", packed, BYTES, **{"Return-Route": "all"})
        await post("json", json.dumps({"@id": "1"}), JSON)
        for route in ("all", "thread", "none", "sideways"):
            await post("json, " + route, asking(route), JSON)
        await post("no json", "{", JSON)
        await post("as long as can be", b"x" * LIMIT, BYTES)
        await post("too long", b"x" * (LIMIT + 1), BYTES)
        await get("health", {})
        await get("invitation", {"c_i": "eyJAdHlwZSI6ICJ4In0"})
        for number in range(5):
            await socket("socket %d" % number, asking("none", number=number), False)
        await socket("socket, bytes", packed, False)
        await socket("socket, all", asking("all"), True)


end_with_stdin()
asyncio.run(agent() if sys.argv[2] == "agent" else send(*sys.argv[3:]))
