// OAuth clients of npm, unmodified, at our own token endpoint: they discover it, log in, read and write, go on after a restart
// of the proxy, and come back when their token has ended.

"use strict";

const assert = require("node:assert/strict");
const { randomBytes } = require("node:crypto");
const { afterEach, test } = require("node:test");
const { pathToFileURL } = require("node:url");

const simple = require("simple-oauth2");

const { Place, freePort, sandbox, until } = require("./program.js");

const SCOPES = "monitoring management control";
const CALLERS = {
  reader: { allow: ["read"] },
  worker: { allow: ["all"] },
};
for (const [name, caller] of Object.entries(CALLERS)) {
  caller.key = `njp_${name}_${randomBytes(32).toString("base64url")}`;
}
// Every key has what a client escapes: each of them must be tried with one.
CALLERS.reader.key = CALLERS.reader.key.replace(/.{3}$/, "-_-");

let open = [];
afterEach(async () => {
  await Promise.all(open.map((it) => it.end()));
  open = [];
});

/** The proxy at `base`, in front of a simulated NinjaOne. */
async function world(life) {
  const ninjaone = await sandbox();
  const place = new Place();
  open = [place, ninjaone];
  const port = await freePort();
  place.configureService(ninjaone.origin, port, CALLERS, life);
  const served = { proxy: await serve(place) };
  const base = `http://127.0.0.1:${port}`;
  const restart = async () => {
    served.proxy.terminate();
    assert.equal(await served.proxy.code(), 0, served.proxy.said());
    served.proxy = await serve(place);
  };
  const logins = () => place.audited("one").filter((it) => it.path === "/ws/oauth/token" && it.status === 200).length;
  return { base, restart, logins };
}

async function serve(place) {
  const proxy = await place.serve("one");
  await until("the proxy has a token", async () => {
    const headers = { "x-api-key": CALLERS.reader.key };
    return (await fetch(`${proxy.callers}/v2/organizations`, { headers })).ok;
  });
  return proxy;
}

/** openid-client keeps no token: a program keeps it until its end. `authentication` is how the client proves itself. */
async function openidClient({ base, path = "", caller, authentication }) {
  // An import does not look where NODE_PATH says.
  const openid = await import(pathToFileURL(require.resolve("openid-client")));
  const how = openid[authentication](CALLERS[caller].key);
  const options = { execute: [openid.allowInsecureRequests], algorithm: "oauth2" };
  const config = await openid.discovery(new URL(base + path), caller, {}, how, options);
  let tokens;
  const logIn = async () => { tokens = await openid.clientCredentialsGrant(config, { scope: SCOPES }); };
  await logIn();
  assert.equal(tokens.scope, SCOPES);
  const ask = async (method, target, body) => {
    if (tokens.expiresIn() === 0) await logIn();
    const headers = new Headers({ "content-type": "application/json" });
    const url = new URL(base + target);
    return openid.fetchProtectedResource(config, tokens.access_token, url, method, body, headers).catch((error) => {
      // It throws where a challenge comes with a 401.
      if (error.status === undefined) throw error;
      return error.response ?? { status: error.status };
    });
  };
  const giveBack = () => openid.tokenRevocation(config, tokens.access_token);
  return { ask, giveBack };
}

/** simple-oauth2 says whether a token has ended, and leaves the rest to the program. */
async function simpleOauth2({ base, caller, options }) {
  const client = new simple.ClientCredentials({
    client: { id: caller, secret: CALLERS[caller].key },
    auth: { tokenHost: base, tokenPath: "/ws/oauth/token", revokePath: "/ws/oauth/revoke" },
    options,
  });
  const logIn = () => client.getToken({ scope: SCOPES.split(" ") });
  let token = await logIn();
  assert.equal(token.token.scope, SCOPES);
  const ask = async (method, target, body) => {
    if (token.expired()) token = await logIn();
    const headers = { authorization: `Bearer ${token.token.access_token}`, "content-type": "application/json" };
    return fetch(base + target, { method, body, headers });
  };
  return { ask, giveBack: () => token.revoke("access_token") };
}

const KINDS = [
  ["openid-client, Basic", (given) => openidClient({ ...given, authentication: "ClientSecretBasic" })],
  ["openid-client, form", (given) => openidClient({ ...given, authentication: "ClientSecretPost" })],
  ["openid-client, below the tenant", (given) => openidClient({ ...given, path: "/tenant/acme", authentication: "ClientSecretBasic" })],
  ["simple-oauth2, Basic", (given) => simpleOauth2({ ...given, options: { authorizationMethod: "header" } })],
  ["simple-oauth2, Basic as sent", (given) => simpleOauth2({ ...given, options: { credentialsEncodingMode: "loose" } })],
  ["simple-oauth2, form", (given) => simpleOauth2({ ...given, options: { authorizationMethod: "body" } })],
];

async function clientsOf(base) {
  const clients = [];
  for (const [kind, make] of KINDS) {
    for (const caller of Object.keys(CALLERS)) {
      const name = `${kind}, ${caller}`;
      const client = await make({ base, caller }).catch((error) => assert.fail(`${name}: ${error.stack} ${error.cause}`));
      clients.push({ name, caller, ...client });
    }
  }
  return clients;
}

async function readAndWrite(clients) {
  for (const { name, caller, ask } of clients) {
    const read = await ask("GET", "/v2/organizations");
    assert.equal(read.status, 200, name);
    assert.ok((await read.json()).length >= 3, name);
    const organization = JSON.stringify({ name: `${name} ${randomBytes(8).toString("hex")}` });
    const written = await ask("POST", "/v2/organizations", organization);
    assert.equal(written.status, caller === "worker" ? 200 : 403, name);
    await written.body?.cancel();
  }
}

test("they read and write, and a restart costs no login", async () => {
  const { base, restart, logins } = await world("1h");
  const clients = await clientsOf(base);
  await readAndWrite(clients);
  assert.equal(logins(), clients.length);
  await restart();
  await readAndWrite(clients);
  assert.equal(logins(), clients.length);
});

test("a token that they give back has ended, also after a restart", async () => {
  const { base, restart } = await world("1h");
  const clients = await clientsOf(base);
  for (const { giveBack } of clients) await giveBack();
  const allEnded = async () => {
    for (const { name, ask } of clients) assert.equal((await ask("GET", "/v2/organizations")).status, 401, name);
  };
  await allEnded();
  await restart();
  await allEnded();
});

test("they come back when their token has ended", async () => {
  const { base } = await world("2s");
  const clients = await clientsOf(base);
  // Clients count from a token's arrival, and so later than the proxy: nothing is asked while one still takes for alive what has
  // ended.
  const form = { grant_type: "client_credentials", client_id: "reader", client_secret: CALLERS.reader.key };
  const response = await fetch(`${base}/oauth/token`, { method: "POST", body: new URLSearchParams(form) });
  const headers = { authorization: `Bearer ${(await response.json()).access_token}` };
  await until("the last token has ended", async () => (await fetch(`${base}/v2/organizations`, { headers })).status === 401);
  await readAndWrite(clients);
});
