// permessage-deflate, as a browser and Node's ws speak it.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { ask, desktop, packageFile, person, complaints, step, withBrowser } from './lib.mjs';

const [url] = process.argv.slice(2);
const ws = `${url.replace('http', 'ws')}/ws`;
const WS = createRequire(import.meta.url)(packageFile('ws'));

const line = '{"type":"note","text":"Grüße, 你好, 👋 and many more words to all of you"}';
const long = line.repeat(1300); // Some 110 KB; a frame of 64 KB, if it were not compressed.
const post = line.repeat(20);

/** Opens a socket, in a page or in Node, exchanges messages, and returns what it is called. */
async function exchange({ ws, messages, post }) {
  const socket = new WebSocket(ws);
  const inbox = [];
  let wake = () => {};
  socket.onmessage = (e) => { inbox.push(e.data); wake(); };
  const ended = new Promise((_, reject) => { socket.onclose = (e) => reject(new Error(`closed with ${e.code} ${e.reason}`)); });
  ended.catch(() => {});
  const next = async () => {
    while (!inbox.length) await Promise.race([new Promise((resolve) => { wake = resolve; }), ended]);
    return inbox.shift();
  };
  await Promise.race([new Promise((resolve) => { socket.onopen = resolve; }), ended]);
  for (const message of messages) {
    socket.send(message);
    const got = await next();
    if (got !== message) throw new Error(`${message.length} characters came back as ${got.length}`);
  }
  const answer = await globalThis.ask(`post ${post}`);
  if (answer !== '<nil>') throw new Error(`post: ${answer}`);
  if (await next() !== post) throw new Error('the post came as another text');
  const { extensions } = socket;
  socket.onclose = null;
  socket.close(1000);
  return extensions;
}

const messages = ['short', '', long, line.repeat(3), long, line.repeat(700)];

/** Runs a client, and checks what it negotiated and what crossed the network. */
async function check(run) {
  const before = Number(await ask('carried'));
  const extensions = await run();
  const carried = Number(await ask('carried')) - before;
  assert.match(extensions, /^permessage-deflate/);
  const plain = 2 * messages.reduce((sum, m) => sum + Buffer.byteLength(m), 0) + Buffer.byteLength(post);
  process.stdout.write(`${plain} bytes of messages crossed the network in ${carried}\n`);
  assert.ok(carried < plain / 10, `${plain} bytes crossed the network in ${carried}`);
}

await withBrowser(async (browser) => {
  await step('a page', async () => {
    const page = await person(browser, url, desktop, (p) => p.exposeFunction('ask', ask));
    await check(() => page.evaluate(exchange, { ws, messages, post }));
    await page.context().close();
    assert.deepEqual(complaints, []);
  });

  await step('Node', async () => {
    Object.assign(globalThis, { WebSocket: WS, ask });
    await check(() => exchange({ ws, messages, post }));
  });
});
