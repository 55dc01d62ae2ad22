#!/usr/bin/env python3
"""Python's OAuth clients as people install them, unmodified, at our own token endpoint: they log in, read and write, go on after
a restart of the proxy, and come back when their token has ended.

Needs the packages of requirements.txt, and the debug build. `tests/run` sets both up.
"""

import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from contextlib import suppress
from pathlib import Path

import requests
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from ninjapy import NinjaRMMClient
from ninjapy.exceptions import NinjaRMMError
from oauthlib.oauth2 import BackendApplicationClient, TokenExpiredError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session as OauthlibSession

# All of them want TLS, and loopback is as good.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/ninjaone-proxy"
SCOPES = ["monitoring", "management", "control"]
PATIENCE_S = 60
LONG_LIFE, SHORT_LIFE = "1h", "2s"
RATE = 'rate = "10000/s"\nburst = 10000\nconcurrency = 256\n'
RULES = {"reader": '["read"]', "worker": '["all"]'}


class Refused(Exception):
    """The policy does not allow it."""


def until(what, is_so):
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > end:
            raise AssertionError(f"waited {PATIENCE_S} s until {what}")
        time.sleep(0.02)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Place:
    """A folder with a configuration, a store and an audit log, a simulated NinjaOne, and the proxy in front of it."""

    def __init__(self, life):
        self.folder = Path(tempfile.mkdtemp(prefix="ninjaone-proxy-clients-"))
        self.base = f"http://127.0.0.1:{free_port()}"
        self.keys = {name: f"njp_{name}_{secrets.token_urlsafe(32)}" for name in RULES}
        self.proxy = None
        command = [PROGRAM, "sandbox", "--only-ninjaone", "--listen", "127.0.0.1:0"]
        self.ninjaone = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        origin = re.search(r"http:\S+", self.ninjaone.stdout.readline())[0]
        self.write("ninjaone.secret", "sandbox-secret-not-a-real-one")
        self.write("store.key", secrets.token_hex(32))
        callers = "".join(
            f'[caller.{name}]\nkey = "sha256:{hashlib.sha256(key.encode()).hexdigest()}"\nallow = {RULES[name]}\n'
            for name, key in self.keys.items()
        )
        self.write("config.toml", f"""
[listen]
http = ["{self.base.removeprefix("http://")}"]
[admin]
listen = "127.0.0.1:0"
[audit]
path = "audit"
[store]
path = "store"
seal = {{ file = "store.key" }}
[telemetry]
log = {{ format = "json" }}
[tenant.acme]
url = "{origin}"
service = {{ client_id = "sandbox-client", client_secret = {{ file = "ninjaone.secret" }} }}
[limits.upstream]
{RATE}
[limits.caller]
{RATE}
[limits.tokens]
life = "{life}"
{callers}""")
        self.start()

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)

    def start(self):
        command = [PROGRAM, "run", "--config", self.folder / "config.toml"]
        with (self.folder / "log").open("a") as log:
            self.proxy = subprocess.Popen(command, stderr=log)
        until("the proxy serves", self.serves)

    def serves(self):
        assert self.proxy.poll() is None, (self.folder / "log").read_text()
        with suppress(requests.ConnectionError):
            headers = {"X-Api-Key": self.keys["reader"]}
            return requests.get(f"{self.base}/v2/organizations", headers=headers, timeout=5).ok
        return False

    def restart(self):
        self.stop(self.proxy)
        self.start()

    def logins(self):
        """How many tokens were issued to clients so far."""
        def lines():
            for path in sorted((self.folder / "audit").glob("*.jsonl")):
                yield from map(json.loads, path.read_text().splitlines())
        return sum(it.get("path") == "/ws/oauth/token" and it["status"] == 200 for it in lines())

    @staticmethod
    def stop(process):
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=PATIENCE_S)
        assert code == 0, code

    def end(self):
        self.stop(self.proxy)
        self.ninjaone.kill()
        self.ninjaone.wait()
        self.ninjaone.stdout.close()
        shutil.rmtree(self.folder)


class Ninjapy:
    """The client that was written for NinjaOne."""

    def __init__(self, place, caller):
        self.client = NinjaRMMClient(
            token_url=f"{place.base}/ws/oauth/token", client_id=caller, client_secret=place.keys[caller],
            scope=" ".join(SCOPES), base_url=place.base, retry_total=0,
        )

    def read(self):
        return self.client.get_organizations()

    def write(self, name):
        try:
            return self.client.create_organization(name)
        except NinjaRMMError as error:
            if "Permission denied" in str(error):
                raise Refused from error
            raise

    def close(self):
        self.client.close()


class OverHttp:
    """A client that is a session of requests."""

    def read(self):
        return self.call("GET", "/v2/organizations")

    def write(self, name):
        return self.call("POST", "/v2/organizations", json={"name": name})

    def answer(self, response):
        if response.status_code == 403:
            raise Refused
        response.raise_for_status()
        return response.json()

    def close(self):
        self.session.close()


class RequestsOauthlib(OverHttp):
    """It raises where the scope is not what was asked for, and where a token has ended by its own clock."""

    def __init__(self, place, caller):
        self.place, self.caller, self.key = place, caller, place.keys[caller]
        self.session = OauthlibSession(client=BackendApplicationClient(client_id=caller, scope=SCOPES))
        self.log_in()

    def log_in(self):
        self.session.fetch_token(f"{self.place.base}/ws/oauth/token", **self.credentials())

    def credentials(self):
        return {"client_id": self.caller, "client_secret": self.key, "include_client_id": True}

    def call(self, method, path, **more):
        try:
            return self.answer(self.session.request(method, self.place.base + path, **more))
        except TokenExpiredError:
            self.log_in()
            return self.answer(self.session.request(method, self.place.base + path, **more))


class RequestsOauthlibByBasic(RequestsOauthlib):
    def credentials(self):
        return {"auth": HTTPBasicAuth(self.caller, self.key)}


class Authlib(OverHttp):
    """It logs in again by itself, a minute before a token ends."""

    method = "client_secret_basic"

    def __init__(self, place, caller):
        self.base = place.base
        self.session = AuthlibSession(
            caller, place.keys[caller], token_endpoint_auth_method=self.method, scope=" ".join(SCOPES),
            token_endpoint=f"{place.base}/ws/oauth/token", grant_type="client_credentials",
        )
        self.session.fetch_token()

    def call(self, method, path, **more):
        return self.answer(self.session.request(method, self.base + path, **more))


class AuthlibByForm(Authlib):
    method = "client_secret_post"


CLIENTS = [Ninjapy, RequestsOauthlib, RequestsOauthlibByBasic, Authlib, AuthlibByForm]


class Clients(unittest.TestCase):
    def each(self, life):
        place = Place(life)
        self.addCleanup(place.end)
        clients = [(kind, caller, kind(place, caller)) for kind in CLIENTS for caller in RULES]
        for _, _, client in clients:
            self.addCleanup(client.close)
        return place, clients

    def reads_and_writes(self, clients):
        for kind, caller, client in clients:
            with self.subTest(client=kind.__name__, caller=caller):
                self.assertGreaterEqual(len(client.read()), 3)
                name = f"{kind.__name__} {secrets.token_hex(8)}"
                if caller == "worker":
                    self.assertEqual(client.write(name)["name"], name)
                else:
                    self.assertRaises(Refused, client.write, name)

    def test_they_read_and_write_and_a_restart_costs_no_login(self):
        place, clients = self.each(LONG_LIFE)
        self.reads_and_writes(clients)
        before = place.logins()
        self.assertEqual(before, len(clients))
        place.restart()
        self.reads_and_writes(clients)
        self.assertEqual(place.logins(), before)

    def test_they_come_back_when_their_token_has_ended(self):
        place, clients = self.each(SHORT_LIFE)
        # The last token that was issued. Its clients count from its arrival, and so later than the proxy: nothing is asked
        # while one still takes for alive what has ended.
        form = {"grant_type": "client_credentials", "client_id": "reader", "client_secret": place.keys["reader"]}
        token = requests.post(f"{place.base}/oauth/token", data=form, timeout=5).json()["access_token"]
        asked = {"headers": {"Authorization": f"Bearer {token}"}, "timeout": 5}
        until("the token has ended", lambda: requests.get(f"{place.base}/v2/organizations", **asked).status_code == 401)
        self.reads_and_writes(clients)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    unittest.main(verbosity=2)
