"""Qpid Proton's codec of AMQP values, one a line.

encode: composite data JSON -> hex of the encoded value
decode: hex -> composite data JSON, nothing abbreviated, null where JSON has no form for it
"""
import json
import sys
import uuid

from proton import Data

# The types whose values stand in JSON as Proton's methods take and give them.
PLAIN = {
    "boolean": "bool", "ubyte": "ubyte", "ushort": "ushort", "uint": "uint", "ulong": "ulong",
    "byte": "byte", "short": "short", "int": "int", "long": "long", "float": "float",
    "double": "double", "char": "char", "timestamp": "timestamp", "string": "string", "symbol": "symbol",
}
DECIMALS = {4: Data.DECIMAL32, 8: Data.DECIMAL64, 16: Data.DECIMAL128}
COMPOUND = {"list": Data.LIST, "map": Data.MAP, "array": Data.ARRAY}
NAMES = {getattr(Data, method.upper()): name for name, method in PLAIN.items()}
NAMES.update({Data.NULL: "null", Data.UUID: "uuid", Data.BINARY: "binary"})
NAMES.update({code: "decimal" for code in DECIMALS.values()})
NAMES.update({code: name for name, code in COMPOUND.items()})
TYPES = {name: code for code, name in NAMES.items()}


def normal(doc):
    """The document as type, value and descriptor."""
    if doc is None:
        return "null", None, ()
    if isinstance(doc, bool):
        return "boolean", doc, ()
    if isinstance(doc, str):
        return "string", doc, ()
    descriptor = (doc["descriptor"],) if "descriptor" in doc else ()
    if "type" in doc:
        return doc["type"], doc.get("value"), descriptor
    name, value, _ = normal(doc["value"])
    return name, value, descriptor


def put(data, doc):
    name, value, descriptor = normal(doc)
    if descriptor:
        data.put_described()
        data.enter()
        put(data, descriptor[0])
        put(data, {"type": name, "value": value})
        data.exit()
    elif name in PLAIN:
        getattr(data, "put_" + PLAIN[name])(value)
    elif name == "null":
        data.put_null()
    elif name == "uuid":
        data.put_uuid(uuid.UUID(value))
    elif name == "binary":
        data.put_binary(bytes.fromhex(value))
    elif name == "decimal":
        put_decimal(data, bytes.fromhex(value))
    else:
        put_compound(data, name, value)


def put_decimal(data, raw):
    if len(raw) == 16:
        data.put_decimal128(raw)
    elif len(raw) == 8:
        data.put_decimal64(int.from_bytes(raw, "big"))
    else:
        data.put_decimal32(int.from_bytes(raw, "big"))


def put_compound(data, name, elements):
    if name == "array":
        put_array(data, elements)
        return
    getattr(data, "put_" + name)()
    data.enter()
    for element in elements:
        put(data, element)
    data.exit()


def put_array(data, elements):
    name, value, descriptor = normal(elements[0]) if elements else ("string", None, ())
    code = DECIMALS[len(value) // 2] if name == "decimal" else TYPES[name]
    data.put_array(bool(descriptor), code)
    data.enter()
    if descriptor:
        put(data, descriptor[0])
    for element in elements:
        name, value, _ = normal(element)
        put(data, {"type": name, "value": value})
    data.exit()


def get(data):
    code = data.type()
    if code == Data.DESCRIBED:
        data.enter()
        data.next()
        descriptor = get(data)
        data.next()
        doc = get(data)
        data.exit()
        return {"descriptor": descriptor, **doc}
    name = NAMES[code]
    return {"type": name, "value": content(data, code, name)}


def content(data, code, name):
    if code == Data.NULL:
        return None
    if code == Data.ARRAY:
        return get_array(data)
    if name in COMPOUND:
        return children(data)
    if code == Data.UUID:
        return str(data.get_uuid())
    if code == Data.BINARY:
        return bytes(data.get_binary()).hex()
    if code == Data.DECIMAL32:
        return "%08x" % data.get_decimal32()
    if code == Data.DECIMAL64:
        return "%016x" % data.get_decimal64()
    if code == Data.DECIMAL128:
        return bytes(data.get_decimal128()).hex()
    value = getattr(data, "get_" + PLAIN[name])()
    return str(value) if name in ("char", "symbol", "string") else value


def children(data):
    data.enter()
    elements = []
    while data.next():
        elements.append(get(data))
    data.exit()
    return elements


def get_array(data):
    _, described, _ = data.get_array()
    elements = children(data)
    if not described:
        return elements
    return [{"descriptor": elements[0], **element} for element in elements[1:]]


def main():
    for line in sys.stdin:
        data = Data()
        if sys.argv[1] == "encode":
            put(data, json.loads(line))
            print(data.encode().hex(), flush=True)
        else:
            data.decode(bytes.fromhex(line.strip()))
            data.rewind()
            data.next()
            print(json.dumps(get(data)), flush=True)


main()
