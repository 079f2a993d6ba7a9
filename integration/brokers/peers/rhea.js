// A scripted AMQP 1.0 peer on npm's rhea.
//
//	node rhea.js PORT [plain | tls FOLDER]
//
// The first part of an address says what becomes of a message: reject, transient,
// release, modify, failed, slow, noreply, detach, half, end, closeconn, drop and
// sink; any other is a queue. A link to "refused" is refused. Messages of format 0
// go through rhea's codec of messages, which keeps few types; others through its
// codec of types where the queue is "types", and else as they are.
//
// With plain, alice may log in with the password secret; with tls, whoever has a
// certificate of the folder's CA: it holds server.key, server.pem and ca.pem.
'use strict';
const fs = require('fs');
const rhea = require('rhea');

const [port, mode, folder] = process.argv.slice(2);
const container = rhea.create_container({id: 'rhea-peer'});
const queues = new Map();

function queue(address) {
  if (!queues.has(address)) queues.set(address, {messages: [], receivers: []});
  return queues.get(address);
}

function pump(q) {
  while (q.messages.length > 0) {
    const link = q.receivers.find((r) => r.is_open() && r.sendable());
    if (!link) return;
    const {message, format} = q.messages.shift();
    link.send(message, undefined, format);
  }
}

// The bytes of a message as rhea decodes and encodes each of its sections.
function recode(data) {
  const reader = new rhea.types.Reader(data);
  const writer = new rhea.types.Writer();
  while (reader.remaining() > 0) writer.write(reader.read());
  return writer.toBuffer();
}

const outcomes = {
  reject: (d) => d.reject({condition: 'amqp:precondition-failed', description: 'bad document', info: {field: 'x'}}),
  transient: (d) => d.reject({condition: 'amqp:resource-limit-exceeded', description: 'come again'}),
  release: (d) => d.release(),
  modify: (d) => d.modified({delivery_failed: true, undeliverable_here: true, message_annotations: {'x-opt-why': 'no'}}),
  failed: (d) => d.modified({delivery_failed: true, undeliverable_here: false}),
  slow: (d) => setTimeout(() => d.accept(), 100),
  noreply: () => {},
  detach: (d, link) => link.close({condition: 'amqp:link:detach-forced', description: 'go away'}),
  half: (d, link) => link.detach(),
  end: (d, link) => link.session.close({condition: 'amqp:session:window-violation', description: 'no'}),
  closeconn: (d, link) => link.connection.close({condition: 'amqp:connection:forced', description: 'maintenance'}),
  drop: (d, link) => link.connection.socket.destroy(),
  sink: (d) => d.accept(),
};

container.on('receiver_open', ({receiver}) => {
  const address = (receiver.target && receiver.target.address) || '';
  receiver.set_target({address});
  if (address === 'refused') {
    receiver.set_target(null);
    receiver.close({condition: 'amqp:not-found', description: 'no such node'});
  }
});
container.on('sender_open', ({sender}) => {
  const address = sender.source.dynamic ? 'dynamic-' + container.generate_uuid() : sender.source.address;
  sender.set_source({address, dynamic: sender.source.dynamic});
  queue(address).receivers.push(sender);
  pump(queue(address));
});
container.on('sendable', () => queues.forEach(pump));
container.on('sender_close', ({sender}) => queues.forEach((q) => { q.receivers = q.receivers.filter((r) => r !== sender); }));
container.on('disconnected', () => queues.forEach((q) => { q.receivers = q.receivers.filter((r) => r.connection.is_open()); }));
container.on('message', ({receiver, delivery, message, format}) => {
  const address = receiver.target.address || message.to || '';
  const outcome = outcomes[address.split('/')[0]];
  if (outcome) {
    outcome(delivery, receiver);
    return;
  }
  delivery.accept();
  queue(address).messages.push({message: address === 'types' ? recode(message) : message, format});
  pump(queue(address));
});
for (const event of ['connection_error', 'session_error', 'receiver_error', 'sender_error', 'protocol_error', 'error']) {
  container.on(event, (context) => console.error(event, String(context.error || context.message || context).slice(0, 300)));
}

const options = {
  port, host: '127.0.0.1', noDelay: true,
  receiver_options: {credit_window: 1000, autoaccept: false},
};
if (mode === 'plain') {
  container.sasl_server_mechanisms.enable_plain((user, password) => user === 'alice' && password === 'secret');
} else if (mode === 'tls') {
  const read = (name) => fs.readFileSync(folder + '/' + name);
  Object.assign(options, {
    transport: 'tls', key: read('server.key'), cert: read('server.pem'), ca: [read('ca.pem')],
    requestCert: true, rejectUnauthorized: true, enable_sasl_external: true,
  });
} else {
  container.sasl_server_mechanisms.enable_anonymous();
}
container.listen(options);
