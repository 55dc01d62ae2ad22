#!/usr/bin/env python3
"""Runs the programs in examples/ as they stand, at a proxy in front of the simulated NinjaOne.

Needs the packages of requirements.txt, and the debug build. `tests/run` sets both up.
"""

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

from clients import ROOT, Place

EXAMPLES = ROOT / "examples"
NODE = Path(sys.executable).parent / "node"


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = Place("1h")
        cls.addClassCleanup(cls.place.end)

    def run_it(self, *command, key=None):
        environment = {
            "PATH": os.environ["PATH"], "NINJAONE_URL": self.place.base, "NINJAONE_CALLER": "reader",
            "NINJAONE_KEY": key or self.place.keys["reader"],
        }
        done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def names(self):
        code, out, error = self.run_it(EXAMPLES / "curl/organizations.sh")
        self.assertEqual(code, 0, error)
        return [it["name"] for it in json.loads(out)]

    def programs(self):
        yield [sys.executable, EXAMPLES / "python/organizations.py"]
        yield [sys.executable, EXAMPLES / "python/with_ninjapy.py"]
        yield [NODE, EXAMPLES / "node/organizations.mjs"]

    def test_each_prints_the_organizations(self):
        names = self.names()
        self.assertEqual(len(names), 3)
        for program in self.programs():
            code, out, error = self.run_it(*program)
            self.assertEqual((code, out.splitlines()), (0, names), f"{program}: {error}")

    def test_each_says_why_it_was_refused(self):
        wrong = "njp_reader_" + "x" * 43
        for program in list(self.programs()) + [[EXAMPLES / "curl/organizations.sh"]]:
            code, out, error = self.run_it(*program, key=wrong)
            self.assertNotEqual(code, 0, program)
            self.assertRegex(out + error, "request|not known|authenticat", program)

    def test_every_program_is_run_here(self):
        programs = {path.name for path in EXAMPLES.rglob("*") if path.suffix in (".py", ".mjs", ".sh")}
        run = {Path(program[-1]).name for program in self.programs()} | {"organizations.sh"}
        self.assertEqual(programs, run)


if __name__ == "__main__":
    unittest.main(verbosity=2)
