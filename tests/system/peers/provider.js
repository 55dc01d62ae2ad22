// An OAuth server that is not ours, in front of a resource that takes its access tokens.
//
// It rotates refresh tokens, and takes a second use of one for theft: then the whole grant is revoked. People log in on its
// own pages, under any name.

"use strict";

const { createServer } = require("node:http");

const { Provider } = require("oidc-provider");

const SCOPES = ["monitoring", "management", "control", "offline_access"];
const RUN = /^\/v2\/device\/\d+\/script\/run$/;

/** Starts the server on a free port, with these applications registered. */
async function startProvider({ clients, accessTokenSeconds }) {
  const server = createServer();
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const origin = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(origin, {
    clients,
    scopes: SCOPES,
    cookies: { keys: ["a key for tests"] },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    // By itself it would want `openid` and `prompt=consent` for that, which are not OAuth's.
    issueRefreshToken: (_, client) => client.grantTypeAllowed("refresh_token"),
    expiresWithSession: () => false,
    ttl: { AccessToken: accessTokenSeconds, RefreshToken: 3600, Grant: 3600, Interaction: 600, Session: 600 },
    features: { devInteractions: { enabled: true }, revocation: { enabled: true } },
  });
  const seen = watch(provider);
  const oauth = provider.callback();
  const stop = () => new Promise((stopped) => {
    server.close(stopped);
    server.closeAllConnections();
  });
  /** `beforeToken`, if set, is waited for before a token is issued. */
  const peer = { origin, seen, beforeToken: undefined, stop };
  server.on("request", async (request, response) => {
    if (request.url.startsWith("/v2/")) return serveResource(provider, seen, request, response);
    if (request.url === "/token") await peer.beforeToken?.();
    return oauth(request, response);
  });
  return peer;
}

/** An application, as RFC 7591 registers it: without `auth` it is a native one. */
function registration(client_id, redirect, auth = "none", client_secret) {
  return {
    client_id,
    application_type: auth === "none" ? "native" : "web",
    client_secret,
    token_endpoint_auth_method: auth,
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    redirect_uris: [redirect],
  };
}

/** Counts what happens. */
function watch(provider) {
  const seen = { logins: 0, renewals: 0, revoked: 0, errors: [], served: 0, refused: 0 };
  provider.on("grant.success", (ctx) => {
    if (ctx.oidc.params.grant_type === "refresh_token") seen.renewals += 1;
    else seen.logins += 1;
  });
  provider.on("grant.revoked", () => { seen.revoked += 1; });
  for (const event of ["grant.error", "authorization.error", "revocation.error", "server_error"]) {
    provider.on(event, (_, error) => seen.errors.push(`${event}: ${error.error_detail ?? error.message}`));
  }
  return seen;
}

async function serveResource(provider, seen, request, response) {
  request.resume();
  const [scheme, token] = (request.headers.authorization ?? "").split(" ");
  const known = scheme === "Bearer" && (await provider.AccessToken.find(token));
  const status = known ? (RUN.test(request.url) ? 204 : 404) : 401;
  seen[status === 204 ? "served" : "refused"] += 1;
  response.writeHead(status, { "content-type": "application/json" });
  response.end(status === 204 ? undefined : '{"error":"invalid_token"}');
}

module.exports = { registration, startProvider };
