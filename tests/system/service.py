#!/usr/bin/env python3
"""Types deploy/systemd/README.md into a booted systemd: Debian in a container of systemd-nspawn, without a network, with the
simulated NinjaOne beside the service.

Needs root, systemd-nspawn, mmdebstrap and the debug build; exits with 77 where a container cannot be booted.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROGRAM = TARGET / "debug/ninjaone-proxy"
SYSTEM = TARGET / "tools/systemd-root"
README = ROOT / "deploy/systemd/README.md"
PACKAGES = "systemd,systemd-sysv,ca-certificates,curl"
BOOT_S_MAX, INSTALL_S_MAX, NOT_HERE = 120, 400, 77

CONFIG = """
[tenant.acme]
url = "http://127.0.0.1:6469"
service = { client_id = "sandbox-client", client_secret = { credential = "acme.client_secret" } }
"""

UNIT = """
[Unit]
After=basic.target
[Service]
Type=oneshot
WorkingDirectory=/walk
ExecStart=/bin/bash /walk/script
ExecStopPost=/bin/sh -c 'echo "$EXIT_STATUS" >/out/status; journalctl --no-pager -o cat -u ninjaone-proxy >/out/journal; systemctl poweroff --no-block'
StandardOutput=file:/out/said
StandardError=inherit
"""

TOKEN_IS_THERE = "for _ in $(seq 100); do curl -sf http://127.0.0.1:6466/readyz >/dev/null && break; sleep 0.1; done"

# What the reader sees after the commands of a section.
AFTER = {
    "Install": "test ! -e /run/ninjaone-proxy",
    "Start": "test -S /run/ninjaone-proxy/admin.sock; systemctl is-active ninjaone-proxy",
    "Add a caller": """
        key=$(grep -o 'njp_reports_[A-Za-z0-9_-]*' /out/said | head -1)
        for _ in $(seq 100); do curl -sf -H "X-Api-Key: $key" http://127.0.0.1:6465/v2/organizations >/tmp/answer && break; sleep 0.1; done
        grep -q '"name"' /tmp/answer
        refused=$(curl -s -o /dev/null -w '%{http_code}' -X POST -H "X-Api-Key: $key" -d '{}' http://127.0.0.1:6465/v2/organizations)
        test "$refused" = 403""",
    "Change the configuration": """
        cp /etc/ninjaone-proxy/config.toml /tmp/good; echo 'wrong = 1' >>/etc/ninjaone-proxy/config.toml
        if systemctl reload ninjaone-proxy; then exit 1; fi
        cp /tmp/good /etc/ninjaone-proxy/config.toml; systemctl reload ninjaone-proxy""",
    "Rotate the client secret": TOKEN_IS_THERE + '; curl -sf -H "X-Api-Key: $key" http://127.0.0.1:6465/v2/organizations >/dev/null',
    "Upgrade": TOKEN_IS_THERE + '; curl -sf -H "X-Api-Key: $key" http://127.0.0.1:6465/v2/organizations >/dev/null',
    "Prove the audit log": "systemctl stop ninjaone-proxy; ninjaone-proxy audit verify /var/log/ninjaone-proxy/audit",
}


def sections():
    """(heading, commands) of the page, in its order."""
    for part in README.read_text().split("\n## ")[1:]:
        heading, text = part.split("\n", 1)
        if blocks := re.findall(r"```sh\n(.*?)```", text, re.S):
            yield heading, "\n".join(blocks)


def script():
    lines = ["set -euxo pipefail", "exec 2>&1",
             "target/release/ninjaone-proxy sandbox --only-ninjaone --listen 127.0.0.1:6469 >/dev/null 2>&1 &",
             "for _ in $(seq 100); do curl -s http://127.0.0.1:6469/ >/dev/null && break; sleep 0.1; done"]
    walked = dict(sections())
    assert walked.keys() == AFTER.keys(), f"the page has {list(walked)}"
    for heading, commands in walked.items():
        # Nobody types as fast as this script: the first token takes a moment.
        commands = commands.replace("ninjaone-proxy status", f"{TOKEN_IS_THERE}\nninjaone-proxy status")
        lines += [f": '## {heading}'", commands, AFTER[heading]]
    return "\n".join([*lines, ": walked to the end", ""])


def not_here(why):
    print(why)
    sys.exit(NOT_HERE)


def install_system():
    """A Debian that has nothing but systemd, kept for the next time."""
    if SYSTEM.is_dir():
        return
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    draft = SYSTEM.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    SYSTEM.parent.mkdir(parents=True, exist_ok=True)
    command = ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", release["VERSION_CODENAME"], draft]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S_MAX)
    if done.returncode:
        not_here(f"mmdebstrap cannot install a Debian: {done.stderr[-500:]}")
    draft.rename(SYSTEM)


def boot(place, out):
    command = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--private-network", "--volatile=overlay",
               f"--directory={SYSTEM}", f"--bind-ro={place}:/walk", f"--bind={out}:/out",
               f"--bind-ro={place}/walk.service:/etc/systemd/system/walk.service", "--console=pipe", "systemd.wants=walk.service"]
    with (out / "console").open("w") as console:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, timeout=BOOT_S_MAX, check=False)


def main():
    if os.geteuid() != 0 or not all(map(shutil.which, ["systemd-nspawn", "mmdebstrap"])):
        not_here("this needs root, systemd-nspawn and mmdebstrap")
    install_system()
    with tempfile.TemporaryDirectory() as folder:
        place, out = Path(folder) / "place", Path(folder) / "out"
        (place / "target/release").mkdir(parents=True)
        out.mkdir()
        shutil.copy(PROGRAM, place / "target/release")
        shutil.copytree(ROOT / "deploy/systemd", place / "deploy/systemd")
        (place / "config.toml").write_text(CONFIG)
        (place / "acme.client_secret").write_text("sandbox-secret-not-a-real-one")
        (place / "walk.service").write_text(UNIT)
        (place / "script").write_text(script())
        boot(place, out)
        console = (out / "console").read_text(errors="replace")
        if not (out / "status").is_file():
            print(console[-3000:])
            not_here("a container cannot be booted here" if "Welcome to" not in console else sys.exit("the walk did not begin or end"))
        said = (out / "said").read_text(errors="replace")
        print(said)
        if (out / "status").read_text().strip() != "0" or not said.rstrip().endswith("walked to the end"):
            print((out / "journal").read_text(errors="replace")[-4000:])
            sys.exit("the page does not work as it stands")


if __name__ == "__main__":
    main()
