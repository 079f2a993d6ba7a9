// Drives other people's implementations: a line of JSON in, a line of JSON out.
import { createInterface } from 'node:readline';
import { ExtData, decode, encode } from '@msgpack/msgpack';
import { CloudEvent, HTTP } from 'cloudevents';
import didcomm from 'didcomm-node';
import { Webhook } from 'standardwebhooks';

const { Message } = didcomm;

// What a request needs of documents and secrets of DIDs.
const resolvers = (r) => [
  { resolve: async (did) => r.documents.find((d) => d.id === did) ?? null },
  {
    get_secret: async (id) => r.secrets.find((s) => s.id === id) ?? null,
    find_secrets: async (ids) => ids.filter((id) => r.secrets.some((s) => s.id === id)),
  },
];

// A value of MessagePack as JSON, with what JSON has no form for in objects.
const shown = (v) => {
  if (typeof v === 'bigint') return { $int: String(v) };
  if (v instanceof Uint8Array) return { $bytes: Buffer.from(v).toString('hex') };
  if (v instanceof Date) return { $time: v.toISOString() };
  if (v instanceof ExtData) return { $ext: v.type, $bytes: Buffer.from(v.data).toString('hex') };
  if (Array.isArray(v)) return v.map(shown);
  if (v !== null && typeof v === 'object') return Object.fromEntries(Object.entries(v).map(([name, x]) => [name, shown(x)]));
  return v;
};

const operations = {
  'msgpack again': (r) => {
    const value = decode(Buffer.from(r.hex, 'hex'), { useBigInt64: true });
    return { shown: shown(value), hex: Buffer.from(encode(value, { useBigInt64: true })).toString('hex') };
  },

  'webhook sign': (r) => ({ signature: new Webhook(r.secret).sign(r.id, new Date(r.timestamp * 1000), r.body) }),
  'webhook verify': (r) => {
    new Webhook(r.secret).verify(r.body, r.header);
    return {};
  },

  'cloudevents parse': (r) => {
    const event = HTTP.toEvent({ headers: r.header, body: r.body });
    return { events: (Array.isArray(event) ? event : [event]).map((e) => e.toJSON()) };
  },
  'cloudevents emit': (r) => HTTP[r.mode](new CloudEvent(r.event)),

  'didcomm unpack': async (r) => {
    const [message, about] = await Message.unpack(r.envelope, ...resolvers(r), {});
    return {
      message: message.as_value(), encrypted: about.encrypted, authenticated: about.authenticated,
      anonymous: about.anonymous_sender, signed: about.non_repudiation,
    };
  },
  'didcomm pack': async (r) => {
    const options = { forward: false, protect_sender: r.protect };
    const [envelope] = await new Message(r.message).pack_encrypted(r.to, r.from, r.sign, ...resolvers(r), options);
    return { envelope };
  },
  'didcomm sign': async (r) => {
    const [envelope] = await new Message(r.message).pack_signed(r.sign, ...resolvers(r));
    return { envelope };
  },
  'didcomm forward': async (r) => {
    const [resolver] = resolvers(r);
    return { envelope: await Message.wrap_in_forward(r.envelope, {}, r.to, r.routing, 'Xc20pEcdhEsA256kw', resolver) };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let answer;
  try {
    answer = await operations[request.operation](request);
  } catch (error) {
    answer = { error: String(error?.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
