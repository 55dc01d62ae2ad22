"""The world behind the API as somebody without a map finds it: what there is, by the lists; and more of it, made by the API."""

from itertools import count

from sandbox.answers import content, rows
from sandbox.bodies import Bodies
from sandbox.kinds import ENTITIES, KINDS, UIDS, kind_in_path, spends

# Where there is nothing of a kind: an id for the request anyway, so that its answer is seen.
IN_PLACE_OF_NUMBER = 1
IN_PLACE_OF_UID = "00000000-0000-4000-8000-000000000001"
IN_PLACE_OF_NAME = "nobody"


class World:
    def __init__(self, api, description):
        self.api = api
        self.operations = description.operations
        self.numbers = count(1)
        self.bodies = Bodies(description, self)
        self.listed, self.spent, self.lacks = {}, set(), {}

    def call(self, operation, parameters=None, carried=None):
        """Its answer. What stands in the path, and what the request carries, is found or made unless it is given."""
        parameters = self.parameters(operation) if parameters is None else parameters
        carried = self.bodies.of(operation) if carried is None else carried
        return self.api.request(operation.method, operation.path.format(**parameters), operation.is_for_users, **carried)

    def body(self, name):
        return content(self.call(self.operations[name])) or {}

    def parameters(self, operation, given=None):
        """A value for each parameter of its path; the last id is that of a new thing if the operation takes it away."""
        kinds = {name: kind_in_path(operation, name) for name in operation.parameters}
        ids = [name for name, kind in kinds.items() if kind]
        found = {}
        for name, schema in operation.parameters.items():
            if name in (given or {}):
                found[name] = given[name]
            elif kinds[name] is None:
                found[name] = ENTITIES.get(name) or schema["enum"][0]
            elif name == ids[-1] and spends(operation) and kinds[name] not in ("organization", "device"):
                found[name] = self.make(kinds[name])
            else:
                found[name] = self.id(kinds[name])
        return found

    def row(self, kind):
        """The first that is listed of a kind: {} where there is none."""
        if kind not in self.listed:
            it = KINDS[kind]
            found = rows(content(self.call(self.operations[it.lister]))) if it.lister else []
            self.listed[kind] = [row for row in found if it.member in row and (not it.where or row.get(it.where[0]) in it.where[1])]
        return next((row for row in self.listed[kind] if row[KINDS[kind].member] not in self.spent), {})

    def id(self, kind):
        """The id of one that is there."""
        it = KINDS[kind]
        if it.lister is None and kind not in self.listed:
            self.listed[kind] = [{it.member: self.make(kind)}]
        row = self.row(kind)
        return row[it.member] if row else self.lack(kind, f"{it.lister} shows no {kind} with {it.member}")

    def make(self, kind):
        """The id of a new one, or of one that nobody has taken away yet where none can be made."""
        return self.made(kind)[0]

    def made(self, kind):
        """The same, with what the request for it carried."""
        it = KINDS[kind]
        if it.maker is None:
            found = self.id(kind)
            self.spent.add(found)
            return found, {}
        operation = self.operations[it.maker]
        carried = self.bodies.of(operation)
        response = self.call(operation, carried=carried)
        member, body = it.made or it.member, content(response)
        shown = [body] if isinstance(body, dict) else rows(body)
        if shown and member in shown[0]:
            return shown[0][member], carried
        found = self.named(kind, carried)
        return found or self.lack(kind, f"{it.maker} answers {response.status_code} and shows no {member}"), carried

    def named(self, kind, carried):
        """The id of what was made by its name, where the answer does not say it."""
        it, body = KINDS[kind], carried.get("json")
        name = (rows(body) or [{}])[0].get("name")
        self.listed.pop(kind, None)
        self.row(kind)
        return next((row[it.member] for row in self.listed[kind] if row.get("name") == name), None)

    def lack(self, kind, why):
        self.lacks[kind] = why
        if kind in UIDS:
            return IN_PLACE_OF_UID
        return IN_PLACE_OF_NAME if KINDS[kind].member == "name" else IN_PLACE_OF_NUMBER
