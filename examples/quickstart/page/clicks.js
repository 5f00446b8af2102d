// Events: everybody's clicks on a colour, of which the server sends this page
// those that it has subscribed to, and of each the colour alone.

import { $, make, sentence } from '/view.js';

const TYPE = 'Click';
const MOST = 6;
let connection = null;
let current = null; // the subscription

const subscription = (expr) => ({ event_type: TYPE, filter_field: 'color', filter_expr: expr, desired_fields: ['color'] });

/** Subscribes: subscriptions end with their connection. */
export function opened(fresh) {
  connection = fresh;
  current = null;
  choose();
}

async function choose() {
  const expr = $('filter').value;
  const before = current;
  current = expr === '' ? null : subscription(expr);
  try {
    // The new one first: what matches both may come twice in between, and is never missed.
    if (current) await connection.request('subscribe', { subscriptions: [current] });
    if (before && before.filter_expr !== current?.filter_expr) await connection.request('unsubscribe', { subscriptions: [before] });
    $('clicks').dataset.filter = expr;
  } catch (error) {
    show(sentence(error.message));
  }
}

/** Shows a frame that is an event's, and reports whether it is. */
export function received(frame) {
  if (frame?.message_type !== TYPE || typeof frame.payload !== 'string') return false;
  let event;
  try {
    event = JSON.parse(frame.payload);
  } catch {
    return false;
  }
  if (typeof event?.color !== 'string') return false;
  show(event.color, event.color);
  return true;
}

function show(text, color) {
  const item = make('li', '', text);
  const swatch = make('span', 'swatch');
  if (color) swatch.dataset.color = color;
  item.prepend(swatch);
  $('clicks').prepend(item);
  while ($('clicks').children.length > MOST) $('clicks').lastChild.remove();
}

for (const button of document.querySelectorAll('.clicker')) {
  button.addEventListener('click', () => {
    connection?.request('submitIotEvent', { event: { MessageType: TYPE, Message: { color: button.dataset.color, at: Date.now() } } })
      .catch((error) => show(sentence(error.message)));
  });
}
$('filter').addEventListener('change', choose);
