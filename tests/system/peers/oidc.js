// Logins at an OAuth server that is not ours: begun, kept alive by two processes at once, given back.

"use strict";

const assert = require("node:assert/strict");
const { createHash, randomBytes } = require("node:crypto");
const { after, before, test } = require("node:test");
const { setTimeout } = require("node:timers/promises");

const { visit, walk } = require("./person.js");
const { Place, freePort, until } = require("./program.js");
const { registration, startProvider } = require("./provider.js");

const ACCESS_TOKEN_SECONDS = 5;
// A proxy renews no more than once a second.
const REFRESH_AT = "20%";
const RENEWALS = 200;
const RENEWALS_MS_MAX = 120_000;
// Of each of twelve who ask: some hundred requests a second in all.
const PAUSE_MS = 20;
const FAILURES_SHOWN = 3;
const PEOPLE = ["ann", "bob"];

let provider;
let place;
let proxies = [];
const tenants = [];

before(async () => {
  const secret = randomBytes(32).toString("base64url");
  const at = (port) => `http://127.0.0.1${port}/callback`;
  const [post, basic] = [at(`:${await freePort()}`), at(`:${await freePort()}`)];
  const clients = [
    // Without a port: a native application may come back at any (RFC 8252 section 7.3).
    registration("native", at("")),
    registration("post", post, "client_secret_post", secret),
    registration("basic", basic, "client_secret_basic", secret),
  ];
  provider = await startProvider({ clients, accessTokenSeconds: ACCESS_TOKEN_SECONDS });
  place = new Place();
  const client_secret = place.secret("client", secret);
  const applications = [
    { client_id: "native", redirect: at(":0") },
    { client_id: "post", redirect: post, client_secret },
    { client_id: "basic", redirect: basic, client_secret, client_auth: "basic" },
  ];
  const users = {};
  for (const application of applications) {
    for (const person of PEOPLE) {
      const name = `${application.client_id}-${person}`;
      tenants.push({ name, person });
      users[name] = { ...application, refresh_at: REFRESH_AT };
    }
  }
  place.configure(provider.origin, users);
});

after(async () => {
  await place?.end();
  await provider?.stop();
});

test("the server takes a second use of a refresh token for theft, so that the other tests mean something", async () => {
  const redirect = "http://127.0.0.1/callback";
  const { origin, seen, stop } = await startProvider({ clients: [registration("native", redirect)], accessTokenSeconds: 60 });
  const verifier = randomBytes(32).toString("base64url");
  const asked = new URLSearchParams({
    client_id: "native", redirect_uri: redirect, response_type: "code", scope: "monitoring",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256",
  });
  const back = new URL(await walk(`${origin}/auth?${asked}`, redirect, { login: "eve", password: "any" }));
  const token = async (form) => {
    const body = new URLSearchParams({ client_id: "native", ...form });
    return (await fetch(`${origin}/token`, { method: "POST", body })).json();
  };
  const code = back.searchParams.get("code");
  const first = await token({ grant_type: "authorization_code", code, redirect_uri: redirect, code_verifier: verifier });
  const second = await token({ grant_type: "refresh_token", refresh_token: first.refresh_token });
  assert.notEqual(second.refresh_token, undefined);
  for (const { refresh_token } of [first, second]) {
    assert.equal((await token({ grant_type: "refresh_token", refresh_token })).error, "invalid_grant");
  }
  assert.deepEqual([seen.renewals, seen.revoked], [1, 1]);
  await stop();
});

test("people log in with an application of each kind", async () => {
  for (const { name, person } of tenants) {
    const login = place.start("login", "login", name, "--no-browser", "--json");
    const begun = JSON.parse(await login.outLine());
    assert.equal(begun.next_step, "open", JSON.stringify(begun));
    const back = await walk(begun.authorize_url, begun.redirect_uri, { login: person, password: "any" });
    assert.equal(await visit(back), 200);
    const done = JSON.parse(await login.outLine());
    assert.equal(done.next_step, "done", JSON.stringify(done));
    assert.equal(done.renewable, true);
    assert.equal(await login.code(), 0, login.said());
  }
  assert.equal(provider.seen.logins, tenants.length);
});

test(`two processes renew the same logins ${RENEWALS} times, and no token is used twice and no request fails`, async (t) => {
  proxies = [await place.serve("one"), await place.serve("two")];
  const failed = [];
  let isOver = false;
  const work = async (proxy, { name }) => {
    for (let device = 1; !isOver; device += 1) {
      const { status, text } = await place.runScript(proxy, name, device).catch((error) => ({ text: error.message }));
      if (status !== 204) failed.push(`${name}: ${status} ${text}`);
      await setTimeout(PAUSE_MS);
    }
  };
  const workers = proxies.flatMap((proxy) => tenants.map((tenant) => work(proxy, tenant)));
  try {
    await until(`there are ${RENEWALS} renewals`, () => provider.seen.renewals >= RENEWALS || failed.length > 0, RENEWALS_MS_MAX);
  } finally {
    isOver = true;
    await Promise.all(workers);
  }
  const { served, renewals } = provider.seen;
  assert.deepEqual(failed.slice(0, FAILURES_SHOWN), []);
  assert.deepEqual(provider.seen, { logins: tenants.length, renewals, revoked: 0, errors: [], served, refused: 0 });
  const counts = await Promise.all(proxies.map(renewalsOf));
  for (const { renewed, adopted } of counts) assert.ok(renewed > 0 && adopted > 0, JSON.stringify(counts));
  t.diagnostic(`${renewals} renewals, ${served} requests; by process ${JSON.stringify(counts)}`);
});

test("a process that is stopped while it renews keeps what the server gives it", async () => {
  for (const proxy of proxies) {
    proxy.terminate();
    assert.equal(await proxy.code(), 0);
  }
  const renewals = provider.seen.renewals;
  const stopped = await place.serve("stopped");
  let stopping;
  provider.beforeToken = () => {
    stopping ??= (stopped.terminate(), stopped.logged("draining"));
    return stopping;
  };
  assert.equal(await stopped.code(), 0);
  provider.beforeToken = undefined;
  assert.notEqual(stopping, undefined);
  assert.ok(provider.seen.renewals > renewals);
  proxies = [await place.serve("next")];
  for (const { name } of tenants) {
    const { status, text } = await place.runScript(proxies[0], name, 1);
    assert.equal(status, 204, text);
  }
  assert.deepEqual([provider.seen.revoked, provider.seen.errors], [0, []]);
});

test("a logout gives the grant back to the server", async () => {
  for (const { name } of tenants) {
    const revoked = provider.seen.revoked;
    const logout = place.start("logout", "logout", name, "--json");
    const done = JSON.parse(await logout.outLine());
    assert.equal(await logout.code(), 0, logout.said());
    assert.deepEqual([done.revoked, done.forgotten], [true, true]);
    assert.equal(provider.seen.revoked, revoked + 1);
  }
  const isOut = async ({ name }) => (await place.runScript(proxies[0], name, 1)).status === 503;
  for (const tenant of tenants) await until(`${tenant.name} is logged out`, () => isOut(tenant));
  assert.deepEqual(provider.seen.errors, []);
});

/** How often a process has renewed, and how often it has taken over what the other one had. */
async function renewalsOf(proxy) {
  const metrics = await (await fetch(`${proxy.admin}/metrics`)).text();
  const count = (result) => {
    const lines = metrics.matchAll(new RegExp(`^ninjaone_proxy_token_renewals_total\\{.*result="${result}".*\\} (\\d+)$`, "gm"));
    return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
  };
  return { renewed: count("renewed"), adopted: count("adopted") };
}
