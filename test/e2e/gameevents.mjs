// Two players, each with a browser of his own, see what they asked for.

import assert from 'node:assert/strict';
import { complaints, desktop, person, phone, step, withBrowser } from './lib.mjs';

const [url, shots] = process.argv.slice(2);

const texts = (page) => page.locator('#seen li').allTextContents();

async function wish(page, field, filter) {
  await page.getByLabel('Field').selectOption(field);
  await page.getByLabel('Filter').fill(filter);
  await page.getByRole('button', { name: 'Subscribe' }).click();
  await page.locator(`body[data-wish="${field} ${filter}"]`).waitFor();
}

await withBrowser(async (browser) => {
  const open = async (name, options) => {
    const page = await person(browser, url, options);
    await page.goto(`${url}/?name=${name}`);
    await page.locator('#state[data-state="open"]').waitFor();
    return page;
  };
  const ann = await open('ann', desktop);
  const bob = await open('bob', phone);

  await step('each sees the clicks of the console that match', async () => {
    await wish(ann, 'color', 'blue*');
    await wish(bob, 'color', 'red');
    for (const page of [ann, bob]) {
      // What matched the first wish, everything, is on its way out.
      await page.evaluate(() => document.getElementById('seen').replaceChildren());
      await page.locator('#seen li').nth(9).waitFor();
    }
    const [blue, red] = [await texts(ann), await texts(bob)];
    assert.ok(blue.slice(0, 5).every((text) => text.startsWith('blue')), blue.join('; '));
    assert.ok(red.slice(0, 5).every((text) => text.startsWith('red')), red.join('; '));
    await ann.screenshot({ path: `${shots}/gameevents.png` });
    await bob.screenshot({ path: `${shots}/gameevents-phone.png` });
  });

  await step('a click of one is seen by the other', async () => {
    await wish(ann, 'by', 'bob');
    await wish(bob, 'by', 'nobody');
    await bob.getByRole('button', { name: 'orange' }).click();
    await ann.locator('#seen li', { hasText: 'orange by bob, score 1' }).waitFor();
    assert.equal(await bob.locator('#seen li', { hasText: 'by bob' }).count(), 0);
  });

  await step('a filter that cannot be is refused in plain words', async () => {
    await ann.getByLabel('Filter').fill('a*b');
    await ann.getByRole('button', { name: 'Subscribe' }).click();
    await ann.getByRole('alert').filter({ hasText: '"*" may stand at the end only' }).waitFor();
    await bob.getByRole('button', { name: 'purple' }).click();
    await ann.locator('#seen li', { hasText: 'purple by bob, score 2' }).waitFor();
  });

  assert.deepEqual(complaints, [], 'the pages complained');
});
