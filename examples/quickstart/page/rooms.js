// Rooms: channels that people join. A room is the channel "room." and its name.

import { $, make, sentence } from '/view.js';

const PREFIX = 'room.';
const joined = new Set();
let connection = null;
let changed = () => {};

export const channelOf = (room) => PREFIX + room;
export const nameOf = (channel) => (channel.startsWith(PREFIX) ? channel.slice(PREFIX.length) : channel);
export const list = () => [...joined].sort();

/** Calls f(room) when the list has changed, or a room was chosen to write to; room: which, or nothing. */
export const onChange = (f) => { changed = f; };

/** Joins again what this page was in: memberships end with their connection. */
export function opened(fresh) {
  connection = fresh;
  for (const room of joined) join(room).catch(() => {}); // A lost connection comes back here.
}

async function join(room) {
  await connection.request('joinchannel', { channel: channelOf(room) });
  joined.add(room);
}

async function enter(room) {
  complain('');
  try {
    await join(room);
    $('room').value = '';
    draw(room);
  } catch (error) {
    complain(error.message);
  }
}

async function exit(room) {
  complain('');
  try {
    await connection.request('leavechannel', { channel: channelOf(room) });
    joined.delete(room);
    draw();
  } catch (error) {
    complain(error.message);
  }
}

function complain(words) {
  $('room-error').textContent = sentence(words);
  $('room').setAttribute('aria-invalid', words !== '');
}

function draw(room) {
  $('rooms').replaceChildren(...list().map((name) => {
    const item = make('li', 'room');
    const open = make('button', 'room-name', name);
    open.type = 'button';
    open.title = `Write to room ${name}`;
    open.addEventListener('click', () => changed(name));
    const close = make('button', 'quiet', '×');
    close.type = 'button';
    close.setAttribute('aria-label', `Exit ${name}`);
    close.addEventListener('click', () => exit(name));
    item.append(open, close);
    return item;
  }));
  changed(room);
}

$('room-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const room = $('room').value.trim();
  if (room === '') complain('give the room a name');
  else enter(room);
});
