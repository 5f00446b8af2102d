// A client of MQTT 3.1.1 over WebSocket: as much of it as a page needs that
// listens and now and then publishes. It takes messages of topics that it did not
// subscribe to, as direct messages of AWS IoT Core are, and acknowledges them.

const CONNECT = 1, CONNACK = 2, PUBLISH = 3, PUBACK = 4, SUBSCRIBE = 8, SUBACK = 9, PINGREQ = 12, DISCONNECT = 14;

const utf8 = new TextEncoder();
const text = new TextDecoder('utf-8', { fatal: true });

const uint16 = (n) => [n >> 8, n & 255];

const string = (s) => {
  const bytes = utf8.encode(s);
  return [...uint16(bytes.length), ...bytes];
};

function packet(type, flags, body) {
  const length = [];
  let n = body.length;
  do {
    length.push((n & 127) | (n > 127 ? 128 : 0));
    n >>= 7;
  } while (n > 0);
  return new Uint8Array([(type << 4) | flags, ...length, ...body]);
}

/** Takes packets out of a stream of bytes: a frame may hold a part of one, or several. */
export class Reader {
  #rest = new Uint8Array(0);

  *read(bytes) {
    const all = new Uint8Array(this.#rest.length + bytes.length);
    all.set(this.#rest);
    all.set(bytes, this.#rest.length);
    let at = 0;
    for (;;) {
      let length = 0, shift = 0, head = at + 1;
      for (; head < all.length; head++) {
        length += (all[head] & 127) * 2 ** shift;
        shift += 7;
        if (all[head] < 128) break;
        if (shift > 21) throw new Error('a packet has no length');
      }
      if (head >= all.length || head + 1 + length > all.length) break;
      yield { type: all[at] >> 4, flags: all[at] & 15, body: all.subarray(head + 1, head + 1 + length) };
      at = head + 1 + length;
    }
    this.#rest = all.slice(at);
  }
}

/**
 * Opens a connection. Resolves, once the broker has accepted it, to
 * { subscribe(topics), publish(topic, payload), close() }; rejects otherwise.
 * onMessage(topic, text) is called for each message; it is acknowledged when that
 * has returned. onClose() is called once, when an open connection has ended.
 */
export function connect(url, clientId, { onMessage, onClose = () => {}, keepAlive = 60 }) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, ['mqtt']);
    socket.binaryType = 'arraybuffer';
    const reader = new Reader();
    const waiting = new Map(); // what waits for an acknowledgement, by packet id
    let open = false, lastId = 0, timer, unanswered = false;

    const send = (type, flags, body = []) => socket.send(packet(type, flags, body));

    const acknowledged = (request) => new Promise((done, failed) => {
      lastId = (lastId % 65535) + 1;
      waiting.set(lastId, { done, failed });
      request(lastId);
    });

    const api = {
      /** Resolves when the broker has granted all topics. */
      subscribe: (topics) => acknowledged((id) =>
        send(SUBSCRIBE, 2, [...uint16(id), ...topics.flatMap((t) => [...string(t), 1])])),
      /** Resolves when the broker has the message. */
      publish: (topic, payload) => acknowledged((id) =>
        send(PUBLISH, 2, [...string(topic), ...uint16(id), ...utf8.encode(payload)])),
      close: () => {
        if (open && socket.readyState === WebSocket.OPEN) send(DISCONNECT, 0);
        socket.close();
      },
    };

    const handle = ({ type, flags, body }) => {
      switch (type) {
        case CONNACK:
          if (body[1] !== 0) return socket.close();
          open = true;
          timer = setInterval(ping, keepAlive * 1000);
          return resolve(api);
        case PUBLISH: {
          const end = 2 + (body[0] << 8 | body[1]);
          const qos = (flags >> 1) & 3;
          onMessage(text.decode(body.subarray(2, end)), text.decode(body.subarray(qos ? end + 2 : end)));
          if (qos) send(PUBACK, 0, body.subarray(end, end + 2));
          return;
        }
        case PUBACK:
        case SUBACK: {
          const id = body[0] << 8 | body[1];
          const request = waiting.get(id);
          waiting.delete(id);
          const refused = type === SUBACK && body.subarray(2).some((code) => code > 2);
          return refused ? request?.failed(new Error('the broker does not allow this topic')) : request?.done();
        }
      }
    };

    const ping = () => {
      if (unanswered) return socket.close(); // The network is gone, and nobody said so.
      unanswered = true;
      send(PINGREQ, 0);
    };

    socket.onopen = () => send(CONNECT, 0, [...string('MQTT'), 4, 2, ...uint16(keepAlive), ...string(clientId)]);
    socket.onmessage = ({ data }) => {
      unanswered = false;
      try {
        for (const p of reader.read(new Uint8Array(data))) handle(p);
      } catch (error) {
        console.error(error);
        socket.close();
      }
    };
    socket.onclose = () => {
      clearInterval(timer);
      for (const { failed } of waiting.values()) failed(new Error('the connection has ended'));
      waiting.clear();
      if (open) onClose();
      else reject(new Error('the broker did not accept the connection'));
    };
  });
}
