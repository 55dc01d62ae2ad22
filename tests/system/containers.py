#!/usr/bin/env python3
"""Types the pages of Compose and Kubernetes into a shell, as far as a machine without an engine or a cluster can: `docker` and
`kubectl` are those of tests/system/engine, which start the files of the image in namespaces of their own and lay out volumes,
secrets and groups as the real ones do. The simulated NinjaOne is beside them.

Needs root, the files that tests/system/image lays out, kubectl for `kubectl kustomize`, and the packages of requirements.txt;
exits with 77 where a container cannot be started.
"""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import ROOT, TARGET, Machine, needs
from pages import Page, Step, judge, script

IMAGE = TARGET / "image/root"
ENGINE = ROOT / "tests/system/engine"

# What a reader does beside the page: `$EDITOR FILE` fills in what the file leaves to him.
READER = r"""
SECRET=sandbox-secret-not-a-real-one
EDITOR=reader
reader() {
    sed -i -e 's|^region *=.*|url = "http://127.0.0.1:6469"|' -e 's/"replace-me"/"sandbox-client"/' "$1"
    if [ -n "${SECTION-}" ]; then printf '\n%s\n' "$SECTION" >>"$1"; SECTION=; fi
    if [ -n "${LOGS_IN-}" ]; then sed -i 's/^#user = .*/user = { client_id = "sandbox-native" }/' "$1"; fi
}
sudo() { "$@"; }
# The reader's own user, with whose files `docker run -u` works.
id() { echo 1000; }
answers() { curl -sf -H "X-Api-Key: $KEY" http://127.0.0.1:6465/v2/organizations | grep '"name"' >/dev/null; }
posts() { curl -s -o /dev/null -w '%{http_code}' -X POST -H "X-Api-Key: $KEY" -H 'content-type: application/json' -d '{"name":"New"}' http://127.0.0.1:6465/v2/organizations; }
is_allowed() { test "$(posts)" != 403; }
scraped() { curl -sf -H 'Host: 10.0.0.7:6470' http://127.0.0.1:6470/metrics | grep '^ninjaone_proxy_health' >/dev/null; }
user_is_in() { "$@" status | grep 'acme/user: *valid' >/dev/null; }
is_ready() { curl -sf http://127.0.0.1:6466/readyz >/dev/null; }
"""

INSIDE = "docker compose exec ninjaone-proxy /ninjaone-proxy"
EXPLAIN = "explain {} POST /v2/organizations"
COMPOSE = Page(
    ROOT / "deploy/compose/README.md",
    after={
        "Start": "docker compose ps | grep '(healthy)'; scraped",
        "Add a caller": "until_it answers; OLD=$KEY; test \"$(posts)\" = 403",
        "See why a call was refused, and allow it": "until_it is_allowed",
        "Log a user in": f"until_it user_is_in {INSIDE}",
        "Rotate": "test \"$KEY\" != \"$OLD\"; until_it answers; KEY=$OLD; answers; docker compose ps | grep '(healthy)'",
        "Upgrade": f"until_it answers; until_it user_is_in {INSIDE}",
        "Prove the audit log": """docker compose cp ninjaone-proxy:/var/log/ninjaone-proxy/audit audit; ls audit/*.jsonl
            test "$(stat -c %a audit/*1.jsonl)" = 600; docker compose down""",
    },
    before={f"{INSIDE} status": "until_it is_ready", "Add a caller": "chown -R 1000:1000 config", "Log a user in": "LOGS_IN=yes"},
    codes={f"{INSIDE} {EXPLAIN.format('powerbi')}": 5},
)

SIDECAR_INSIDE = "kubectl -n reports exec deploy/reports -c ninjaone-proxy -- /ninjaone-proxy"
SIDECAR = Page(
    ROOT / "deploy/kubernetes/README.md",
    after={
        "Start": """until_it sh -c 'kubectl -n reports logs deploy/reports -c reports | grep "\\"name\\""'; scraped""",
        "See why a call was refused": 'test "$(posts)" = 403',
        "Change the configuration, the caller's key or the client secret": f"""
            sed -i 's/allow = .*/allow = ["read", "createOrganization"]/' config.toml; kubectl apply -k .; until_it is_allowed
            echo 'wrong = 1' >>config.toml; kubectl apply -k .
            until_it sh -c '{SIDECAR_INSIDE} status | grep reload-refused || {SIDECAR_INSIDE} status --json | grep reload-refused'
            answers; sed -i '$d' config.toml; kubectl apply -k .; {SIDECAR_INSIDE} reload""",
    },
    before={f"{SIDECAR_INSIDE} status": "until_it is_ready"},
    codes={f"{SIDECAR_INSIDE} {EXPLAIN.format('reports')}": 5},
)

CENTRAL_INSIDE = "kubectl -n ninjaone-proxy exec ninjaone-proxy-0 -- /ninjaone-proxy"
CENTRAL = Page(
    ROOT / "deploy/kubernetes/central/README.md",
    after={
        "Call it": """kubectl -n ninjaone-proxy logs job/first | grep '"name"'; scraped""",
        "See why a call was refused": 'test "$(posts)" = 403',
        "Log a user in": f"""until_it user_is_in {CENTRAL_INSIDE}
            kubectl -n ninjaone-proxy rollout restart statefulset/ninjaone-proxy
            kubectl -n ninjaone-proxy rollout status statefulset/ninjaone-proxy
            until_it user_is_in {CENTRAL_INSIDE}""",
        "Change the configuration, a key or the client secret": f"{CENTRAL_INSIDE} reload; answers",
    },
    before={f"{CENTRAL_INSIDE} status": "until_it is_ready", "Log a user in": "LOGS_IN=yes"},
    codes={f"{CENTRAL_INSIDE} {EXPLAIN.format('nightly')}": 5},
)

def walk(page):
    """What is wrong with it."""
    with Machine() as machine:
        shutil.copytree(ROOT / "deploy", machine.place / "deploy", ignore=shutil.ignore_patterns("secrets", "callers.d"))
        for file in ("Dockerfile", "Cargo.toml"):
            shutil.copy(ROOT / file, machine.place)
        for name in ("docker", "kubectl"):
            (machine.programs / name).symlink_to(ENGINE / name)
        state = machine.folder / "state"
        state.mkdir()
        engine = {"ENGINE_STATE": state, "ENGINE_IMAGE": IMAGE, "ENGINE_SOURCE": machine.place, "ENGINE_KUBECTL": shutil.which("kubectl")}
        wrong = machine.walk([Step("the reader", READER), *page.steps()], engine)
        if wrong:
            for log in state.rglob("*.log"):
                print(f"\n── {log.name}\n{log.read_text(errors='replace')[-4000:]}")
        return wrong


def tells_lies_apart():
    """A page that says something else than what happens must fail; one that is right must not."""
    truth = "```sh\nA=1\n```\n```console\n$ echo $A; echo 2\n1\n...\n$ exit_with 5\n```\n"
    lies = ["```console\n$ echo 1\n2\n```\n", "```console\n$ echo 1\n```\n", "```console\n$ true\n1\n```\n", "```sh\nfalse\ntrue\n```\n",
            "```sh\nno-such-command\n```\n", "```console\n$ docker compose exec\n...\n```\n", "```console\n$ exit_with 6\n```\n"]
    for text in [truth, *lies]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "page.md"
            path.write_text(text)
            steps = [Step("", "exit_with() { return $1; }"), *Page(path, codes={"exit_with 5": 5} if text == truth else {}).steps()]
            environment = {"PATH": f"{ENGINE}:{os.environ['PATH']}"}
            subprocess.run(["bash", "-c", script(steps, folder)], cwd=folder, env=environment, check=False)
            with contextlib.redirect_stdout(io.StringIO()):
                wrong = judge(steps, Path(folder))
            assert bool(wrong) == (text in lies), f"{text}{wrong}"


def main():
    needs("nsenter", "setpriv", "chroot", "kubectl")
    if not IMAGE.is_dir():
        sys.exit("tests/system/image has not laid out the image")
    tells_lies_apart()
    wanted = sys.argv[1:]
    pages = [page for page in (COMPOSE, SIDECAR, CENTRAL) if not wanted or any(it in str(page.path) for it in wanted)]
    wrong = [sentence for page in pages for sentence in walk(page)]
    if wrong:
        sys.exit("\n" + "\n\n".join(wrong))
    print(f"\n{len(pages)} pages do what they say")


if __name__ == "__main__":
    main()
