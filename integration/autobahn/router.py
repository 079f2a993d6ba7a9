"""A WAMP router made of autobahn's parts: its WebSocket server, its serializers and
its messages, which check all that comes. It is a broker and a dealer with exact
topics and procedures, and passes encoded payloads on as they are. The accounts
are of the tests. Prints its URL, and ends with standard input."""
import asyncio
import binascii
import os
import sys

import txaio

txaio.use_asyncio()
from autobahn.asyncio.websocket import WampWebSocketServerFactory  # noqa: E402
from autobahn.wamp import auth, message, role  # noqa: E402
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer, MsgPackSerializer, UBJSONSerializer  # noqa: E402
from nacl.signing import VerifyKey  # noqa: E402

TICKET = "ticket-1"
SECRET, SALT = "secret-1", "salt-1"
ROLES = {"broker": role.RoleBrokerFeatures(), "dealer": role.RoleDealerFeatures()}
PAYLOAD = ("args", "kwargs", "payload", "enc_algo", "enc_key", "enc_serializer")

last = 0
subscribers = {}  # topic: (id, sessions)
procedures = {}  # uri: (id, session)
calls = {}  # request of the invocation: (session, request of the call)


def next_id():
    global last
    last += 1
    return last


def payload(m):
    return {name: getattr(m, name) for name in PAYLOAD}


class Session:
    _authid = _session_id = None  # autobahn's transport looks at them

    def onOpen(self, transport):
        self.transport, self.check, self.joined = transport, None, False

    def onClose(self, wasClean):
        for uri, (id, owner) in list(procedures.items()):
            if owner is self:
                del procedures[uri]
        for _, sessions in subscribers.values():
            sessions.discard(self)

    def send(self, m):
        self.transport.send(m)

    def refuse(self, reason):
        self.send(message.Abort(reason))
        self.transport.close()

    def onMessage(self, m):
        if not self.joined and not isinstance(m, (message.Hello, message.Authenticate, message.Abort)):
            return self.refuse("wamp.error.protocol_violation")
        handle = getattr(self, type(m).__name__.lower(), None)
        if handle:
            handle(m)

    def welcome(self, method):
        self.joined = True
        self.send(message.Welcome(next_id(), ROLES, realm="realm1", authid="a", authrole="user", authmethod=method))

    def hello(self, m):
        if m.realm != "realm1":
            return self.refuse("wamp.error.no_such_realm")
        methods = m.authmethods or ["anonymous"]
        method = next((x for x in methods if m.authid == x or (x == "anonymous" and not m.authid)), None)
        if method == "anonymous":
            return self.welcome(method)
        extra = {}
        if method == "ticket":
            self.check = lambda got: got == TICKET
        elif method == "wampcra":
            extra = {"challenge": "a challenge \u2713", "salt": SALT, "iterations": 100, "keylen": 32}
            want = auth.compute_wcs(auth.derive_key(SECRET, SALT, 100, 32), extra["challenge"]).decode()
            self.check = lambda got: got == want
        elif method == "cryptosign":
            challenge = os.urandom(32)
            extra = {"challenge": binascii.b2a_hex(challenge).decode(), "channel_binding": None}
            key = VerifyKey(binascii.a2b_hex(m.authextra["pubkey"]))
            self.check = lambda got: key.verify(binascii.a2b_hex(got)) == challenge
        else:
            return self.refuse("wamp.error.authentication_failed")
        self.method = method
        self.send(message.Challenge(method, extra))

    def authenticate(self, m):
        try:
            ok = self.check(m.signature)
        except Exception:
            ok = False
        if ok:
            return self.welcome(self.method)
        self.refuse("wamp.error.authentication_failed")

    def goodbye(self, m):
        self.send(message.Goodbye("wamp.close.goodbye_and_out"))
        self.transport.close()

    def subscribe(self, m):
        id, sessions = subscribers.setdefault(m.topic, (next_id(), set()))
        sessions.add(self)
        self.send(message.Subscribed(m.request, id))

    def publish(self, m):
        publication = next_id()
        id, sessions = subscribers.get(m.topic, (0, ()))
        for s in sessions:
            if s is not self or m.exclude_me is False:
                s.send(message.Event(id, publication, **payload(m)))
        if m.acknowledge:
            self.send(message.Published(m.request, publication))

    def register(self, m):
        procedures[m.procedure] = (next_id(), self)
        self.send(message.Registered(m.request, procedures[m.procedure][0]))

    def call(self, m):
        if m.procedure not in procedures:
            return self.send(message.Error(message.Call.MESSAGE_TYPE, m.request, "wamp.error.no_such_procedure"))
        id, callee = procedures[m.procedure]
        request = next_id()
        calls[request] = (self, m.request)
        callee.send(message.Invocation(request, id, **payload(m)))

    def yield_(self, m):
        caller, request = calls.pop(m.request)
        caller.send(message.Result(request, **payload(m)))

    def error(self, m):
        caller, request = calls.pop(m.request)
        caller.send(message.Error(message.Call.MESSAGE_TYPE, request, m.error, **payload(m)))


setattr(Session, "yield", Session.yield_)


async def main():
    loop = asyncio.get_running_loop()
    serializers = [s(batched=b) for s in (CBORSerializer, MsgPackSerializer, JsonSerializer, UBJSONSerializer) for b in (False, True)]
    factory = WampWebSocketServerFactory(Session, loop=loop, serializers=serializers)
    server = await loop.create_server(factory, "127.0.0.1", 0)
    print("ws://127.0.0.1:%d/ws" % server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.new_event_loop().run_until_complete(main())
