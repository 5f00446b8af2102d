// What a frame holds is what its sender wrote: nothing of it has a shape before
// it was looked at. JSON makes objects that cannot even become text.

export const isText = (value) => typeof value === 'string' && value !== '';

const isVersion = (value) => typeof value === 'number' && value > 0;

/** Reports whether a value is a user and a version, as presence tells them. */
export const isPerson = (value) => isText(value?.user_id) && isVersion(value.version);

const LAST_DATE = 8.64e15; // of JavaScript, in ms

/** The time at which something was sent, or now where that is none. */
export const timeOf = (at) => (typeof at === 'number' && Math.abs(at) <= LAST_DATE ? at : Date.now());

/** To whom a message was sent: "everyone", "others" or {users: [names]}; null where it does not say. */
export function audienceOf(to) {
  if (to === 'everyone' || to === 'others') return to;
  return Array.isArray(to?.users) ? { users: to.users.filter(isText) } : null;
}
