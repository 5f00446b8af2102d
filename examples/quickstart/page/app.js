// The page: signs in, keeps the list of people exact, sends and shows messages.

import * as clicks from '/clicks.js';
import { Connection, Refused } from '/connection.js';
import '/frames.js';
import * as rooms from '/rooms.js';
import { audienceOf, isPerson, isText, timeOf } from '/shape.js';
import { $, addChat, addEvent, addFrame, addNotification, sentence, showPeople, showState } from '/view.js';

let me = '';
let connection = null;
let isOpen = false;
let snapshotSeen = false; // has this socket told who is online?
let moreOnline = false;
let chosen = null; // the person to write to; null: see the select
const people = new Map(); // name -> {online, version: of this socket's events, 0: none}
const outbox = new Map(); // key -> {to, text, note}: not yet acknowledged
const seen = new Set(); // keys of messages shown: what is sent again is not shown again
const MOST_SEEN = 2000;
const MOST_LEFT = 20; // people in the list who are gone

// ---- signing in

async function fetchToken() {
  const response = await fetch('/token', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ user: me }),
    signal: AbortSignal.timeout(10_000),
  });
  const answer = await response.json();
  if (response.status >= 400 && response.status < 500) throw new Refused(answer.error);
  if (!response.ok) throw new Error(answer.error);
  return answer.token;
}

function signIn(name) {
  connection?.close(); // Join was pressed twice.
  me = name;
  sessionStorage.setItem('name', me); // of this tab alone: two tabs are two people
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  connection = new Connection({
    url: `${scheme}://${location.host}/ws`,
    token: fetchToken,
    onState: stateChanged,
    onMessage: received,
    onFrame: addFrame,
  });
  connection.open();
}

function showSignIn(error = '') {
  sessionStorage.removeItem('name');
  $('chat').hidden = true;
  $('signin').hidden = false;
  $('signin-error').textContent = sentence(error);
  $('name').setAttribute('aria-invalid', error !== '');
  $('name').focus();
}

function showChat() {
  if (!$('chat').hidden) return;
  $('signin').hidden = true;
  $('chat').hidden = false;
  document.title = `${me} · sumu`;
  drawPeople();
  $('text').focus();
}

// ---- the connection

const STATES = {
  connecting: 'Connecting…',
  open: 'Connected',
  waiting: 'No connection. Trying again…',
  closed: 'Not connected',
};

function stateChanged(state, detail) {
  isOpen = state === 'open';
  if (state === 'refused') {
    showSignIn(detail.message);
    return;
  }
  if (state === 'open' || state === 'waiting') showChat();
  // A second failure in a row must not make the sign flicker between two texts.
  if (state === 'connecting' && $('state').dataset.state === 'waiting') return;
  showState(state, state === 'waiting' && !navigator.onLine ? 'You are offline' : STATES[state]);
  if (state !== 'open') return;
  snapshotSeen = false;
  for (const person of people.values()) person.version = 0; // versions of an earlier server mean nothing
  askWho();
  connection.request('ping').then((pong) => { if (isText(pong.connectionId)) $('connection-id').textContent = pong.connectionId; }, () => {});
  rooms.opened(connection); // A new connection is in no room, and has subscribed to nothing.
  clicks.opened(connection);
  for (const key of outbox.keys()) deliver(key);
}

async function askWho() {
  try {
    await connection.request('publish', { message: { type: 'who' } });
  } catch {
    if (isOpen) setTimeout(askWho, 2000);
  }
}

// ---- what arrives

// What is not of a shape that this page knows is a notification: a backend may send anything.
function received(frame) {
  switch (frame?.type) {
    case 'presence':
      if (isPerson(frame.message)) return presence(frame.message);
      break;
    case 'who':
      if (Array.isArray(frame.users) && frame.users.every(isPerson)) return who(frame);
      break;
    case 'chat':
      if (isText(frame.from) && isText(frame.text) && isText(frame.key)) return chat({ ...frame, to: audienceOf(frame.to) });
      break;
    case 'error':
      if (isText(frame.message)) return complain(sentence(frame.message));
      break;
    case 'message': // Of a channel. The server vouches for "from".
      if (!isText(frame.channel)) break;
      if (isText(frame.from) && isText(frame.data?.text) && isText(frame.data.key)) {
        return chat({ ...frame.data, from: frame.from, to: { room: rooms.nameOf(frame.channel) } });
      }
      return addNotification(frame.data, `room ${rooms.nameOf(frame.channel)}`);
      break;
    case 'ack':
    case 'pong':
      return undefined; // Too late: nobody waits for it any more.
  }
  if (!clicks.received(frame)) addNotification(frame);
  return undefined;
}

function presence({ user_id: name, status, version }) {
  const known = people.get(name);
  if (name === me || version <= (known?.version ?? 0)) return; // a late duplicate
  const online = status === 'ONLINE';
  people.set(name, { online, version });
  if (online !== (known?.online ?? false)) addEvent(online ? `${name} is here` : `${name} left`);
  drawPeople();
}

// The answer can be older than events that this socket has already received: theirs is the last word.
function who({ users, more }) {
  const online = new Map(users.map((u) => [u.user_id, u.version]));
  for (const [name, person] of people) {
    if (person.version === 0) person.online = online.has(name);
  }
  for (const [name, version] of online) {
    if (name !== me && version > (people.get(name)?.version ?? 0)) people.set(name, { online: true, version });
  }
  snapshotSeen = true;
  moreOnline = more === true;
  drawPeople();
}

function remember(key) {
  seen.add(key);
  if (seen.size > MOST_SEEN) seen.delete(seen.values().next().value);
}

function chat(message) {
  const key = `${message.from}/${message.key}`;
  if (seen.has(key)) return;
  remember(key);
  addChat({ ...message, at: timeOf(message.at) }, me);
}

function drawPeople() {
  const list = [...people].map(([name, { online }]) => ({ name, online }));
  list.sort((a, b) => b.online - a.online || a.name.localeCompare(b.name));
  const left = list.findIndex((person) => !person.online);
  if (left >= 0) list.splice(left + MOST_LEFT); // enough to see who was here
  showPeople(list, me, chosen, choose, moreOnline, rooms.list());
  drawHint();
}

// ---- what is sent

function choose(name) {
  chosen = name;
  drawPeople();
  $('text').focus();
}

function recipient() {
  const value = $('to').value;
  if (value.startsWith('room:')) return { room: value.slice('room:'.length) };
  return chosen === null ? value : { users: [chosen] };
}

function drawHint() {
  const away = chosen !== null && snapshotSeen && !people.get(chosen)?.online;
  $('to-hint').textContent = away ? `${chosen} has left, and messages are not kept.` : '';
}

function complain(words) { $('composer-error').textContent = words; }

function submit() {
  const text = $('text').value.trim();
  complain('');
  if (text === '') return;
  if (chosen !== null && !people.get(chosen)?.online) {
    complain(`${chosen} is not here, and messages are not kept. Choose somebody else.`);
    return;
  }
  const to = recipient();
  const key = Array.from(crypto.getRandomValues(new Uint8Array(9)), (b) => b.toString(16).padStart(2, '0')).join('');
  remember(`${me}/${key}`);
  outbox.set(key, { to, text, note: addChat({ from: me, to, text, at: Date.now() }, me) });
  deliver(key);
  $('text').value = '';
  grow();
}

// A message stays in the outbox until the server has acknowledged it. It may be sent twice
// then, when an acknowledgement was lost; its key lets the receivers show it once.
async function deliver(key) {
  const { to, text, note } = outbox.get(key);
  note('sending', isOpen ? 'Sending…' : 'Waits for the connection');
  if (!isOpen) return;
  try {
    if (to.room) await connection.request('sendmessage', { channel: rooms.channelOf(to.room), message: { text, key, at: Date.now() } });
    else await connection.request('publish', { message: { type: 'chat', to, text, key } });
    outbox.delete(key);
    note('sent', 'Sent');
  } catch (error) {
    if (error instanceof Refused) {
      outbox.delete(key);
      note('failed', `Not sent: ${sentence(error.message)}`);
    } else if (isOpen) {
      note('sending', 'Not confirmed yet. Trying again…');
      setTimeout(() => outbox.has(key) && deliver(key), 2000);
    } else {
      note('sending', 'Waits for the connection');
    }
  }
}

function grow() {
  const area = $('text');
  area.style.height = 'auto';
  area.style.height = `${Math.min(area.scrollHeight, 160)}px`;
}

// ---- events of the page

$('signin-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const name = $('name').value.trim();
  $('signin-error').textContent = '';
  signIn(name);
});

$('signout').addEventListener('click', () => {
  connection.close();
  sessionStorage.removeItem('name');
  location.reload(); // nothing of this person stays on the page
});

$('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  submit();
});

$('text').addEventListener('input', grow);
$('text').addEventListener('keydown', (event) => {
  // Not while an input method is choosing a character: Enter is its own then.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});

$('to').addEventListener('change', () => {
  const value = $('to').value;
  chosen = value.startsWith('user:') ? value.slice('user:'.length) : null;
  complain('');
  drawPeople();
});

rooms.onChange((room) => {
  chosen = null;
  drawPeople();
  if (room) $('to').value = `room:${room}`;
  $('text').focus();
});

addEventListener('online', () => connection?.hurry());
document.addEventListener('visibilitychange', () => { if (!document.hidden) connection?.hurry(); });

const remembered = sessionStorage.getItem('name');
if (remembered) signIn(remembered);
else showSignIn();
