// People in rooms, and events that they pick out by their content.

import assert from 'node:assert/strict';
import { ask, complaints, connected, count, desktop, person, phone, say, sees, shows, signIn, step, withBrowser } from './lib.mjs';

const [url, shots] = process.argv.slice(2);

const notify = (body) => fetch(`${url}/notify`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
const frames = (page, direction, text) => page.locator(`.frame-list li.${direction}`, { hasText: text });
const arrived = (page, text) => frames(page, 'in', text).first().waitFor({ state: 'attached' });

async function enter(page, room) {
  await page.getByLabel('Room name').fill(room);
  await page.getByRole('button', { name: 'Enter' }).click();
  await page.locator('.room-name', { hasText: room }).waitFor();
}

const click = (page, color) => page.getByRole('button', { name: color, exact: true }).click();
const clicks = (page) => page.locator('#clicks li').allTextContents();

async function filter(page, value) {
  await page.getByLabel('Show me').selectOption(value);
  await page.locator(`#clicks[data-filter="${value}"]`).waitFor({ state: 'attached' });
}

await withBrowser(async (browser) => {
  const ann = await person(browser, url, desktop);
  const bob = await person(browser, url, desktop);
  const cem = await person(browser, url, phone);
  const shot = (page, name) => page.screenshot({ path: `${shots}/${name}.png` });
  await signIn(ann, 'ann');
  await signIn(bob, 'bob');
  await signIn(cem, 'cem');
  await sees(ann, ['bob', 'cem']);

  await step('a name that no room may have is refused in plain words', async () => {
    await ann.getByRole('button', { name: 'Enter' }).click();
    await ann.getByRole('alert').filter({ hasText: 'Give the room a name.' }).waitFor();
    for (const bad of ['two words', 'room#1', '*', 'ü']) {
      await ann.getByLabel('Room name').fill(bad);
      await ann.getByRole('button', { name: 'Enter' }).click();
      await ann.locator('#room-error', { hasText: /^Channel holds/ }).waitFor();
    }
    assert.equal(await ann.locator('.room-name').count(), 0);
  });

  await step('a message to a room reaches those in it', async () => {
    await enter(ann, 'kitchen');
    await enter(cem, 'kitchen');
    assert.equal(await ann.getByLabel('To', { exact: true }).inputValue(), 'room:kitchen', 'who enters a room writes to it');
    await say(ann, 'room:kitchen', 'Who took the good knife?');
    await shows(cem, 'Who took the good knife?');
    await cem.locator('.message .meta', { hasText: 'ann to room kitchen' }).waitFor();
    assert.equal(await count(ann, 'Who took the good knife?'), 1);
    await say(ann, 'everyone', 'Lunch is at noon.');
    await shows(bob, 'Lunch is at noon.');
    assert.equal(await frames(bob, 'in', 'good knife').count(), 0);
    assert.equal(await frames(ann, 'in', 'good knife').count(), 0, 'the sender shows its own');
  });

  await step('a backend reaches a room as well', async () => {
    const response = await notify({ channels: ['room.kitchen'], data: { type: 'notice', text: 'The kettle is on.' } });
    assert.equal(response.status, 202);
    for (const page of [ann, cem]) {
      await page.locator('.notification', { hasText: 'The kettle is on.' }).locator('.meta', { hasText: 'in room kitchen' }).waitFor();
    }
    assert.equal(await frames(bob, 'in', 'kettle').count(), 0);
  });

  await step('who leaves a room hears nothing of it', async () => {
    await cem.getByRole('button', { name: 'Exit kitchen' }).click();
    await cem.locator('.room-name').waitFor({ state: 'detached' });
    await say(ann, 'room:kitchen', 'It was in the drawer.');
    await say(ann, 'everyone', 'Never mind.');
    await shows(cem, 'Never mind.');
    assert.equal(await frames(cem, 'in', 'drawer').count(), 0);
  });

  await step('each sees the events that it asked for', async () => {
    await filter(ann, 'blue*');
    await filter(bob, 'red');
    for (const color of ['blue', 'red', 'bluegreen']) await click(bob, color);
    await click(ann, 'red');
    await ann.locator('#clicks li', { hasText: 'bluegreen' }).waitFor();
    await bob.locator('#clicks li').nth(1).waitFor();
    assert.deepEqual(await clicks(ann), ['bluegreen', 'blue']);
    assert.deepEqual(await clicks(bob), ['red', 'red']);
    await arrived(ann, '{"message_type":"Click","payload":"{\\"color\\":\\"blue\\"}"}');
    await filter(ann, '');
    await click(bob, 'blue');
    await click(bob, 'red');
    await bob.locator('#clicks li').nth(2).waitFor();
    assert.deepEqual(await clicks(ann), ['bluegreen', 'blue']);
    await shot(ann, 'rooms');
    await shot(cem, 'rooms-phone');
    await ann.emulateMedia({ colorScheme: 'dark' });
    await shot(ann, 'rooms-dark');
    for (const page of [ann, cem]) {
      const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(content <= window, `the page is ${content} px wide in a window of ${window} px`);
    }
  });

  await step('after a restart the pages are in their rooms again', async () => {
    await enter(bob, 'kitchen');
    await ask('stop');
    await ann.getByText('No connection. Trying again…').waitFor();
    await ask('start');
    for (const page of [ann, bob]) await connected(page);
    await sees(bob, ['ann', 'cem']);
    await frames(bob, 'in', '"channel":"room.kitchen","connectionId"').nth(1).waitFor({ state: 'attached' });
    await say(ann, 'room:kitchen', 'Back again.');
    await shows(bob, 'Back again.');
    await click(ann, 'red');
    await bob.locator('#clicks li').nth(3).waitFor();
  });

  assert.deepEqual(complaints, [], 'the pages complained');
});
