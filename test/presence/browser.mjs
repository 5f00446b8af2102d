// Tabs of a browser come, go and reload; the Go test tells who is online.

import assert from 'node:assert/strict';
import { ask, step, withBrowser } from '../e2e/lib.mjs';

const [url] = process.argv.slice(2);

async function tab(context, user) {
  const page = await context.newPage();
  await page.evaluate((address) => new Promise((resolve, reject) => {
    globalThis.socket = new WebSocket(address);
    globalThis.socket.onopen = resolve;
    globalThis.socket.onerror = () => reject(new Error('the socket was refused'));
  }), `${url.replace('http', 'ws')}/ws?user=${user}`);
  return page;
}

const until = async (user, history) => assert.equal(await ask(`until ${user} ${history}`), 'done');

await withBrowser(async (browser) => {
  const context = await browser.newContext();
  let tabs = [];
  await step('the first of three tabs brings her online', async () => {
    for (let i = 0; i < 3; i++) tabs.push(await tab(context, 'ann'));
    await until('ann', '+');
  });
  await step('two tabs close, and she stays', async () => {
    await tabs[0].close();
    await tabs[1].close();
    const marker = await tab(context, 'marker');
    await until('marker', '+');
    await marker.close();
    await until('marker', '+-');
    await until('ann', '+');
  });
  await step('the last tab closes', async () => {
    await tabs[2].close();
    await until('ann', '+-');
  });
  await step('a socket that the page closes', async () => {
    const page = await tab(context, 'bob');
    await until('bob', '+');
    await page.evaluate(() => globalThis.socket.close());
    await until('bob', '+-');
  });
  await step('a page that goes elsewhere', async () => {
    const page = await tab(context, 'bob');
    await until('bob', '+-+');
    await page.goto('data:text/html,elsewhere');
    await until('bob', '+-+-');
  });
  await step('the whole browser window', async () => {
    const other = await browser.newContext();
    await tab(other, 'cem');
    await until('cem', '+');
    await other.close();
    await until('cem', '+-');
  });
});
