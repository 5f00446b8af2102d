// A person uses the page of examples/iot in a real browser: signs in, gets a
// notification, talks in a channel, and comes back after the broker has gone.

import assert from 'node:assert/strict';
import { ask, complaints, desktop, person, step, withBrowser } from '../e2e/lib.mjs';

const [url, broker] = process.argv.slice(2);

const signIn = async (page, token, channels = '') => {
  await page.getByLabel('Token').fill(token);
  await page.getByLabel('Channels to join').fill(channels);
  await page.getByRole('button', { name: 'Sign in' }).click();
};
const state = (page, text) => page.getByRole('status').filter({ hasText: text }).waitFor();
const shows = (page, text) => page.locator('#messages li', { hasText: text }).first().waitFor();

await withBrowser(async (browser) => {
  const ann = await person(browser, url, desktop);
  const bob = await person(browser, url, desktop);

  await step('a token that is not accepted is refused in words', async () => {
    await signIn(ann, 'mallory');
    await state(ann, 'no token, or one that is not accepted');
  });

  await step('a channel that no grant names is refused', async () => {
    await signIn(ann, 'ann', 'other');
    await state(ann, 'the broker does not allow this topic');
  });

  let first;
  await step('both sign in', async () => {
    await signIn(ann, 'ann', 'room.42, news');
    await signIn(bob, 'bob', 'room.42');
    for (const page of [ann, bob]) await state(page, 'connected');
    first = await ann.locator('#client').textContent();
    assert.match(first, /^ann-[A-Z2-7]{26}$/);
  });

  await step('a notification of the backend arrives, and at nobody else\'s', async () => {
    assert.equal(await ask('notify ann <b>hello</b> €'), 'delivered 1');
    await shows(ann, '<b>hello</b> €');
    assert.equal(await bob.locator('#messages li').count(), 0);
  });

  await step('a large one arrives whole', async () => {
    assert.equal(await ask('large ann'), 'delivered 1');
    await ann.waitForFunction(() => document.querySelector('#messages li').textContent.length === 128 * 1024);
  });

  await step('a message to a channel', async () => {
    await ann.getByLabel('Channel', { exact: true }).fill('room.42');
    await ann.getByLabel('Message', { exact: true }).fill('good morning');
    await ann.getByRole('button', { name: 'Publish' }).click();
    for (const page of [ann, bob]) await shows(page, 'good morning');
  });

  await step('the server ends a connection; the page comes back as another client', async () => {
    assert.equal(await ask('kick ann'), 'closed 1');
    await shows(ann, 'kicked');
    await ann.waitForFunction((id) => document.getElementById('client').textContent !== id, first);
    await state(ann, 'connected');
    await ask('settled ann');
    assert.equal(await ask('notify ann again'), 'delivered 1');
    await shows(ann, 'again');
  });

  // The page asks its own host for credentials, and the broker for the rest.
  const unexpected = complaints.filter((text) => !text.startsWith(`request to elsewhere: ${broker}`));
  assert.deepEqual(unexpected, []);
});
