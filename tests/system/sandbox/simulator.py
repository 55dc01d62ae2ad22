"""The built program as a simulated NinjaOne, and requests to it."""

import json
import os
import subprocess
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/ninjaone-proxy"
TIMEOUT_S = 10
USERS_APP = "sandbox-web"


class Simulator:
    """`ninjaone-proxy sandbox --only-ninjaone` on a free port, with a token of the service and one of a person."""

    def __init__(self, *options):
        command = [PROGRAM, "sandbox", "--only-ninjaone", "--json", "--listen", "127.0.0.1:0", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        greeting = json.loads(self.process.stdout.readline())
        self.origin = greeting["ninjaone"]
        self.session = requests.Session()
        app = next(it for it in greeting["applications"] if it["platform"] == "API Services")
        self.service, self.user = self.service_token(app), self.user_token()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session.close()
        self.process.terminate()
        self.process.wait(timeout=TIMEOUT_S)
        self.process.stdout.close()

    def service_token(self, app):
        form = {"grant_type": "client_credentials", "client_id": app["client_id"], "client_secret": app["client_secret"]}
        return self.token("/ws/oauth/token", data=form)

    def user_token(self):
        return self.token("/sandbox/logins", json={"client_id": USERS_APP})

    def token(self, path, **form):
        response = self.session.post(self.origin + path, timeout=TIMEOUT_S, **form)
        response.raise_for_status()
        return response.json()["access_token"]

    def request(self, method, path, as_user=False, **more):
        headers = {"Authorization": f"Bearer {self.user if as_user else self.service}"}
        return self.session.request(
            method, self.origin + path, headers=headers, timeout=TIMEOUT_S, allow_redirects=False, **more
        )
