"""The built program as a simulated NinjaOne, alone or behind the proxy, and requests to it."""

import json
import os
import subprocess
from pathlib import Path
from threading import Thread

import requests

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/ninjaone-proxy"
TIMEOUT_S = 10
CLIENT_ID, CLIENT_SECRET = "sandbox-client", "sandbox-secret-not-a-real-one"
USERS_CLIENT_ID = "sandbox-web"
ANYWHERE = "127.0.0.1:0"


class Program:
    """The program, which says as JSON where it listens."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([PROGRAM, "sandbox", "--json", *arguments], stdout=subprocess.PIPE, text=True)
        self.greeting = json.loads(self.process.stdout.readline())
        # A line a request follows. Somebody has to read them.
        self.reader = Thread(target=self.process.stdout.read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=TIMEOUT_S)
        self.reader.join()
        self.process.stdout.close()

    @property
    def ninjaone(self):
        return self.greeting["ninjaone"]


class Api:
    """NinjaOne's API at an address, with a token of the service and one of a person."""

    def __init__(self, origin):
        self.origin = origin
        self.session = requests.Session()
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        self.service = self.token("/ws/oauth/token", data=form)
        self.user = self.token("/sandbox/logins", json={"client_id": USERS_CLIENT_ID})

    def token(self, path, **form):
        response = self.session.post(self.origin + path, timeout=TIMEOUT_S, **form)
        response.raise_for_status()
        return response.json()["access_token"]

    def now(self):
        """The simulated time, in seconds since 1970."""
        return self.session.get(f"{self.origin}/sandbox/clock", timeout=TIMEOUT_S).json()["now"]

    def request(self, method, path, as_user=False, **more):
        headers = {"Authorization": f"Bearer {self.user if as_user else self.service}"}
        return self.session.request(
            method, self.origin + path, headers=headers, timeout=TIMEOUT_S, allow_redirects=False, **more
        )


class Simulator(Program):
    """A simulated NinjaOne alone, and its API."""

    def __init__(self, *options):
        super().__init__("--only-ninjaone", "--listen", ANYWHERE, *options)
        self.api = Api(self.ninjaone)

    def __exit__(self, *why):
        self.api.session.close()
        super().__exit__(*why)


class Behind(Program):
    """The proxy with a simulated NinjaOne behind it."""

    def __init__(self, *options):
        super().__init__("--listen", ANYWHERE, "--admin", ANYWHERE, "--ninjaone", ANYWHERE, *options)
