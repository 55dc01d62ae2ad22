#!/usr/bin/env python3
"""`/metrics` of the built program as Prometheus reads it: both formats, by the parsers of PyPI's prometheus_client.

`tests/run` sets that up.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/ninjaone-proxy"
STARTS_WITHIN_S = 20

PROMETHEUS_3 = ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
                "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2")
VICTORIA_METRICS = "text/plain;version=0.0.4;q=1,*/*;q=0.1"


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        secret = Path(cls.folder.name) / "acme.secret"
        secret.touch(mode=0o600)
        secret.write_text("example")
        callers, cls.port = free_port(), free_port()
        config = Path(cls.folder.name) / "config.toml"
        config.write_text(f"""
[listen]
http = ["127.0.0.1:{callers}"]
[admin]
listen = ""
metrics = "127.0.0.1:{cls.port}"
[audit]
path = "audit"
[tenant.acme]
url = "http://127.0.0.1:{free_port()}"
service = {{ client_id = "x", client_secret = {{ file = "acme.secret" }} }}
""")
        cls.program = subprocess.Popen([PROGRAM, "run", "--config", config], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + STARTS_WITHIN_S
        while True:
            try:
                # A request without a key, so that there is something to count.
                urllib.request.urlopen(f"http://127.0.0.1:{callers}/v2/devices", timeout=5)
            except urllib.error.HTTPError:
                break
            except OSError:
                if time.monotonic() > deadline or cls.program.poll() is not None:
                    cls.tearDownClass()
                    raise
                time.sleep(0.05)

    @classmethod
    def tearDownClass(cls):
        cls.program.terminate()
        cls.program.wait(timeout=30)
        cls.folder.cleanup()

    def page(self, accept):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/metrics", headers={"Accept": accept} if accept else {})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.headers["content-type"], answer.read().decode()

    def families(self, parse, page):
        found = {family.name: family for family in parse(page)}
        for name, kind in [("ninjaone_proxy_requests", "counter"), ("ninjaone_proxy_request_duration_seconds", "histogram"),
                           ("ninjaone_proxy_audit_room_bytes", "gauge"), ("ninjaone_proxy_audit_strangers_counted", "counter")]:
            self.assertEqual(found[name].type, kind)
            self.assertTrue(found[name].samples, name)
        return found

    def test_prometheus_gets_open_metrics_that_its_parser_takes(self):
        for accept in [PROMETHEUS_3, "*/*"]:
            content_type, page = self.page(accept)
            self.assertEqual(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8")
            self.families(open_metrics, page)

    def test_plain_text_has_the_same_samples(self):
        _, open_page = self.page("*/*")
        for accept in ["text/plain;version=0.0.4", VICTORIA_METRICS]:
            content_type, page = self.page(accept)
            self.assertEqual(content_type, "text/plain; version=0.0.4; charset=utf-8")
            self.families(plain_text, page)
            names = {sample.name for family in plain_text(page) for sample in family.samples}
            self.assertEqual(names, {sample.name for family in open_metrics(open_page) for sample in family.samples})


if __name__ == "__main__":
    unittest.main(verbosity=2)
