// What the clients of two other servers do, as their code does it, against a
// gateway: arguments are its URL. Each prints what it has seen.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../tooling/package.json', import.meta.url));
const WebSocket = require('ws');
const ReconnectingWebSocket = require('reconnecting-websocket');

const [url] = process.argv.slice(2);
const at = (user) => `${url}/?authorization=${user}`;

/** A list that grows, and a promise of its nth entry. */
function inbox() {
  const got = [];
  const waiting = [];
  return {
    got,
    put(value) {
      got.push(value);
      for (const w of waiting.splice(0)) w();
    },
    async nth(n) {
      while (got.length <= n) await new Promise((resolve) => waiting.push(resolve));
      return got[n];
    },
  };
}

// Channels: the socket joins a channel when it has opened, and shows what comes.
function channelClient(user, channel) {
  const seen = inbox();
  const socket = new ReconnectingWebSocket(at(user), null, { WebSocket, minReconnectionDelay: 50 });
  socket.addEventListener('open', () => {
    socket.send(JSON.stringify({ action: 'joinchannel', channel }));
  });
  socket.addEventListener('message', (event) => {
    seen.put(JSON.parse(event.data));
  });
  return {
    seen,
    close: () => socket.close(),
    send: (message) => socket.send(JSON.stringify({ action: 'sendmessage', channel, message })),
  };
}

const ann = channelClient('ann', 'x');
const bob = channelClient('bob', 'x');
for (const client of [ann, bob]) {
  const joined = await client.seen.nth(0);
  assert.equal(joined.channel, 'x');
  assert.equal(typeof joined.connectionId, 'string');
}
ann.send(JSON.stringify({ name: 'ann', text: 'Hello' })); // Theirs is a string.
assert.deepEqual(JSON.parse(await bob.seen.nth(1)), { name: 'ann', text: 'Hello' });
bob.send({ text: 'Hi' });
assert.equal((await ann.seen.nth(1)).type, 'ack');
assert.deepEqual(await ann.seen.nth(2), { text: 'Hi' });
assert.equal(ann.seen.got.length, 3);
process.stdout.write('ok channels\n');

// Events: one service for the whole application, with a handler for each type.
class EventService {
  handlers = {};
  others = inbox();

  async connect(user) {
    this.socket = new WebSocket(at(user));
    this.socket.onmessage = (message) => {
      const event = JSON.parse(message.data);
      const handler = this.handlers[event.message_type];
      if (handler) handler(JSON.parse(event.payload));
      else this.others.put(event);
    };
    await new Promise((resolve) => { this.socket.onopen = resolve; });
  }

  subscribe(subscriptions) {
    this.socket.send(JSON.stringify({ action: 'subscribe', subscriptions }));
  }

  submit(MessageType, Message) {
    this.socket.send(JSON.stringify({ action: 'submitIotEvent', event: { MessageType, Message } }));
  }
}

const service = new EventService();
const clicks = inbox();
service.handlers.NESClick = (payload) => clicks.put(payload);
await service.connect('cem');
service.subscribe([{ event_type: 'NESClick', filter_field: 'color', filter_expr: '*', desired_fields: null }]);
assert.equal((await service.others.nth(0)).type, 'ack');
service.submit('NESClick', { color: 'blue', position: { x: 3, y: 4 } });
assert.deepEqual(await clicks.nth(0), { color: 'blue', position: { x: 3, y: 4 } });
process.stdout.write('ok events\n');

for (const client of [ann, bob]) client.close();
service.socket.close();
