#!/usr/bin/env python3
"""Types deploy/systemd/README.md, and after it the pages of docs/how-to, into a booted systemd: Debian in a container of
systemd-nspawn, without a network, with the simulated NinjaOne beside the service.

Needs root, systemd-nspawn, mmdebstrap and the debug build; exits with 77 where a container cannot be booted.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pages import Page, Step, judge, script

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROGRAM = TARGET / "debug/ninjaone-proxy"
SYSTEM = TARGET / "tools/systemd-root"
PACKAGES = "systemd,systemd-sysv,ca-certificates,curl"
WALK_S_MAX, INSTALL_S_MAX, NOT_HERE = 120, 400, 77

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
Environment=HOME=/root
ExecStart=/bin/bash /walk/script
ExecStopPost=/bin/sh -c 'journalctl --no-pager -o cat -u ninjaone-proxy >/out/journal; systemctl poweroff --no-block'
StandardOutput=file:/out/said
StandardError=inherit
"""

# What a reader does beside the pages. `$EDITOR FILE` writes what the page says beside the command: $EDIT names it.
READER = r"""
"target/release/ninjaone-proxy" sandbox --only-ninjaone --listen 127.0.0.1:6469 >/dev/null 2>&1 &
until_it curl -s http://127.0.0.1:6469/
EDITOR=reader
reader() { "$EDIT" "$1"; }
a_limit() { printf '[limits.caller]\nrate = "50/s"\n' >>"$1"; }
a_user() { printf '[tenant.acme.user]\nclient_id = "sandbox-native"\n[store]\nseal = { credential = "store.key" }\n' >>"$1"; }
https() {
    local from=/run/credentials/ninjaone-proxy.service
    printf '[listen]\nhttps = [{ bind = "0.0.0.0:6443", cert = "%s/tls.crt", key = "%s/tls.key" }]\n' $from $from >>"$1"
}
another_seal() { sed -i 's/^seal = .*/seal = [{ credential = "store-2.key" }, { credential = "store.key" }]/' "$1"; }
an_auditor() {
    printf '[[admin.access]]\nkey = "sha256:%s"\nrole = "auditor"\n' "$(printf %s "$OPERATOR_KEY" | sha256sum | cut -d' ' -f1)" >>"$1"
}
answers() { curl -sf -H "X-Api-Key: $KEY" http://127.0.0.1:6465/v2/organizations | grep '"name"' >/dev/null; }
posts() { curl -s -o /dev/null -w '%{http_code}' -X POST -H "X-Api-Key: $KEY" -H 'content-type: application/json' -d '{"name":"New"}' http://127.0.0.1:6465/v2/organizations; }
is_allowed() { test "$(posts)" != 403; }
is_ready() { curl -sf http://127.0.0.1:6466/readyz >/dev/null; }
user_is_in() { ninjaone-proxy status | grep 'acme/user: *valid' >/dev/null; }
is_healthy() { ninjaone-proxy status >/dev/null; }
certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -addext subjectAltName=DNS:localhost -keyout tls.key -out tls.crt
}
shown() { openssl s_client -connect 127.0.0.1:6443 </dev/null 2>/dev/null | openssl x509 -noout -subject; }
"""

STATUS = "ninjaone-proxy status"
SYSTEMD = Page(
    ROOT / "deploy/systemd/README.md",
    before={
        STATUS: "until_it is_healthy",
        "Change the configuration": "EDIT=a_limit",
        "Log a user in": "EDIT=a_user",
        "Serve HTTPS": "EDIT=https; certificate first",
    },
    after={
        "Install": "test ! -e /run/ninjaone-proxy",
        "Start": "test -S /run/ninjaone-proxy/admin.sock; systemctl is-active ninjaone-proxy",
        "Add a caller": "answers; OLD=$KEY; test \"$(posts)\" = 403",
        "See why a call was refused, and allow it": "is_allowed",
        "Change the configuration": """
            cp /etc/ninjaone-proxy/config.toml /tmp/good; echo 'wrong = 1' >>/etc/ninjaone-proxy/config.toml
            if systemctl reload ninjaone-proxy; then exit 1; fi
            cp /tmp/good /etc/ninjaone-proxy/config.toml; systemctl reload ninjaone-proxy""",
        "Log a user in": "until_it user_is_in",
        "Serve HTTPS": "until_it is_ready; shown; curl -sf --cacert tls.crt -H \"X-Api-Key: $KEY\" https://localhost:6443/v2/organizations",
        "Rotate the client secret": "until_it is_healthy; answers",
        "Upgrade": "until_it is_healthy; answers; user_is_in",
    },
    codes={"ninjaone-proxy explain reports POST /v2/organizations": 5},
)

ROTATE = Page(
    ROOT / "docs/how-to/rotate.md",
    before={
        STATUS: "until_it is_healthy",
        "ninjaone-proxy caller rotate reports --now": """answers; NEW=$KEY; KEY=$OLD; answers; KEY=$NEW
            eval "$(grep -h '^  ninjaone-proxy caller revoke' /out/* | tail -1)"; KEY=$OLD; if answers; then exit 1; fi; KEY=$NEW; answers""",
        "The key of the store": "EDIT=another_seal",
        "The certificate of the HTTPS listener": "certificate second",
        "An operator's key": "EDIT=an_auditor",
    },
    after={
        "The key of a caller": "answers; WRONG=$NEW; KEPT=$KEY; KEY=$WRONG; if answers; then exit 1; fi; KEY=$KEPT",
        "The key of the store": """until_it user_is_in; person ninjaone-proxy login acme --paste
            sed -i 's/^seal = .*/seal = { credential = "store-2.key" }/' /etc/ninjaone-proxy/config.toml
            sed -i '/store.key/d' /etc/systemd/system/ninjaone-proxy.service.d/secrets.conf; rm /etc/ninjaone-proxy/secrets/store.key
            systemctl daemon-reload; systemctl restart ninjaone-proxy; until_it user_is_in""",
        "The certificate of the HTTPS listener": "until_it is_healthy; shown | grep second",
        "An operator's key": "if curl -sf http://127.0.0.1:6466/status; then exit 1; fi",
    },
)

# One machine is both, emptied in between.
EMPTY = """systemctl stop ninjaone-proxy
    rm -rf /etc/ninjaone-proxy /var/lib/private/ninjaone-proxy /var/log/private/ninjaone-proxy /var/lib/ninjaone-proxy /var/log/ninjaone-proxy"""
MOVE = Page(
    ROOT / "docs/how-to/move-upgrade-back-up.md",
    before={STATUS: "until_it is_healthy", "Restore": EMPTY, "Move: on the old machine": "cd /root", "Move: on the new machine":
            EMPTY + " /etc/systemd/system/ninjaone-proxy.service.d; systemctl daemon-reload"},
    after={"Restore": "until_it user_is_in; answers", "Move: on the old machine": "if systemctl is-active ninjaone-proxy; then exit 1; fi",
           "Move: on the new machine": "user_is_in; answers; ninjaone-proxy audit verify /var/log/ninjaone-proxy/audit"},
)


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
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, timeout=WALK_S_MAX, check=False)


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
        steps = [Step("the reader", READER), *(step for page in (SYSTEMD, ROTATE, MOVE) for step in page.steps())]
        (place / "script").write_text("cp -r /walk /root/walk; cd /root/walk\n" + script(steps, "/out"))
        boot(place, out)
        console = (out / "console").read_text(errors="replace")
        if not (out / "said").is_file():
            print(console[-3000:])
            not_here("a container cannot be booted here" if "Welcome to" not in console else sys.exit("the walk did not begin"))
        if wrong := judge(steps, out):
            print((out / "said").read_text(errors="replace")[-2000:])
            print((out / "journal").read_text(errors="replace")[-4000:] if (out / "journal").exists() else console[-3000:])
            sys.exit("\n" + "\n\n".join(wrong))
        print("\nthe pages do what they say")


if __name__ == "__main__":
    main()
