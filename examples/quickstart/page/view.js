// What the page shows. Every text that came from a person or from the network is set
// with textContent: there is no way from a message into the markup.

const $ = (id) => document.getElementById(id);
const MOST_MESSAGES = 500;
const MOST_FRAMES = 200;
const MOST_OF_FRAME = 600; // characters
const GROUP_MS = 2 * 60_000;

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function trim(list, most, selector) {
  const items = list.querySelectorAll(selector);
  for (let i = 0; i < items.length - most; i++) items[i].remove();
}

const clock = (at) => new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });

/** One colour per name, the same on every page. */
function hue(name) {
  let h = 0;
  for (const c of name) h = (h * 31 + c.codePointAt(0)) % 360;
  return h;
}

function avatar(name) {
  const element = make('span', 'avatar', [...name][0].toUpperCase());
  element.setAttribute('aria-hidden', 'true');
  element.style.setProperty('--hue', hue(name));
  return element;
}

function audience(to, me) {
  if (to === 'everyone') return 'everyone';
  if (to === 'others') return 'everyone else';
  if (to?.room) return `room ${to.room}`;
  if (!to?.users) return 'you';
  return to.users.map((name) => (name === me ? 'you' : name)).join(', ');
}

const isAtEnd = (list) => list.scrollHeight - list.scrollTop - list.clientHeight < 80;
const toEnd = (list) => { list.scrollTop = list.scrollHeight; };

/** Adds to a log without moving a reader who has scrolled up; returns whether it moved. */
function append(list, element, most, selector) {
  const follow = isAtEnd(list);
  list.append(element);
  trim(list, most, selector);
  if (follow) toEnd(list);
  return follow;
}

let last = { from: null, to: null, at: 0 };

function appendMessage(element) {
  $('empty').hidden = true;
  if (!append($('messages'), element, MOST_MESSAGES, ':scope > :not(#empty)')) $('newer').hidden = false;
}

$('newer').addEventListener('click', () => toEnd($('messages')));
$('messages').addEventListener('scroll', () => { if (isAtEnd($('messages'))) $('newer').hidden = true; });

/** Adds a chat bubble and returns a function that sets its delivery note. */
export function addChat({ from, to, text, at }, me) {
  const mine = from === me;
  const sameAudience = JSON.stringify(to) === JSON.stringify(last.to);
  const grouped = last.from === from && sameAudience && at - last.at < GROUP_MS;
  last = { from, to, at };

  const row = make('article', `message${mine ? ' mine' : ''}${grouped ? ' grouped' : ''}${to?.users ? ' private' : ''}`);
  if (!mine) row.append(grouped ? make('span', 'avatar-space') : avatar(from));
  const body = make('div', 'body');
  const head = make('p', 'meta');
  head.append(make('strong', '', mine ? 'You' : from), make('span', '', ` to ${audience(to, me)}`));
  if (grouped) head.classList.add('hidden');
  const bubble = make('p', 'bubble', text);
  const time = make('time', '', clock(at));
  time.dateTime = new Date(at).toISOString();
  const note = make('span', 'note');
  const foot = make('p', 'foot');
  foot.append(time, note);
  body.append(head, bubble, foot);
  row.append(body);
  appendMessage(row);
  if (mine) toEnd($('messages'));
  return (kind, words) => {
    row.dataset.delivery = kind;
    note.textContent = words;
  };
}

/** Adds a line in the middle: who came, who left. */
export function addEvent(text) {
  last = { from: null, to: null, at: 0 };
  appendMessage(make('p', 'event', text));
}

function pretty(data) {
  try {
    return JSON.stringify(data, null, 2);
  } catch {
    return 'Data that is nested too deeply to be shown; the raw frames have it.'; // A stack has an end.
  }
}

/** Adds data of a backend that is not a chat message; place: where it was sent to, if not to this user. */
export function addNotification(data, place) {
  last = { from: null, to: null, at: 0 };
  const row = make('article', 'notification');
  row.append(make('p', 'meta', `Notification${place ? ` in ${place}` : ''} · ${clock(Date.now())}`));
  if (typeof data?.text === 'string') row.append(make('p', 'notification-text', data.text));
  else row.append(make('pre', '', pretty(data)));
  appendMessage(row);
}

/** people: [{name, online}], sorted. Returns nothing; choose(name) is called for a click. */
export function showPeople(people, me, chosen, choose, more, rooms) {
  const online = people.filter((p) => p.online).length + 1;
  $('people-count').textContent = more ? `${online}+ online` : `${online} online`;
  $('alone').hidden = people.some((p) => p.online);

  const focused = document.activeElement?.dataset?.person;
  const items = [person({ name: me, online: true }, `${me} (you)`, null)];
  for (const p of people) items.push(person(p, p.name, chosen === p.name, () => choose(p.name)));
  $('people').replaceChildren(...items);
  if (focused) document.querySelector(`[data-person="${CSS.escape(focused)}"]`)?.focus();

  const select = $('to');
  const before = select.value;
  const options = rooms.map((room) => new Option(`Room ${room}`, `room:${room}`));
  options.push(...people.map((p) => new Option(p.online ? p.name : `${p.name} (left)`, `user:${p.name}`)));
  select.replaceChildren(select.options[0], select.options[1], ...options);
  select.value = chosen === null ? before : `user:${chosen}`;
  if (select.selectedIndex < 0) select.value = 'everyone'; // The room was left.
}

function person({ name, online }, label, pressed, onclick) {
  const item = make('li');
  const inner = make(onclick ? 'button' : 'div', 'person');
  inner.dataset.person = name;
  inner.dataset.online = online;
  const words = make('span', 'person-name', label);
  const dot = make('span', 'dot');
  dot.append(make('span', 'hidden', online ? ' online' : ' left'));
  inner.append(avatar(name), words, dot);
  if (onclick) {
    inner.type = 'button';
    inner.title = `Write to ${name}`;
    inner.setAttribute('aria-pressed', pressed);
    inner.addEventListener('click', onclick);
  }
  item.append(inner);
  return item;
}

const ARROWS = { out: '↑', in: '↓', note: '·' };
const NAMES = { out: 'sent', in: 'received', note: 'note' };

export function addFrame(direction, text) {
  const item = make('li', direction);
  const arrow = make('span', 'arrow', ARROWS[direction]);
  arrow.setAttribute('role', 'img');
  arrow.setAttribute('aria-label', NAMES[direction]);
  // No frame of ours holds a token. Should data hold one, it does not belong on a screen either.
  let shown = text.replace(/eyJ[\w-]+\.[\w-]+\.[\w-]*/g, '(token)');
  if (shown.length > MOST_OF_FRAME) shown = `${shown.slice(0, MOST_OF_FRAME)}… (${text.length} characters)`;
  item.append(arrow, make('code', '', shown));
  append($('frame-list'), item, MOST_FRAMES, 'li');
}

export function showState(state, text) {
  $('state').dataset.state = state;
  $('chat').classList.toggle('stale', state !== 'open');
  $('state-text').textContent = text;
}

/** An error of the server, which is the lower-case part of a sentence, as a whole one. */
export function sentence(text) {
  if (!text) return '';
  return text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');
}

export { $, make };
