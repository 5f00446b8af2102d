// The browser libraries that people use most, unchanged, in a real browser:
// they connect, exchange, and come back after the connection is lost.

import assert from 'node:assert/strict';
import { ask, packageFile, step, withBrowser } from './lib.mjs';

const [url] = process.argv.slice(2);
const ws = `${url.replace('http', 'ws')}/ws`;

async function token(user) {
  const response = await fetch(`${url}/token`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ user }) });
  return (await response.json()).token;
}

await withBrowser(async (browser) => {
  const page = await (await browser.newContext({ bypassCSP: true })).newPage(); // the libraries are not of the page's origin
  await page.goto(url);
  await page.addScriptTag({ path: packageFile('sockette/dist/sockette.min.js') });
  await page.addScriptTag({ path: packageFile('reconnecting-websocket/dist/reconnecting-websocket-iife.min.js') });
  await page.evaluate(() => {
    // What a test waits for: the next frame that fits, or the next event.
    globalThis.inbox = (waiting = []) => ({
      put: (event) => { waiting = waiting.filter(({ fits, resolve }) => !fits(event) || resolve(event)); },
      next: (fits) => new Promise((resolve, reject) => {
        waiting.push({ fits, resolve });
        setTimeout(() => reject(new Error('nothing came')), 20_000);
      }),
    });
  });

  await step('sockette connects and exchanges', async () => {
    const pong = await page.evaluate(async ({ ws, token }) => {
      const events = inbox();
      const frames = inbox();
      globalThis.one = { events, frames, opened: 0 };
      const opened = events.next((e) => e.type === 'open');
      one.socket = sockette(ws, {
        protocols: ['sumu', `bearer.${token}`],
        timeout: 200,
        onopen: (e) => { one.opened++; events.put(e); },
        onclose: (e) => events.put(e),
        onmessage: (e) => frames.put(JSON.parse(e.data)),
      });
      await opened;
      const pong = frames.next((f) => f.type === 'pong');
      one.socket.json({ action: 'ping', ref: 'a' });
      return pong;
    }, { ws, token: await token('sockette') });
    assert.equal(pong.statusCode, 200);
    assert.equal(pong.ref, 'a');
  });

  await step('sockette comes back when the network has dropped it', async () => {
    const back = page.evaluate(() => one.events.next((e) => e.type === 'open').then(() => true));
    const closed = page.evaluate(() => one.events.next((e) => e.type === 'close').then((e) => e.code));
    await page.evaluate(() => 0); // both are waiting now
    await ask('cut');
    assert.equal(await closed, 1006);
    assert.equal(await back, true);
    const pong = await page.evaluate(() => {
      const pong = one.frames.next((f) => f.type === 'pong');
      one.socket.json({ action: 'ping', ref: 'b' });
      return pong;
    });
    assert.equal(pong.ref, 'b');
    assert.equal(await page.evaluate(() => one.opened), 2);
    await page.evaluate(() => one.socket.close());
  });

  let first;
  await step('reconnecting-websocket connects and exchanges', async () => {
    const pong = await page.evaluate(async ({ ws, token }) => {
      const events = inbox();
      const frames = inbox();
      const socket = new ReconnectingWebSocket(ws, ['sumu', `bearer.${token}`], { minReconnectionDelay: 100, maxReconnectionDelay: 1000 });
      globalThis.two = { events, frames, socket };
      socket.addEventListener('message', (e) => frames.put(JSON.parse(e.data)));
      socket.addEventListener('open', (e) => events.put(e));
      await events.next((e) => e.type === 'open');
      const pong = frames.next((f) => f.type === 'pong');
      socket.send(JSON.stringify({ action: 'ping' }));
      return pong;
    }, { ws, token: await token('reconnecting') });
    first = pong.connectionId;
    assert.ok(first);
  });

  await step('reconnecting-websocket comes back when a backend has deleted its connection', async () => {
    const back = page.evaluate(() => two.events.next((e) => e.type === 'open').then(() => true));
    await page.evaluate(() => 0);
    assert.equal(await ask(`delete ${first}`), '204');
    assert.equal(await back, true);
    const pong = await page.evaluate(() => {
      const pong = two.frames.next((f) => f.type === 'pong');
      two.socket.send(JSON.stringify({ action: 'ping' }));
      return pong;
    });
    assert.notEqual(pong.connectionId, first);
    const hello = page.evaluate(() => two.frames.next((f) => f.type === 'hello'));
    await page.evaluate(() => 0);
    assert.equal(await ask(`post ${pong.connectionId} {"type":"hello"}`), '200');
    assert.equal((await hello).type, 'hello');
    await page.evaluate(() => two.socket.close());
  });
});
