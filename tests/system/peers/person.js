// A person at a browser without scripts: follows redirects, keeps cookies, fills in and sends the form of each page.

"use strict";

const { get } = require("node:http");

const STEPS_MAX = 20;
const STEP_MS_MAX = 30_000;

/** Walks from `address` until the browser is sent to `end`: gives the whole address, which is not opened. */
async function walk(address, end, fields) {
  const cookies = new Map();
  let request = { address };
  for (let step = 0; step < STEPS_MAX; step += 1) {
    if (request.address.startsWith(end)) return request.address;
    const response = await send(request, cookies);
    const location = response.headers.get("location");
    request = location
      ? { address: new URL(location, request.address).href }
      : filled(await response.text(), request.address, fields);
  }
  throw new Error(`still not at ${end} after ${STEPS_MAX} steps`);
}

async function send({ address, body }, cookies) {
  const response = await fetch(address, {
    method: body ? "POST" : "GET",
    body,
    redirect: "manual",
    headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
    signal: AbortSignal.timeout(STEP_MS_MAX),
  });
  for (const cookie of response.headers.getSetCookie()) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
    if (value) cookies.set(name, value);
    else cookies.delete(name);
  }
  return response;
}

/** The only form of a page, with what a person writes into it. */
function filled(page, address, fields) {
  const action = /<form[^>]* action="([^"]+)"/.exec(page);
  if (!action) throw new Error(`no form at ${new URL(address).pathname}: ${page.slice(0, 300)}`);
  const body = new URLSearchParams();
  for (const [input] of page.matchAll(/<input[^>]*>/g)) {
    const name = / name="([^"]+)"/.exec(input)?.[1];
    const value = fields[name] ?? / value="([^"]*)"/.exec(input)?.[1];
    if (name && value !== undefined) body.set(name, value);
  }
  return { address: new URL(action[1], address).href, body };
}

/** Opens an address as a browser does when it is sent there, and gives the status. `fetch` says that it is a script. */
function visit(address) {
  return new Promise((answered, failed) => {
    const request = get(address, { timeout: STEP_MS_MAX, agent: false }, (response) => {
      response.resume();
      answered(response.statusCode);
    });
    request.on("timeout", () => request.destroy(new Error("no answer in time")));
    request.on("error", failed);
  });
}

module.exports = { visit, walk };
