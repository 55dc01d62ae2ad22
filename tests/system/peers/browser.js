// Logins in a real browser: Chromium walks the pages of the sandbox, and of an OAuth server that is not ours.
//
// PEERS_SCREENSHOTS, if set, is a folder where pictures of the pages are left.

"use strict";

const assert = require("node:assert/strict");
const path = require("node:path");
const { after, before, test } = require("node:test");

const { chromium } = require("playwright-core");

const { Place, sandbox } = require("./program.js");
const { registration, startProvider } = require("./provider.js");

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const PAGE_MS_MAX = 30_000;
const ARRIVED = /login has arrived/;
const NATIVE = { client_id: "sandbox-native", redirect: "http://127.0.0.1:0/callback" };
// The sandbox knows its Single Page application at one address only, as NinjaOne would.
const SINGLE_PAGE = { client_id: "sandbox-spa", platform: "single-page", redirect: "http://127.0.0.1:6468/callback" };

let browser;

before(async () => {
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
  });
});

after(() => browser?.close());

for (const [name, user] of Object.entries({
  "a native application by a code": NATIVE,
  "a single page application by a code": SINGLE_PAGE,
  "a single page application by a token in the fragment": { ...SINGLE_PAGE, grant: "implicit" },
})) {
  test(`Chromium logs in ${name}`, async () => {
    const ninja = await sandbox();
    const place = new Place();
    place.configure(ninja.origin, { acme: user });
    try {
      await logIn(place, name, async (page) => {
        await picture(page, `consent of ${name}`);
        await page.getByRole("button", { name: "Allow" }).click();
      });
      const proxy = await place.serve("run");
      const { status, text } = await place.runScript(proxy, "acme", 101);
      assert.equal(status, 204, text);
    } finally {
      await place.end();
      await ninja.end();
    }
  });
}

test("a person who refuses in Chromium is not logged in, and the command says so", async () => {
  const ninja = await sandbox();
  const place = new Place();
  place.configure(ninja.origin, { acme: NATIVE });
  try {
    const { login, begun } = await begin(place);
    const { page, trouble } = await open(begun.authorize_url);
    await page.getByRole("button", { name: "Deny" }).click();
    const failed = JSON.parse(await login.outLine());
    assert.equal(failed.next_step, "failed");
    assert.match(failed.detail, /access_denied/);
    assert.notEqual(await login.code(), 0);
    await picture(page, "refused");
    assert.deepEqual(trouble, []);
    await page.context().close();
  } finally {
    await place.end();
    await ninja.end();
  }
});

test("Chromium logs in at an OAuth server that is not ours", async () => {
  const provider = await startProvider({
    clients: [registration("native", "http://127.0.0.1/callback")],
    accessTokenSeconds: 60,
  });
  const place = new Place();
  place.configure(provider.origin, { acme: { ...NATIVE, client_id: "native" } });
  try {
    await logIn(place, "not ours", async (page) => {
      await page.getByPlaceholder("Enter any login").fill("ann");
      await page.getByPlaceholder("and password").fill("any");
      await page.getByRole("button", { name: "Sign-in" }).click();
      await page.getByRole("button", { name: "Continue" }).click();
    }, [provider.origin, "https://fonts.googleapis.com/"]);
    const proxy = await place.serve("run");
    const { status, text } = await place.runScript(proxy, "acme", 101);
    assert.equal(status, 204, text);
    assert.deepEqual(provider.seen.errors, []);
  } finally {
    await place.end();
    await provider.stop();
  }
});

/** A whole login: `consent` does on the server's pages what a person does there. Trouble with `notOurs` is not ours. */
async function logIn(place, name, consent, notOurs = []) {
  const { login, begun } = await begin(place);
  const { page, trouble } = await open(begun.authorize_url);
  await consent(page);
  await page.getByText(ARRIVED).waitFor();
  const done = JSON.parse(await login.outLine());
  assert.equal(done.next_step, "done", JSON.stringify(done));
  assert.equal(await login.code(), 0, login.said());
  await picture(page, `callback of ${name}`);
  const address = page.url();
  assert.ok(address.startsWith(begun.redirect_uri), "the browser is where it was sent");
  assert.doesNotMatch(address, /#|access_token/, "the address bar shows no token");
  assert.deepEqual(trouble.filter((line) => !notOurs.some((start) => line.startsWith(start))), []);
  await page.context().close();
}

async function begin(place) {
  const login = place.start("login", "login", "acme", "--no-browser", "--json");
  const begun = JSON.parse(await login.outLine());
  assert.equal(begun.next_step, "open", JSON.stringify(begun));
  return { login, begun };
}

/** A new person's page, and whatever the browser complains about: errors of scripts, of policies, of loading. */
async function open(address) {
  const context = await browser.newContext();
  context.setDefaultTimeout(PAGE_MS_MAX);
  const page = await context.newPage();
  const trouble = [];
  page.on("pageerror", (error) => trouble.push(String(error)));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) trouble.push(`${message.location().url}: ${message.text()}`);
  });
  await page.goto(address);
  return { page, trouble };
}

async function picture(page, name) {
  const folder = process.env.PEERS_SCREENSHOTS;
  if (folder) await page.screenshot({ path: path.join(folder, `${name.replaceAll(" ", "-")}.png`) });
}
