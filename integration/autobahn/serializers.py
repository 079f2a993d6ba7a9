"""autobahn's object serializers. Each line of standard input is a JSON object:
{"ser": id, "batched": bool, "hex": bytes} gives the values and the bytes that
autobahn writes for them. Bytes in values are {"$bytes": hex}."""
import json
import sys

import txaio

txaio.use_asyncio()
from autobahn.wamp import serializer  # noqa: E402


def plain(v):
    if isinstance(v, (bytes, bytearray)):
        return {"$bytes": bytes(v).hex()}
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    return v


for line in sys.stdin:
    case = json.loads(line)
    try:
        s = serializer.SERID_TO_OBJSER[case["ser"]](batched=case["batched"])
        values = s.unserialize(bytes.fromhex(case["hex"]))
        answer = {"values": plain(values), "hex": b"".join(s.serialize(v) for v in values).hex()}
    except Exception as e:
        answer = {"error": "%s: %s" % (type(e).__name__, e)}
    print(json.dumps(answer, default=str), flush=True)  # str: of decimals, which UBJSON has
