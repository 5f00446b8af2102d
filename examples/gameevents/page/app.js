// A player: one socket, one subscription, and a list of what came.

const $ = (id) => document.getElementById(id);
const MOST = 30;
const name = new URLSearchParams(location.search).get('name') ?? `player ${Math.floor(Math.random() * 1000)}`;
let socket = null;
let wanted = null; // the subscription that was asked for last
let current = null; // the one that the server has
let wishes = 0;
let seen = 0;
let clicks = 0;
let wait = 500;

const send = (frame) => { if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame)); };

function connect() {
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  socket = new WebSocket(`${scheme}://${location.host}/ws?name=${encodeURIComponent(name)}`);
  socket.onopen = () => {
    wait = 500;
    current = null; // A new connection has subscribed to nothing.
    state('open', `Connected as ${name}`);
    subscribe();
  };
  socket.onclose = () => {
    state('waiting', 'No connection. Trying again…');
    setTimeout(connect, wait * (0.5 + Math.random() / 2));
    wait = Math.min(30_000, wait * 2);
  };
  socket.onmessage = ({ data }) => received(parse(data));
}

function state(kind, text) {
  $('state').dataset.state = kind;
  $('state').textContent = text;
}

// The new subscription first, and the old one goes when that is there: nothing is missed in between.
function subscribe() {
  $('error').textContent = '';
  wanted = { event_type: 'NESClick', filter_field: $('field').value, filter_expr: $('filter').value, desired_fields: null };
  send({ action: 'subscribe', ref: String(++wishes), subscriptions: [wanted] });
}

function subscribed() {
  if (current && JSON.stringify(current) !== JSON.stringify(wanted)) send({ action: 'unsubscribe', subscriptions: [current] });
  current = wanted;
  document.body.dataset.wish = `${current.filter_field} ${current.filter_expr}`;
}

// What comes is what somebody wrote, of any shape.
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function received(frame) {
  if (frame?.message_type === 'NESClick') click(parse(frame.payload));
  else if (frame?.type === 'ack' && frame.ref === String(wishes)) subscribed();
  else if (frame?.type === 'error' && typeof frame.message === 'string') $('error').textContent = frame.message;
}

function click(event) {
  const { color, by, score } = event ?? {};
  if (typeof color === 'string' && typeof by === 'string' && (score === undefined || typeof score === 'number')) show({ color, by, score });
}

function show({ color, by, score }) {
  const item = document.createElement('li');
  const swatch = document.createElement('span');
  swatch.className = 'swatch';
  swatch.dataset.color = color;
  item.append(swatch, `${color} by ${by}${score === undefined ? '' : `, score ${score}`}`);
  $('seen').prepend(item);
  while ($('seen').children.length > MOST) $('seen').lastChild.remove();
  $('count').textContent = ++seen;
  $('nothing').hidden = true;
}

for (const button of document.querySelectorAll('[data-color]')) {
  button.addEventListener('click', () => {
    send({ action: 'submitIotEvent', event: { MessageType: 'NESClick', Message: { color: button.dataset.color, by: name, score: ++clicks } } });
  });
}
$('wish').addEventListener('submit', (event) => {
  event.preventDefault();
  subscribe();
});
connect();
