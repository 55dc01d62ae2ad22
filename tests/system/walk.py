#!/usr/bin/env python3
"""The simulated NinjaOne holds together: what one answer names another shows, what nobody has is nowhere, what is made is
there, as it was changed, until it is deleted.

Needs the packages of requirements.txt, and the debug build. `tests/run` sets both up.
"""

import unittest
from collections import defaultdict

from sandbox.answers import content, rows
from sandbox.description import Description
from sandbox.ids import ANSWERS, ENTITY_KINDS, IN_ANSWERS, OBJECTS, READERS, TOLD_BY, UIDS_OF
from sandbox.kinds import KINDS, kind_in_path
from sandbox.simulator import Simulator
from sandbox.world import World

# What nobody has, by the type of a parameter. There may be many of a kind, but there are not a million.
NOBODY = {"integer": 999_999, "string": "nobody-has-this", "uuid": "ffffffff-ffff-4fff-bfff-ffffffffffff"}
# Members that wrap what an answer lists, of whatever kind that is.
WRAPS = {"results", "data", "content"}
# Kinds of which every one is asked for all that can be read of it, not only the first.
ASKED_ONE_BY_ONE = ("organization", "device", "contact", "end user", "technician", "ticket", "group", "folder", "article", "tab")
IDS_MIN = 200
# Members that NinjaOne counts itself: the changes of a ticket, the uses of a license.
COUNTED = {"version", "currentUsage"}


def ids(value, kind, place=""):
    """Kind, id and place of each id in an answer; `kind` is that of the objects at hand."""
    if isinstance(value, list):
        for item in value:
            if isinstance(item, int) and kind and not place:
                yield kind, item, "[]"
            yield from ids(item, kind, place)
    elif isinstance(value, dict):
        for member, inner in value.items():
            where = f"{place}.{member}"
            yield from ids_of_member(value, member, kind, where)
            if isinstance(inner, (dict, list)):
                yield from ids(inner, OBJECTS.get(member, kind if member in WRAPS else None), where)


def ids_of_member(owner, member, kind, place):
    kind = kind_of_member(owner, member, kind)
    values = owner[member] if isinstance(owner[member], list) else [owner[member]]
    for value in values:
        if kind and isinstance(value, (int, str)) and not isinstance(value, bool):
            yield kind, value, place


def kind_of_member(owner, member, kind):
    if member in TOLD_BY:
        told = next((owner[it] for it in TOLD_BY[member] if it in owner), None)
        return ENTITY_KINDS.get(told)
    if member == "uid":
        return UIDS_OF.get(kind)
    if member != "id":
        return IN_ANSWERS.get(member)
    # Actions of the program itself are in no list of scripts.
    if kind not in READERS or kind == "script" and owner.get("type") == "ACTION":
        return None
    if kind == "folder" and "isFolder" in owner:
        return "folder" if owner["isFolder"] else "article"
    return kind


class Walk(unittest.TestCase):
    def setUp(self):
        description = Description()
        simulator = self.enterContext(Simulator())
        self.world = World(simulator.api, description)
        self.operations = description.operations
        self.reads = [it for it in self.operations.values() if it.method == "GET"]
        self.lists = {}

    def none(self, wrong):
        if wrong:
            self.fail("\n".join([f"{len(wrong)} of these:", *wrong]))

    def test_what_an_answer_names_is_there(self):
        shown = defaultdict(set)
        for operation, parameters in self.questions():
            body = content(self.world.call(operation, parameters))
            for kind, value, place in ids(body, ANSWERS.get(operation.name)):
                shown[kind, value].add(f"{operation.name} {place}")
        self.assertGreater(len(shown), IDS_MIN)
        self.none([
            f"{kind} {value} is nowhere, but named by {', '.join(sorted(places)[:4])}"
            for (kind, value), places in sorted(shown.items(), key=str)
            if not self.is_there(kind, value)
        ])

    def questions(self):
        """Every read, of every thing where that can be told from the path alone."""
        for operation in [*self.reads, self.operations["getTicketsByBoard"]]:
            kinds = {name: kind_in_path(operation, name) for name in operation.parameters}
            (name, kind), *more = kinds.items() or [(None, None)]
            if more or kind not in ASKED_ONE_BY_ONE:
                yield operation, None
                continue
            self.world.id(kind)
            for row in self.world.listed[kind]:
                yield operation, {name: row[KINDS[kind].member]}

    def is_there(self, kind, value):
        return self.thing(kind, value) is not None

    def thing(self, kind, value):
        """What is read of this id: None if there is nothing."""
        reader = READERS[kind]
        for operation in (self.operations[name] for name in reader.by_id):
            response = self.world.call(operation, self.with_id(operation, value))
            if response.ok:
                body = content(response)
                return body if isinstance(body, dict) else {}
        return next((it for name in reader.in_lists for it in self.listed(name) if it.get(reader.member) == value), None)

    def with_id(self, operation, value):
        """The parameters of its path, the last one with this value."""
        *others, last = operation.parameters
        return {name: self.world.id(kind_in_path(operation, name)) for name in others} | {last: value}

    def listed(self, name):
        if name not in self.lists:
            self.lists[name] = rows(content(self.world.call(self.operations[name])))
        return self.lists[name]

    def test_what_nobody_has_is_not_found(self):
        self.none([it for operation in self.reads for it in self.faults_of_nobody(operation)])

    def test_what_nobody_has_is_not_changed(self):
        writes = [it for it in self.operations.values() if it.method != "GET"]
        self.none([it for operation in writes for it in self.faults_of_nobody(operation)])

    def faults_of_nobody(self, operation):
        """What is wrong with its answers where one of the ids in its path is nobody's."""
        for name, schema in operation.parameters.items():
            if kind_in_path(operation, name) is None:
                continue
            nobody = NOBODY["uuid" if schema.get("format") == "uuid" else schema["type"]]
            there = {it: self.world.id(kind) for it in operation.parameters if (kind := kind_in_path(operation, it))}
            response = self.world.call(operation, self.world.parameters(operation, there) | {name: nobody})
            for it in self.not_not_found(response):
                yield f"{operation}, {name} {nobody}: {it}"

    @staticmethod
    def not_not_found(response):
        """What is wrong with an answer that ought to be NinjaOne's 404."""
        if response.status_code != 404:
            return [f"{response.status_code} {response.text[:60]}"]
        body = response.json()
        is_good = sorted(body) == ["errorMessage", "incidentId", "resultCode"] and all(isinstance(it, str) and it for it in body.values())
        return [] if is_good else [f"404 with {body}"]

    def test_what_is_made_is_there_as_changed_until_it_is_deleted(self):
        changers, deleters = self.by_last_id("PUT", "PATCH"), self.by_last_id("DELETE")
        wrong = []
        for kind in (kind for kind, it in KINDS.items() if it.maker and kind in READERS):
            wrong += self.faults_of_life(kind, changers.get(kind), deleters.get(kind))
        self.none(wrong)

    def test_what_is_changed_is_read_as_changed(self):
        reads = {it.path: it for it in self.reads}
        wrong = []
        for operation in (it for it in self.operations.values() if it.method in ("PUT", "PATCH") and it.path in reads):
            parameters, carried = self.world.parameters(operation), self.world.bodies.of(operation)
            response = self.world.call(operation, parameters, carried)
            read = content(self.world.call(reads[operation.path], parameters))
            wanted = carried.get("json", ()) if operation.path.endswith("custom-fields") else ()
            if isinstance(read, dict):
                wrong += [f"{operation}: {response.status_code}, {it}" for it in self.unlike(carried, read, wanted)]
        self.none(wrong)

    def by_last_id(self, *methods):
        """By kind, the operation with one of these methods whose path ends with an id of that kind, and names no other kind."""
        operations = [it for it in self.operations.values() if it.method in methods and it.path.endswith("}")]
        kinds = [(it, [kind_in_path(it, name) for name in it.parameters]) for it in operations]
        return {of_path[-1]: it for it, of_path in kinds if all(of_path)}

    def faults_of_life(self, kind, changer, deleter):
        """What is wrong in the life of a new thing of this kind, from its making to its end."""
        self.world.row(kind)
        before = [row[KINDS[kind].member] for row in self.world.listed[kind]]
        made, carried = self.world.made(kind)
        if made in before and KINDS[kind].lister:
            return [f"{kind} {made} was made and was there before"]
        read = self.read_again(kind, made)
        if kind in self.world.lacks or read is None:
            return [f"{kind} {made} was made and is nowhere: {self.world.lacks.get(kind, 'but its maker showed the id')}"]
        sent = {} if KINDS[kind].is_named_by_maker else carried
        wrong = [f"{kind} {made} was made with {it}" for it in self.unlike(sent, read)]
        if changer:
            carried = self.world.bodies.of(changer)
            if "version" in read:
                carried["json"]["version"] = read["version"]
            response = self.world.call(changer, self.with_id(changer, made), carried)
            read = self.read_again(kind, made) or {}
            wrong += [f"{kind} {made} was changed ({response.status_code}) to {it}" for it in self.unlike(carried, read)]
        if deleter:
            response = self.world.call(deleter, self.with_id(deleter, made))
            if not response.ok or self.read_again(kind, made) is not None:
                wrong.append(f"{kind} {made} is there after it was deleted with {response.status_code}")
        return wrong

    def read_again(self, kind, value):
        self.lists.clear()
        return self.thing(kind, value)

    @staticmethod
    def unlike(carried, read, wanted=()):
        """Texts, numbers and the like that were sent and are read as something else; those that are `wanted`, also as nothing."""
        body = carried.get("json", {})
        sent = body[0] if isinstance(body, list) else body
        plain = {name: value for name, value in sent.items() if isinstance(value, (str, int, float)) and name not in COUNTED}
        same = {name: value for name, value in plain.items() if type(value) is type(read.get(name))}
        missing = [f"{name} {value!r} and is not there" for name, value in plain.items() if name in wanted and name not in read]
        return missing + [f"{name} {value!r} and has {read[name]!r}" for name, value in same.items() if read[name] != value]


if __name__ == "__main__":
    unittest.main(verbosity=1)
