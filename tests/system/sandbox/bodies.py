"""Bodies of requests, made from their schemas: every member is there, and ids are those of things that are."""

import uuid

from sandbox.description import FORM, JSON
from sandbox.kinds import IN_MEMBERS, KINDS, OF_LISTS, UIDS, spends
from sandbox.wishes import FORMS, QUERIES, WHOLE, WITH

# Members for another kind of thing than the one that is made, or that exclude another member.
OMITTED = {
    "advancedSettings", "uiElementName", "uiElementType", "uiElementValue", "uiElementUid", "uiElementCreateTime", "uiElementUpdateTime",
    "parentTicketId", "mergeIntoTagId", "nodeRoleParentId", "nodeRoleParentName", "destinationFolderId", "groupId",
    "assignedLicenses", "unassignedLicenses", "currentLicensees", "licenseesToAssign", "licenseesToRemove", "userData",
}
MOMENT_S = 1_800_000_000
# Moments that belong together.
MOMENTS = {
    "start": MOMENT_S, "end": MOMENT_S + 3600, "warrantyStartDate": MOMENT_S - 10_000_000, "warrantyEndDate": MOMENT_S + 10_000_000,
}
FILES = {"file": ("notes.txt", b"Made by a test.", "text/plain"), "csv": ("scan.csv", b"device,cve\nSRV-01,CVE-2024-0001\n", "text/csv")}


class Bodies:
    def __init__(self, description, world):
        self.description, self.world = description, world

    def of(self, operation):
        """The arguments of a request that carry the query and the body of this operation."""
        kind, schema = operation.body
        query = QUERIES.get(operation.name)
        found = {"params": query(self.world)} if query else {}
        if schema is None:
            return found
        return found | (self.form(operation, schema) if kind == FORM else {"json": self.json(operation, schema)})

    def json(self, operation, schema):
        fresh = spends(operation)
        if operation.name in OF_LISTS:
            return [self.id(OF_LISTS[operation.name], fresh)]
        if operation.name in WHOLE:
            return WHOLE[operation.name](self.world)
        body = self.value(schema, "", fresh)
        more = WITH[operation.name](self.world) if operation.name in WITH else {}
        for each in body if isinstance(body, list) else [body]:
            each.update(more)
            for name in [name for name, value in each.items() if value is None]:
                del each[name]
        return body

    def form(self, operation, schema):
        members = self.description.members(schema)
        file = next(name for name in members if name in ("file", "files", "csv"))
        parts = {file: FILES.get(file, FILES["file"])}
        if operation.name in FORMS:
            parts["comment"] = (None, FORMS[operation.name], JSON)
            return {"files": parts}
        return {"files": parts, "data": {name: self.value(it, name, False) for name, it in members.items() if name != file and name not in OMITTED}}

    def id(self, kind, fresh):
        return self.world.make(kind) if fresh else self.world.id(kind)

    def value(self, schema, name, fresh):
        named = schema.get("$ref", "").rpartition("/")[2]
        schema = self.description.resolved(schema)
        kind = IN_MEMBERS.get(name)
        if schema.get("type") == "array":
            return [self.value(schema.get("items", {}), name, fresh)]
        if kind and schema.get("type") == ("integer" if KINDS[kind].member.lower().endswith("id") and kind not in UIDS else "string"):
            return self.id(kind, fresh and KINDS[kind].maker is not None)
        if "enum" in schema:
            return "TEXT" if named == "AttributeType" else schema["enum"][0]
        members = self.description.members(schema)
        if members:
            return {it: self.value(inner, it, fresh) for it, inner in members.items() if it not in OMITTED}
        return self.simple(schema, name)

    def simple(self, schema, name):
        number = next(self.world.numbers)
        kinds = {"integer": max(1, schema.get("minimum", 1)), "boolean": schema.get("default", False), "number": float(MOMENTS.get(name, MOMENT_S + number))}
        if schema.get("type") in kinds:
            return kinds[schema["type"]]
        if schema.get("type") == "object":
            return {"name": f"Made by a test {number}"} if schema.get("additionalProperties") is True else {}
        if schema.get("format") == "uuid":
            return str(uuid.UUID(int=number, version=4))
        return self.text(name, number, schema)

    def text(self, name, number, schema):
        texts = {
            "email": f"made{number}@example.com", "emails": f"made{number}@example.com", "url": f"https://example.com/{number}",
            "fieldName": f"madeByATest{number}", "status": "1000", "phone": "+15555550100", "runAs": "SYSTEM", "nodeRoleId": "auto",
            "weekDays": "MON", "destinationFolderPath": f"Made by a test {number}", "folderPath": f"Made by a test {number}",
        }
        return texts.get(name, f"Made by a test {number}")[: schema.get("maxLength", 1000)]
