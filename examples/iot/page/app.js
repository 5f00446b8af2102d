// A page that signs in, listens, and says something to a channel. A presigned URL
// opens one connection, for minutes: whenever the page connects, it asks for a
// new one, and gets a new client id with it.

import { connect } from './mqtt.js';

const $ = (id) => document.getElementById(id);

let session; // of the one who is signed in
let broker; // while connected

const show = (state) => { $('state').textContent = state; };

function list(topic, payload) {
  const item = document.createElement('li');
  item.dataset.topic = topic;
  item.textContent = payload; // Never as HTML: it is somebody else's.
  $('messages').prepend(item);
}

async function vend({ url, token }) {
  const response = await fetch(url, { method: 'POST', headers: { Authorization: `Bearer ${token}` } });
  const answer = await response.json();
  if (!response.ok) {
    const error = new Error(answer.message ?? response.statusText);
    error.final = response.status === 401 || response.status === 403;
    throw error;
  }
  return answer;
}

/** Connects, and again whenever the connection ends, until somebody else signs in. */
async function run(mine) {
  for (let attempt = 0; session === mine; attempt++) {
    let client;
    try {
      show('connecting');
      const way = await vend(mine);
      let ended;
      const end = new Promise((resolve) => { ended = resolve; });
      client = await connect(way.url, way.clientId, { onMessage: list, onClose: ended });
      if (session !== mine) break;
      // Direct messages need no subscription; published ones, and channels, do.
      const channels = mine.channels.map((name) => way.channelPrefix + name);
      await client.subscribe([way.topic, ...channels]);
      broker = { client, prefix: way.channelPrefix };
      $('client').textContent = way.clientId;
      show('connected');
      attempt = 0;
      await end;
    } catch (error) {
      if (session !== mine) return;
      show(error.message);
      if (error.final) return;
    } finally {
      client?.close(); // It may be open still: what came after it has failed.
    }
    if (session !== mine) return;
    broker = undefined;
    // All clients lose their connections together when a broker goes: they must
    // not come back together.
    const longest = Math.min(30_000, 500 * 2 ** attempt);
    await new Promise((resolve) => setTimeout(resolve, longest / 2 + Math.random() * longest / 2));
  }
}

$('signin').addEventListener('submit', (event) => {
  event.preventDefault();
  broker?.client.close();
  session = {
    url: $('url').value,
    token: $('token').value,
    channels: $('channels').value.split(/[\s,]+/).filter(Boolean),
  };
  run(session);
});

$('say').addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    if (!broker) throw new Error('not connected');
    await broker.client.publish(broker.prefix + $('channel').value, $('text').value);
    $('text').value = '';
  } catch (error) {
    show(error.message);
  }
});
