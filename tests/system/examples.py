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

from clients import PROGRAM, ROOT, Place

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

    def run_fixture(self, *command):
        environment = {"PATH": os.environ["PATH"], "NINJAONE_PROXY": str(PROGRAM), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_the_fixtures_pass_their_own_tests(self):
        tests = self.run_fixture(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", EXAMPLES / "fixtures/pytest")
        self.assertIn("5 passed", tests)
        tests = self.run_fixture(NODE, "--test", "--test-reporter=tap", EXAMPLES / "fixtures/node/integration.test.mjs")
        self.assertIn("# pass 3", tests)

    def test_every_program_is_run_here(self):
        programs = {
            path.name for path in EXAMPLES.rglob("*")
            if path.suffix in (".py", ".mjs", ".sh") and "fixtures" not in path.parts
        }
        run = {Path(program[-1]).name for program in self.programs()} | {"organizations.sh"}
        self.assertEqual(programs, run)


if __name__ == "__main__":
    unittest.main(verbosity=2)
