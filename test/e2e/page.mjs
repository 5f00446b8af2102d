// Several people, each with a real browser of their own, use the quickstart's page.

import assert from 'node:assert/strict';
import { ask, complaints, connected, count, desktop, person, phone, say, sees, shows, signIn, step, withBrowser } from './lib.mjs';

const [url, shots] = process.argv.slice(2);

async function notify(body) {
  const response = await fetch(`${url}/notify`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  assert.equal(response.status, 202);
}

await withBrowser(async (browser) => {
  const ann = await person(browser, url, desktop);
  const bob = await person(browser, url, desktop);
  const cem = await person(browser, url, phone);
  const shot = (page, name) => page.screenshot({ path: `${shots}/${name}.png` });

  await step('a bad name is refused in plain words', async () => {
    await ann.getByRole('button', { name: 'Join' }).click();
    await ann.getByRole('alert').filter({ hasText: 'Give a name.' }).waitFor();
    await ann.getByLabel('Your name').fill('x'.repeat(65));
    await ann.getByRole('button', { name: 'Join' }).click();
    await ann.getByRole('alert').filter({ hasText: 'This name has 65 characters; at most 64 are allowed.' }).waitFor();
    await shot(ann, 'sign-in');
    await shot(cem, 'sign-in-phone');
  });

  await step('each sees the other come', async () => {
    await signIn(ann, ' ann ');
    await ann.getByText('Nobody else is here yet').waitFor();
    await shot(ann, 'empty');
    await signIn(bob, 'bob');
    await sees(ann, ['bob']);
    await sees(bob, ['ann']);
    await ann.locator('.event', { hasText: 'bob is here' }).waitFor();
    await signIn(cem, 'Cem Yıldız');
    await sees(ann, ['bob', 'Cem Yıldız']);
    await sees(cem, ['ann', 'bob']);
  });

  await step('a message to everyone', async () => {
    await say(ann, 'everyone', 'Good morning, everyone!');
    for (const page of [ann, bob, cem]) await shows(page, 'Good morning, everyone!');
    assert.equal(await count(ann, 'Good morning, everyone!'), 1, 'the sender shows it once');
  });

  await step('a message to all but me', async () => {
    await say(bob, 'others', 'Morning! Did the deploy go through?');
    for (const page of [ann, cem]) await shows(page, 'Did the deploy go through?');
    // bob's own frames would hold it if the server had sent it to him. Later
    // frames come in order, so the next one marks the time to look.
    await say(bob, 'everyone', 'I was on the train.');
    await shows(bob, 'I was on the train.');
    await frame(bob, 'in', 'I was on the train.');
    assert.equal(await frames(bob, 'in', 'Did the deploy'), 0);
  });

  await step('a message to one person reaches nobody else', async () => {
    await ann.getByRole('button', { name: 'bob online' }).click();
    assert.equal(await ann.getByLabel('To').inputValue(), 'user:bob');
    await ann.getByLabel('Message', { exact: true }).fill('Just between us: it did.');
    await ann.keyboard.press('Enter');
    await ann.locator('.mine[data-delivery="sent"]', { hasText: 'Just between us' }).waitFor();
    await shows(bob, 'Just between us: it did.');
    await say(ann, 'everyone', 'The logs are quiet, which is how I like them.');
    await shows(cem, 'The logs are quiet');
    assert.equal(await frames(cem, 'in', 'Just between us'), 0);
  });

  await step('a notification from a backend, with and without an excluded user', async () => {
    await notify({ everyone: true, data: { type: 'notice', text: 'The build has finished.' } });
    for (const page of [ann, bob, cem]) await shows(page, 'The build has finished.');
    await notify({ everyone: true, exclude_users: ['bob'], data: { type: 'notice', text: 'A surprise for bob is planned.' } });
    await notify({ everyone: true, data: { order: 17, state: 'shipped' } });
    for (const page of [ann, bob, cem]) await shows(page, '"order": 17');
    for (const page of [ann, cem]) assert.equal(await count(page, 'A surprise'), 1);
    assert.equal(await frames(bob, 'in', 'A surprise'), 0);
  });

  await step('it looks as it should', async () => {
    await say(cem, 'everyone', 'The dashboards look calm as well. I will keep an eye on the p99 during lunch, and write a note when the canary has been up for an hour.');
    await shows(ann, 'The dashboards look calm');
    await shot(ann, 'desktop');
    await shot(cem, 'phone');
    for (const page of [ann, cem]) await page.emulateMedia({ colorScheme: 'dark' });
    await shot(ann, 'desktop-dark');
    await shot(cem, 'phone-dark');
    await cem.getByRole('button', { name: 'Frames' }).click();
    await shot(cem, 'phone-frames');
    await cem.getByRole('button', { name: 'Close' }).click();
    for (const page of [ann, cem]) await page.emulateMedia({ colorScheme: 'light' });
    for (const page of [ann, bob, cem]) {
      const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(content <= window, `the page is ${content} px wide in a window of ${window} px`);
    }
  });

  await step('data of any shape is shown, and breaks nothing', async () => {
    for (const data of [null, 7, 'text', [], { type: 'chat' }, { type: 'presence' }, { type: 'who' }, { type: 'error' }, { type: 'chat', from: 'zoe', text: 7, key: 1 }]) {
      await notify({ users: ['bob'], data });
    }
    await notify({ users: ['bob'], data: { type: 'chat', from: 'a backend', text: 'I can talk, too.', key: '1' } });
    await shows(bob, 'I can talk, too.');
    assert.equal(await count(bob, '"type": "chat"'), 2);
    await notify({ users: ['bob'], data: 'z'.repeat(100_000) });
    await shows(bob, 'zzz');
    assert.equal(await frames(bob, 'in', '(100002 characters)'), 1);
  });

  await step('a frame of any shape throws nothing', async () => {
    const fay = await person(browser, url, desktop, (page) => page.addInitScript(() => {
      globalThis.socketsOfTheTest = [];
      const { WebSocket } = globalThis;
      globalThis.WebSocket = class extends WebSocket {
        constructor(...args) {
          super(...args);
          globalThis.socketsOfTheTest.push(this);
        }
      };
    }));
    await signIn(fay, 'fay');
    const deep = '['.repeat(5000) + ']'.repeat(5000);
    const odd = [
      null, true, 0, -1, 1e300, -1e300, 1e-300, 2 ** 60, '', 'x', '<b>x</b>', '__proto__', '\ud800', '\u202e',
      [], [null], [[]], [{}], {}, { toString: 1, valueOf: 1 }, { users: null }, { users: 7 }, { users: [null, 7, {}] }, { room: { toString: 1 } },
    ];
    // A whole frame of each kind, of which one member at a time is something else.
    const whole = [
      { type: 'chat', from: 'zoe', text: 'Hello', key: 'k', to: 'everyone', at: 1 },
      { type: 'who', users: [{ user_id: 'zoe', version: 1 }], more: false },
      { type: 'presence', message: { user_id: 'zoe', status: 'ONLINE', version: 1 } },
      { type: 'message', channel: 'room.x', from: 'zoe', id: '1', data: { text: 'Hello', key: 'k', at: 1 } },
      { type: 'error', action: 'publish', ref: '1', code: 'forbidden', message: 'no' },
      { type: 'closing', code: 'kicked', message: 'no' },
      { type: 'ack', ref: '1', id: '1' },
      { type: 'pong', ref: '2', connectionId: 'x' },
      { message: 'Forbidden', action: 'x', ref: '1', connectionId: 'x', requestId: 'x' },
      { channel: 'room.x', ref: '1', connectionId: 'x' },
      { message_type: 'Click', payload: '{"color":"red"}' },
    ];
    const frames = [{ type: 'chat', at: 1e300 }, { type: 'who', users: [null] }, ...odd];
    for (const frame of whole) {
      for (const name of Object.keys(frame)) {
        for (const value of odd) frames.push({ ...frame, [name]: value });
      }
    }
    for (const frame of [whole[2], whole[3]]) {
      const inner = frame.message ? 'message' : 'data';
      for (const name of Object.keys(frame[inner])) {
        for (const value of odd) frames.push({ ...frame, [inner]: { ...frame[inner], [name]: value } });
      }
    }
    for (const name of ['user_id', 'version']) {
      for (const value of odd) frames.push({ type: 'who', users: [{ user_id: 'zoe', version: 1, [name]: value }] });
    }
    for (const payload of ['', 'null', '7', '[]', '{"color":7}', '{"color":"<b>x</b>"}', '{']) frames.push({ message_type: 'Click', payload });
    // In the page, so that a thousand of them need no thousand requests.
    const thrown = await fay.evaluate(async (texts) => {
      const errors = [];
      addEventListener('error', (event) => errors.push(event.message));
      addEventListener('unhandledrejection', (event) => errors.push(String(event.reason)));
      const sockets = globalThis.socketsOfTheTest;
      for (const text of texts) {
        const before = errors.length;
        sockets.at(-1).dispatchEvent(new MessageEvent('message', { data: text }));
        await Promise.resolve();
        if (errors.length > before) errors[before] = `${text.slice(0, 200)}: ${errors[before]}`;
      }
      return errors;
    }, frames.map((frame) => JSON.stringify(frame)).concat([
      '', 'x', '{', '"', '1e999', deep, `{"type":"chat","from":"zoe","text":"x","key":"deep","to":${deep}}`,
      `{"type":"message","channel":"room.x","from":"zoe","data":${deep}}`, `{"type":"presence","message":${deep}}`,
    ]));
    assert.deepEqual(thrown.slice(0, 10), []);
    assert.equal(await fay.locator('.messages b').count(), 0);
    await fay.locator('body').evaluate(() => new Promise((done) => { setTimeout(done, 0); }));
    await say(ann, 'everyone', 'Are you still there, fay?');
    await shows(fay, 'Are you still there, fay?');
    await fay.context().close();
    await sees(ann, ['bob', 'Cem Yıldız']);
  });

  await step('what comes twice or late is shown once, and as it was', async () => {
    const presence = (version, status) => notify({ users: ['bob'], data: { type: 'presence', message: { user_id: 'zoe', status, version } } });
    await presence(5, 'ONLINE');
    await sees(bob, ['ann', 'Cem Yıldız', 'zoe']);
    await presence(4, 'OFFLINE');
    await presence(5, 'ONLINE');
    const said = { type: 'chat', from: 'zoe', text: 'Said once.', key: 'same', to: 'everyone' };
    for (const id of ['1', '2']) await notify({ users: ['bob'], data: { ...said, id } });
    await notify({ users: ['bob'], data: { ...said, text: 'Said next.', key: 'next' } });
    await shows(bob, 'Said next.');
    assert.equal(await count(bob, 'Said once.'), 1);
    await sees(bob, ['ann', 'Cem Yıldız', 'zoe']);
    assert.equal(await bob.locator('.event', { hasText: 'zoe' }).count(), 1);
    await presence(6, 'OFFLINE');
    await sees(bob, ['ann', 'Cem Yıldız']);
  });

  await step('what people write is text, never markup', async () => {
    const nasty = '<img src=x onerror="document.title=\'owned\'"><b>bold</b>';
    await say(bob, 'everyone', nasty);
    await shows(ann, nasty);
    assert.equal(await ann.locator('.messages b, .messages img[src="x"]').count(), 0);
    assert.notEqual(await ann.title(), 'owned');
  });

  await step('a message that cannot be sent says why', async () => {
    await ann.evaluate(() => { document.getElementById('text').removeAttribute('maxlength'); });
    await ann.getByLabel('To').selectOption('everyone');
    await ann.getByLabel('Message', { exact: true }).fill('long '.repeat(401).trim());
    await ann.getByRole('button', { name: 'Send' }).click();
    await ann.locator('.mine[data-delivery="failed"] .note', { hasText: 'at most 2000 are allowed' }).waitFor();
    await ann.locator('.mine[data-delivery="failed"]').evaluate((e) => e.remove());
  });

  await step('a reader who has scrolled up stays there', async () => {
    const log = cem.getByRole('log');
    await log.evaluate((e) => { e.scrollTop = 0; });
    await say(bob, 'everyone', 'This comes in below.');
    await cem.getByRole('button', { name: 'New messages' }).waitFor();
    assert.equal(await log.evaluate((e) => e.scrollTop), 0);
    await cem.getByRole('button', { name: 'New messages' }).click();
    await cem.getByRole('button', { name: 'New messages' }).waitFor({ state: 'hidden' });
  });

  await step('no token is shown', async () => {
    await ann.locator('.frame-list li', { hasText: 'bearer.(token)' }).first().waitFor();
    for (const page of [ann, bob, cem]) assert.doesNotMatch(await page.content(), /eyJ[\w-]+\./);
    await notify({ users: ['bob'], data: { jwt: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln' } });
    await frame(bob, 'in', '{"jwt":"(token)"}');
  });

  await step('an idle page keeps its socket, at half the price of a ping', async () => {
    const idle = await person(browser, url, desktop, (page) => page.clock.install());
    await signIn(idle, 'idle');
    await idle.clock.fastForward('07:00');
    assert.equal(await frames(idle, 'out', 'keepalive'), 0);
    await idle.clock.fastForward('01:01');
    await frame(idle, 'out', '{"action":"keepalive"}');
    assert.equal(await frames(idle, 'out', 'keepalive'), 1);
    await idle.context().close();
    await sees(ann, ['bob', 'Cem Yıldız']);
  });

  await step('a reload is not seen as leaving', async () => {
    await bob.reload();
    await connected(bob);
    await sees(bob, ['ann', 'Cem Yıldız']);
    // The grace has passed when somebody who left after the reload is seen to leave.
    const dee = await person(browser, url, desktop);
    await signIn(dee, 'dee');
    await sees(ann, ['bob', 'Cem Yıldız', 'dee']);
    await dee.context().close();
    await sees(ann, ['bob', 'Cem Yıldız']);
    assert.equal(await ann.locator('.event', { hasText: 'bob left' }).count(), 0);
  });

  await step('a closed tab is seen to leave', async () => {
    await cem.close();
    await sees(ann, ['bob']);
    await ann.locator('.event', { hasText: 'Cem Yıldız left' }).waitFor();
    await ann.getByRole('button', { name: 'Cem Yıldız left' }).click();
    await ann.getByText('Cem Yıldız has left, and messages are not kept.').waitFor();
  });

  await step('who leaves and comes back is seen to', async () => {
    await bob.getByRole('button', { name: 'Leave' }).click();
    await sees(ann, []);
    await bob.getByLabel('Your name').fill('bob');
    await bob.getByRole('button', { name: 'Join' }).dblclick();
    await connected(bob);
    await sees(ann, ['bob']);
    await notify({ users: ['bob'], data: { double: true } });
    await notify({ users: ['bob'], data: { marker: true } });
    await frame(bob, 'in', '{"marker":true}');
    assert.equal(await frames(bob, 'in', '{"double":true}'), 1, 'one page has one socket');
  });

  for (const how of ['restart', 'kill']) {
    await step(`after a server's ${how} the pages come back by themselves`, async () => {
      const eve = await person(browser, url, desktop);
      await signIn(eve, 'eve');
      await sees(ann, ['bob', 'eve']);
      await ask(how === 'kill' ? 'kill' : 'stop');
      await eve.context().close(); // nobody is there to tell
      await ann.getByText('No connection. Trying again…').waitFor();
      await ann.getByLabel('To').selectOption('everyone');
      await ann.getByLabel('Message', { exact: true }).fill(`Written before the ${how} was over`);
      await ann.getByRole('button', { name: 'Send' }).click();
      await ann.locator('.mine[data-delivery="sending"]', { hasText: how }).waitFor();
      if (how === 'restart') await shot(ann, 'no-connection');
      await ask('start');
      for (const page of [ann, bob]) await connected(page);
      await sees(ann, ['bob']);
      await sees(bob, ['ann']);
      // It was sent as soon as ann was back; bob has it if he was back before that.
      await ann.locator('.mine[data-delivery="sent"]', { hasText: how }).waitFor();
      await say(bob, 'everyone', `Here again after the ${how}`);
      await shows(ann, `Here again after the ${how}`);
    });
  }

  // Its version is lower than what the page had seen of the first server.
  await step('leaving is seen after the restarts, too', async () => {
    await bob.getByRole('button', { name: 'Leave' }).click();
    await bob.getByLabel('Your name').waitFor();
    await sees(ann, []);
  });

  assert.deepEqual(complaints, [], 'the pages complained');
});

function frames(page, direction, text) {
  return page.locator(`.frame-list li.${direction}`, { hasText: text }).count();
}

function frame(page, direction, text) {
  return page.locator(`.frame-list li.${direction}`, { hasText: text }).first().waitFor({ state: 'attached' });
}
