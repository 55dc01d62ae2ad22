#!/usr/bin/env python3
"""Verifies an audit log independently of the program that wrote it.

    verify.py DIRECTORY [--anchor NUMBER:HASH]

Prints `ok lines=N head=HASH` and exits with 0, or prints `broken FILE:LINE why` for each break and exits with 7.
Exits with 1 when there is nothing to read. Needs nothing but Python's standard library.
"""

import hashlib
import json
import os
import re
import sys

FILE_NAME = re.compile(r"audit-([0-9]{12,})\.jsonl")
SEAL = re.compile(rb'(?s)(.*),"hash":"([0-9a-f]{64})"\}')
HEX = re.compile(r"[0-9a-f]{64}")
LINE_BYTES_MAX = 256 * 1024
ZEROS = "0" * 64


class Broken(Exception):
    pass


def log_files(directory):
    """Pairs of (first line's number, name), in the order of the chain."""
    found = []
    for name in os.listdir(directory):
        match = FILE_NAME.fullmatch(name)
        if match and name == f"audit-{int(match[1]):012}.jsonl":
            found.append((int(match[1]), name))
    return sorted(found)


def without_repeats(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


def read_line(line):
    """The members that matter, the hash that the line claims, and the one that it has."""
    try:
        record = json.loads(line.decode("utf-8"), object_pairs_hook=without_repeats)
        seq, prev = record["seq"], record["prev"]
        fits = record["v"] == 1 and type(seq) is int and seq >= 0 and HEX.fullmatch(prev)
        if not fits or not isinstance(record["type"], str) or not isinstance(record["at"], str):
            raise ValueError("a member is not what it should be")
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Broken("not a line of the log") from None
    seal = SEAL.fullmatch(line)
    if not seal:
        raise Broken("does not end with its hash")
    return seq, prev, seal[2].decode(), hashlib.sha256(seal[1]).hexdigest()


class Walk:
    def __init__(self, anchors):
        self.lines = 0
        self.seq, self.hash = 0, ZEROS
        self.adrift = False
        self.breaks = 0
        self.anchors = anchors

    def broken(self, name, number, why):
        self.breaks += 1
        print(f"broken {name}:{number} {why}")

    def file(self, directory, name, first):
        number = 0
        with open(os.path.join(directory, name), "rb") as file:
            for line in file:
                number += 1
                self.line(name, number, line, first)
        if number == 0 and first != self.seq + 1:
            self.broken(name, 0, f"empty, but should start with line {first}")

    def line(self, name, number, line, first):
        if not line.endswith(b"\n"):
            self.broken(name, number, f"torn: {len(line)} bytes without an end of line")
            return
        self.lines += 1
        if len(line) - 1 > LINE_BYTES_MAX:
            self.adrift = True
            self.broken(name, number, "too long")
            return
        try:
            seq, prev, claimed, actual = read_line(line[:-1])
        except Broken as why:
            self.adrift = True
            self.broken(name, number, why)
            return
        if claimed != actual:
            self.broken(name, number, "changed: its bytes do not have its hash")
        if number == 1 and seq != first:
            self.broken(name, number, f"the file's name says that it starts with line {first}")
        if seq in self.anchors and self.anchors.pop(seq) != claimed:
            self.broken(name, number, "the anchor gives another hash")
        self.link(name, number, seq, prev, claimed)

    def link(self, name, number, seq, prev, claimed):
        adrift, self.adrift = self.adrift, False
        if not adrift:
            if seq <= self.seq:
                self.broken(name, number, f"number {seq} is there twice, or out of order")
                return
            if seq > self.seq + 1:
                self.broken(name, number, f"lines {self.seq + 1} to {seq - 1} are missing before it")
            elif prev != self.hash:
                self.broken(name, number, "does not follow the line before it")
        self.seq, self.hash = seq, claimed


def main(arguments):
    directory, anchors = arguments[0], {}
    for flag, value in zip(arguments[1::2], arguments[2::2]):
        if flag != "--anchor":
            raise SystemExit(__doc__)
        seq, _, value = value.partition(":")
        anchors[int(seq)] = value
    files = log_files(directory)
    if not files:
        print(f"no log in {directory}", file=sys.stderr)
        return 1
    walk = Walk(anchors)
    for first, name in files:
        walk.file(directory, name, first)
    for seq in walk.anchors:
        walk.broken(files[-1][1], 0, f"line {seq} of the anchor is not in the log")
    if walk.breaks:
        return 7
    print(f"ok lines={walk.lines} head={walk.hash}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    try:
        sys.exit(main(sys.argv[1:]))
    except OSError as error:
        print(f"cannot read: {error}", file=sys.stderr)
        sys.exit(1)
