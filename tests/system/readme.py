#!/usr/bin/env python3
"""Types README.md into a shell: the first hour with the sandbox, and then with a tenant of one's own.

Needs root, and the debug build; exits with 77 where no namespaces can be made.
"""

import shutil
import sys

from machine import PROGRAM, ROOT, Machine, needs
from pages import Page, Step

# `cargo run` runs what was built already. $EDITOR writes what the page says beside the command. Root's own defaults are
# not the machine's. Each status of an answer goes to the file `statuses`.
READER = r"""
cargo() { shift 3; exec ninjaone-proxy "$@"; }
EDITOR=reader
reader() {
    case $1 in
    acme.secret) printf sandbox-secret-not-a-real-one >"$1" ;;
    config.toml) printf '[tenant.acme]\nurl = "http://127.0.0.1:6469"\nservice = { client_id = "sandbox-client", client_secret = { file = "acme.secret" } }\n' >"$1" ;;
    esac
}
mount -t tmpfs tmpfs /var/log
curl() { command curl -sS -o /dev/null -w '%{http_code}\n' "$@" | tee -a "$OUT/statuses"; }
answered() { test "$(paste -s -d' ' "$OUT/statuses")" = "$*"; rm "$OUT/statuses"; }
greeting() { grep -hs '^export \|^ninjaone-proxy audit verify' "$OUT"/[0-9][0-9][0-9]; }
greeted() { greeting | grep 'audit verify'; }
listens() { command curl -sf "http://127.0.0.1:$1" -o /dev/null; }
PATH="$PWD/target/release:$PATH"
"""

PAGE = Page(
    ROOT / "README.md",
    before={
        'export PATH="$PWD/target/release:$PATH"': 'until_it greeted; eval "$(greeting | grep ^export)"',
        "In front of your tenant": """kill %1; wait %1; unset NJP_ADMIN
            "$PROGRAM" sandbox --only-ninjaone --listen 127.0.0.1:6469 & until_it command curl -s http://127.0.0.1:6469/""",
        'curl -H "X-Api-Key: $KEY" http://127.0.0.1:6465/v2/devices': "until_it listens 6466/readyz",
    },
    after={"Try it, without an account": "answered 200 403 204 204", "In front of your tenant": "answered 200"},
    codes={"ninjaone-proxy explain reporting POST /v2/devices/approval/APPROVE": 5},
    untyped={"Operations that need a user": "a login waits for a browser; the walk of the systemd page has one"},
)


def main():
    needs()
    with Machine(has_ninjaone=False) as machine:
        release = machine.place / "target/release"
        release.mkdir(parents=True)
        shutil.copy(PROGRAM, release)
        if wrong := machine.walk([Step("the reader", READER), *PAGE.steps()]):
            sys.exit("\n" + "\n\n".join(wrong))
    print("\nthe page does what it says")


if __name__ == "__main__":
    main()
