// What the browser tests share: the browser, steps with names, and questions to
// the Go test that started the script.

import { createRequire } from 'node:module';
import { mkdtemp, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const require = createRequire(new URL('../tooling/package.json', import.meta.url));
const { chromium } = require('playwright-core');

/** The path of a file in a package of test/tooling. */
export const packageFile = (name) => require.resolve(name);

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Asks the Go test to do something, and returns its answer. */
export async function ask(question) {
  process.stdout.write(`ask ${question}\n`);
  const { value, done } = await lines.next();
  if (done) throw new Error(`nobody answered "${question}"`);
  return value;
}

/** Runs a step; a failure names it and ends the script. */
export async function step(name, run) {
  try {
    await run();
  } catch (error) {
    throw new Error(`step "${name}": ${error.message}`, { cause: error });
  }
  process.stdout.write(`ok ${name}\n`);
}

/** Runs test(browser) in a fresh Chromium and ends the process with its outcome. */
export async function withBrowser(test) {
  const profile = await mkdtemp(join(tmpdir(), 'sumu-e2e-chromium-'));
  let code = 0;
  const browser = await chromium.launch({
    executablePath: process.env.SUMU_CHROMIUM || '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', `--disk-cache-dir=${profile}`],
  });
  try {
    await test(browser);
  } catch (error) {
    process.stderr.write(`${error.stack}\n`);
    code = 1;
  }
  await browser.close();
  await rm(profile, { recursive: true, force: true });
  process.exit(code);
}

export const desktop = { viewport: { width: 1280, height: 860 } };
export const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

/** Everything that any page reported and that a test did not expect. */
export const complaints = [];

/** A person: a browser context of its own with the page open, after prepare(page). */
export async function person(browser, url, options, prepare) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(`page error: ${error.message}`));
  page.on('console', (message) => {
    // A failed request is what some of the tests are about; the browser reports it as an error.
    if (message.type() === 'error' && !/Failed to load resource|WebSocket connection to/.test(message.text())) complaints.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith('data:')) complaints.push(`request to elsewhere: ${request.url()}`);
  });
  await prepare?.(page);
  await page.goto(url);
  return page;
}

export async function signIn(page, name) {
  await page.getByLabel('Your name').fill(name);
  await page.getByRole('button', { name: 'Join' }).click();
  await connected(page);
}

export const connected = (page) => page.locator('#state[data-state="open"]').waitFor();

/** Waits until the page lists who is online (others than itself), in its order. */
export async function sees(page, names) {
  await page.waitForFunction((want) => {
    const there = [...document.querySelectorAll('button.person[data-online="true"]')].map((e) => e.dataset.person);
    return JSON.stringify(there) === JSON.stringify(want);
  }, names);
}

export async function say(page, to, text) {
  await page.getByLabel('To').selectOption(to);
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
  await page.locator('.mine[data-delivery="sent"]', { hasText: text }).waitFor();
}

export const shows = (page, text) => page.locator('.bubble, .notification', { hasText: text }).waitFor();
export const count = (page, text) => page.locator('.bubble, .notification', { hasText: text }).count();
