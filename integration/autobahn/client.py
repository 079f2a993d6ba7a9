"""An autobahn client: client.py URL SERIALIZER [KEY]. It subscribes to com.x.t and
prints each event as a line of JSON; it registers com.x.add, which adds, and
com.x.fail, which fails; and it publishes to com.x.back what it is told to by
com.x.say. With KEY, a private key in base64, payloads are encrypted by cryptobox.
It ends with standard input."""
import asyncio
import json
import sys

import txaio

txaio.use_asyncio()
from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession  # noqa: E402
from autobahn.wamp import cryptobox, serializer  # noqa: E402
from autobahn.wamp.exception import ApplicationError  # noqa: E402
from autobahn.wamp.types import PublishOptions  # noqa: E402


def plain(v):
    if isinstance(v, (bytes, bytearray)):
        return {"$bytes": bytes(v).hex()}
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    return v


def tell(**line):
    print(json.dumps(line), flush=True)


def fail():
    raise ApplicationError("com.x.error", "why")


class Client(ApplicationSession):
    async def onJoin(self, details):
        if len(sys.argv) > 3:
            ring = cryptobox.KeyRing()
            ring.set_key("com.x.", cryptobox.Key(originator_priv=sys.argv[3], responder_priv=sys.argv[3]))
            self.set_payload_codec(ring)
        await self.subscribe(lambda *args, **kwargs: tell(args=plain(args), kwargs=plain(kwargs)), "com.x.t")
        await self.register(lambda a, b: a + b, "com.x.add")
        await self.register(fail, "com.x.fail")
        await self.register(self.say, "com.x.say")
        tell(joined=details.realm)

    async def say(self, *args, **kwargs):
        await self.publish("com.x.back", *args, **kwargs, options=PublishOptions(acknowledge=True))

    def onDisconnect(self):
        asyncio.get_event_loop().stop()


async def end():
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    asyncio.get_running_loop().stop()


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
loop.create_task(end())
ApplicationRunner(sys.argv[1], "realm1", serializers=[serializer.SERID_TO_SER[sys.argv[2]]()]).run(Client)
