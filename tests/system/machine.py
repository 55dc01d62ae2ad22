"""A machine for a walk: a folder, namespaces with no network but the loopback, and no process that outlives it."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pages import judge, script

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROGRAM = TARGET / "debug/ninjaone-proxy"
WALK_S_MAX = 120
# The exit code of a walk that this machine cannot take.
NOT_HERE = 77

NODE = """
set -eu
ip link set lo up
[ "$NINJAONE" = no ] || "$PROGRAM" sandbox --only-ninjaone --listen 127.0.0.1:6469 >"$OUT/ninjaone" 2>&1 &
[ "$NINJAONE" = no ] || for _ in $(seq 100); do curl -s http://127.0.0.1:6469/ >/dev/null && break; sleep 0.1; done
exec bash "$OUT/script"
"""


def not_here(why):
    print(why)
    sys.exit(NOT_HERE)


def needs(*programs):
    """Ends with 77 where a machine cannot be made."""
    missing = [it for it in ("unshare", "ip", "curl", *programs) if not shutil.which(it)]
    if os.geteuid() != 0 or missing:
        not_here(f"this needs root, and {missing}")
    trial = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True, text=True, check=False)
    if trial.returncode:
        not_here(f"no namespaces here: {trial.stderr}")


class Machine:
    """With the simulated NinjaOne on port 6469, or without it."""

    def __init__(self, has_ninjaone=True):
        self.has_ninjaone = has_ninjaone
        self.temporary = tempfile.TemporaryDirectory(prefix="ninjaone-proxy-walk-")
        self.folder = Path(self.temporary.name)
        # Where the reader is, what is printed, and the first directory of $PATH.
        self.place, self.out, self.programs = (self.folder / name for name in ("place", "out", "bin"))
        for each in (self.place, self.out, self.programs):
            each.mkdir()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.temporary.cleanup()

    def walk(self, steps, environment=None):
        """What is wrong, a sentence each."""
        (self.out / "script").write_text(script(steps, self.out))
        variables = {
            "PATH": f"{self.programs}:{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": self.folder, "TMPDIR": self.folder,
            "PROGRAM": PROGRAM, "OUT": self.out, "NINJAONE": "yes" if self.has_ninjaone else "no",
        } | (environment or {})
        command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", NODE]
        subprocess.run(command, cwd=self.place, env={name: str(value) for name, value in variables.items()}, stdin=subprocess.DEVNULL,
                       timeout=WALK_S_MAX, check=False)
        return judge(steps, self.out)
