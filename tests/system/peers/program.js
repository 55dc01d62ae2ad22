// The program as it was built: its configuration, and its processes. Whatever is started here ends with `end`.

"use strict";

const { spawn } = require("node:child_process");
const { createHash, randomBytes } = require("node:crypto");
const { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } = require("node:fs");
const { createServer } = require("node:net");
const { once } = require("node:events");
const { tmpdir } = require("node:os");
const path = require("node:path");
const readline = require("node:readline");

const ROOT = path.resolve(__dirname, "../../..");
const PROGRAM = path.join(process.env.CARGO_TARGET_DIR ?? path.join(ROOT, "target"), "debug/ninjaone-proxy");
// In memory where there is such a place: how long a busy disk takes to sync the audit log is not what is tested here.
const PLACES = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const PATIENCE_MS = 60_000;
const POLL_MS = 50;
const RATE = 'rate = "10000/s"\nburst = 10000\nconcurrency = 256\n';

/** A folder with a configuration and a store, and the processes that were started on them. */
class Place {
  #folder = mkdtempSync(path.join(PLACES, "ninjaone-proxy-peers-"));
  #key = `njp_tester_${randomBytes(32).toString("base64url")}`;
  #seal = randomBytes(32).toString("hex");
  #base = "";
  #children = [];

  /** `users` are the `user` tables of as many tenants, all at `origin`. */
  configure(origin, users) {
    const tenants = Object.entries(users).map(([name, user]) => `[tenant.${name}]\nurl = "${origin}"\nuser = ${inline(user)}\n`);
    this.#base = [
      '[listen]\nhttp = ["127.0.0.1:0"]\n[admin]\nlisten = "127.0.0.1:0"\nanonymous = true\n[telemetry]\nlog = { format = "json" }\n',
      `[store]\npath = "${this.#folder}/store"\nseal = { env = "PEERS_SEAL" }\n`,
      `[limits.upstream]\n${RATE}[limits.caller]\n${RATE}`,
      `[caller.tester]\nkey = "sha256:${hashOf(this.#key)}"\nallow = ["all"]\n`,
      ...tenants,
    ].join("");
  }

  /** The tenant `acme` with a service, and callers by name with their rules. Tokens of the proxy's own live for `life`. */
  configureService(origin, port, callers, life) {
    const caller = ([name, { key, allow }]) => `[caller.${name}]\nkey = "sha256:${hashOf(key)}"\nallow = ${JSON.stringify(allow)}\n`;
    const service = { client_id: "sandbox-client", client_secret: this.secret("acme", "sandbox-secret-not-a-real-one") };
    this.#base = [
      `[listen]\nhttp = ["127.0.0.1:${port}"]\n[admin]\nlisten = "127.0.0.1:0"\nanonymous = true\n[telemetry]\nlog = { format = "json" }\n`,
      `[store]\npath = "${this.#folder}/store"\nseal = { env = "PEERS_SEAL" }\n`,
      `[limits.upstream]\n${RATE}[limits.caller]\n${RATE}[limits.tokens]\nlife = "${life}"\n`,
      `[tenant.acme]\nurl = "${origin}"\nservice = ${inline(service)}\n`,
      ...Object.entries(callers).map(caller),
    ].join("");
  }

  secret(name, text) {
    const file = path.join(this.#folder, `${name}.secret`);
    writeFileSync(file, text, { mode: 0o600 });
    return { file };
  }

  /** A configuration for one process: they share the store, and nothing else. */
  #config(name) {
    const file = path.join(this.#folder, `${name}.toml`);
    writeFileSync(file, `${this.#base}[audit]\npath = "${this.#folder}/audit-${name}"\n`);
    return file;
  }

  start(name, ...args) {
    const child = new Process(["--config", this.#config(name), ...args], { PEERS_SEAL: this.#seal });
    this.#children.push(child);
    return child;
  }

  /** `run`, once it listens: with the addresses of its listeners. */
  async serve(name) {
    const child = this.start(name, "run");
    const addresses = {};
    while (!addresses.callers || !addresses.admin) {
      const { role, address } = await child.logged("listening");
      addresses[role] = address;
    }
    return Object.assign(child, addresses);
  }

  /** Runs a script on a device: what only a person may do. */
  async runScript(proxy, tenant, device) {
    const response = await fetch(`${proxy.callers}/tenant/${tenant}/v2/device/${device}/script/run`, {
      method: "POST",
      headers: { "x-api-key": this.#key, "content-type": "application/json" },
      body: '{"type":"SCRIPT","id":77,"runAs":"SYSTEM"}',
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const text = await response.text();
    return { status: response.status, text };
  }

  /** The lines of the audit log of the process with this name. */
  audited(name) {
    const folder = path.join(this.#folder, `audit-${name}`);
    const files = readdirSync(folder).filter((file) => file.endsWith(".jsonl"));
    const lines = files.flatMap((file) => readFileSync(path.join(folder, file), "utf8").split("\n"));
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
  }

  async end() {
    await Promise.all(this.#children.map((child) => child.end()));
    rmSync(this.#folder, { recursive: true });
  }
}

/** A process of the program, and the lines that it prints. */
class Process {
  #child;
  #out;
  #err;

  constructor(args, env = {}) {
    this.#child = spawn(PROGRAM, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    this.#out = new Lines(this.#child.stdout);
    this.#err = new Lines(this.#child.stderr);
    this.exited = once(this.#child, "close").then(([code, signal]) => code ?? signal);
  }

  outLine() { return within(this.#out.next(), () => `a line on stdout; stderr so far: ${this.said()}`); }
  errLine() { return within(this.#err.next(), () => "a line on stderr"); }
  code() { return within(this.exited, () => `the end of the program; stderr so far: ${this.said()}`); }
  said() { return this.#err.all.join("\n"); }

  /** Gives the line of the log that has this message, of those not yet read. */
  async logged(wanted) {
    for (;;) {
      const line = JSON.parse(await this.errLine());
      if (line.message === wanted) return line;
    }
  }

  terminate() { this.#child.kill("SIGTERM"); }

  async end() {
    this.terminate();
    const force = setTimeout(() => this.#child.kill("SIGKILL"), PATIENCE_MS);
    await this.exited;
    clearTimeout(force);
  }
}

/** Lines of a stream, one at a time. Read on whether anybody asks or not: a full pipe would stop the program. */
class Lines {
  all = [];
  #read = 0;
  #wake = () => {};
  #ended = false;

  constructor(stream) {
    const lines = readline.createInterface({ input: stream });
    lines.on("line", (line) => { this.all.push(line); this.#wake(); });
    lines.on("close", () => { this.#ended = true; this.#wake(); });
  }

  async next() {
    while (this.#read === this.all.length) {
      if (this.#ended) throw new Error("the program has closed it");
      await new Promise((wake) => { this.#wake = wake; });
    }
    this.#read += 1;
    return this.all[this.#read - 1];
  }
}

/** The simulator alone, with its `origin`. */
async function sandbox() {
  const child = new Process(["sandbox", "--only-ninjaone", "--listen", "127.0.0.1:0"]);
  const [origin] = /http:\S+/.exec(await child.outLine());
  return Object.assign(child, { origin });
}

/** The promise's value, or an error that says what did not come in time. */
async function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${PATIENCE_MS} ms for ${what()}`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function until(what, isSo, patience = PATIENCE_MS) {
  const end = Date.now() + patience;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`waited ${patience} ms until ${what}`);
    await new Promise((wake) => setTimeout(wake, POLL_MS));
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

function hashOf(key) {
  return createHash("sha256").update(key).digest("hex");
}

/** A value in TOML. */
function inline(value) {
  if (typeof value !== "object") return JSON.stringify(value);
  return `{ ${Object.entries(value).map(([name, inside]) => `${name} = ${inline(inside)}`).join(", ")} }`;
}

module.exports = { Place, freePort, sandbox, until };
