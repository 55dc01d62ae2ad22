"""Containers without an engine: the image's files in namespaces of their own, as the image's user, with the mounts that a
manifest asks for. Needs root. The network is that of whoever starts them: one for all containers of a walk."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

STATE = Path(os.environ["ENGINE_STATE"])
# The root directory that tests/system/image lays out.
IMAGE = Path(os.environ["ENGINE_IMAGE"])
IMAGE_NAME = "ninjaone-proxy"
USER = 65532
PATIENCE_S = 30
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/var/lib/ninjaone-proxy"}

# $1 is the root; the mounts are on standard input as the lines of a script.
SETUP = """
set -eu
root=$1 read_only=$2 rights=$3; shift 3
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
. "$rights"
[ "$read_only" = no ] || mount -o remount,bind,ro "$root"
exec "$@"
"""


class Unknown(Exception):
    """Nothing that this engine, or the real one, knows."""


@dataclass
class Mount:
    source: str
    target: str
    read_only: bool = False
    # Options of a tmpfs, which has no source.
    tmpfs: str | None = None

    def script(self, root):
        target = root / self.target.lstrip("/")
        if self.tmpfs is not None:
            target.mkdir(parents=True, exist_ok=True)
            return f"mount -t tmpfs -o {self.tmpfs} tmpfs '{target}'"
        if Path(self.source).is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        bind = f"mount --bind '{self.source}' '{target}'"
        return f"{bind}\nmount -o remount,bind,ro '{target}'" if self.read_only else bind


@dataclass
class Container:
    name: str
    command: list[str]
    mounts: list[Mount] = field(default_factory=list)
    user: str = f"{USER}:{USER}"
    groups: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    read_only: bool = True

    @property
    def folder(self):
        return STATE / "containers" / self.name

    def _popen(self, **streams):
        shutil.rmtree(self.folder, ignore_errors=True)
        root = self.folder / "root"
        self.folder.mkdir(parents=True)
        subprocess.run(["cp", "-a", "--reflink=auto", IMAGE, root], check=True)
        for name in ("proc", "dev"):
            (root / name).mkdir()
        (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
        rights = self.folder / "mounts"
        rights.write_text("\n".join(mount.script(root) for mount in self.mounts) + "\n")
        variables = [f"{name}={value}" for name, value in (ENVIRONMENT | self.environment).items()]
        groups = [f"--groups={self.groups}"] if self.groups else []
        command = ["unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "sh", "-c", SETUP, "sh", root,
                   "yes" if self.read_only else "no", rights, "setpriv", "--no-new-privs", shutil.which("env"), "-i", *variables,
                   shutil.which("chroot"), f"--userspec={self.user}", *groups, root, *self.command]
        return subprocess.Popen(list(map(str, command)), **streams)

    def run(self):
        """To its end, with our streams: its exit code."""
        try:
            return self._popen().wait()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        log = self.folder.with_suffix(".log")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            outer = self._popen(stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True)
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
        pid = until("the container starts", lambda: outer.poll() is not None or children.read_text().split())
        if pid is True:
            raise SystemExit(f"the container does not start: {log.read_text()}")
        pid = pid[0]
        # Before that it is what sets the mounts up.
        until("the program starts", lambda: not runs_at(pid) or Path(os.readlink(f"/proc/{pid}/exe")).name == IMAGE_NAME)
        record = {"outer": outer.pid, "pid": int(pid), "user": self.user, "command": self.command}
        (self.folder / "record").write_text(json.dumps(record))


def until(what, is_so):
    end = time.monotonic() + PATIENCE_S
    while not (result := is_so()):
        if time.monotonic() > end:
            raise SystemExit(f"waited {PATIENCE_S} s until {what}")
        time.sleep(0.02)
    return result


def record(name):
    file = STATE / "containers" / name / "record"
    return json.loads(file.read_text()) if file.exists() else None


def runs_at(pid):
    """A zombie does not."""
    return os.path.exists(f"/proc/{pid}/exe")


def runs(name):
    known = record(name)
    return known is not None and runs_at(known["pid"])


def inside(name, command, **streams):
    """`exec`: its namespaces, its user; the exit code."""
    if not runs(name):
        raise SystemExit(f"container {name} is not running")
    known = record(name)
    user, group = known["user"].split(":")
    enter = [f"--target={known['pid']}", "--mount", "--pid", "--ipc", "--root", "--wd", f"--setgid={group}", f"--setuid={user}"]
    if not Path(f"/proc/{known['pid']}/root{command[0]}").exists():
        raise SystemExit(f'exec failed: "{command[0]}": no such file or directory')
    return subprocess.run([shutil.which("nsenter"), *enter, *command], env=ENVIRONMENT, check=False, **streams).returncode


def stop(name):
    """As an engine does: SIGTERM to the first process, and an error if it does not end."""
    if runs(name):
        pid = record(name)["pid"]
        os.kill(pid, signal.SIGTERM)
        until(f"{name} ends after SIGTERM", lambda: not runs(name))
    shutil.rmtree(STATE / "containers" / name, ignore_errors=True)


def print_log(name):
    sys.stdout.write((STATE / "containers" / name).with_suffix(".log").read_text(errors="replace"))


def main(command):
    try:
        sys.exit(command(sys.argv[1:]))
    except Unknown as error:
        print(f"{Path(sys.argv[0]).name}: this walk knows no: {error}", file=sys.stderr)
        sys.exit(64)
