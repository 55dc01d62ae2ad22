"""What NinjaOne describes: its operations, and the schemas of what they take and answer."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
JSON = "application/json"
ANY = "*/*"
FORM = "multipart/form-data"
DEFINITION_SCOPES = ["NODE", "END_USER", "LOCATION", "ORGANIZATION"]


@dataclass(frozen=True)
class Operation:
    """A row of operations.tsv with what the description says of it."""

    name: str
    method: str
    path: str
    is_for_users: bool
    described: dict

    def __str__(self):
        return f"{self.method} {self.path} ({self.name})"

    @property
    def parameters(self):
        """The parameters of its path, in order, with their schemas."""
        schemas = {it["name"]: it["schema"] for it in self.described.get("parameters", []) if it["in"] == "path"}
        names = [part[1:-1] for part in self.path.split("/") if part.startswith("{")]
        return {name: schemas[name] for name in names}

    @property
    def body(self):
        """The content type of its body and the schema: None twice where it takes none."""
        content = self.described.get("requestBody", {}).get("content", {})
        kind = next(iter(content), None)
        return (JSON if kind == ANY else kind), content.get(kind, {}).get("schema")

    @property
    def statuses(self):
        """The declared statuses of success; none where the description leaves it at `default`."""
        return {int(code) for code in self.described["responses"] if code.startswith("2")}

    @cached_property
    def answer(self):
        """The schema of a success: None where nothing is declared."""
        for code, response in self.described["responses"].items():
            if code == "default" or code.startswith("2"):
                return next((it["schema"] for it in response.get("content", {}).values() if it.get("schema")), None)
        return None


class Description:
    def __init__(self):
        self.document = json.loads((ROOT / "tests/vectors/openapi-15.1.json").read_text())
        self.schemas = self.document["components"]["schemas"]
        rows = [line.split("\t") for line in (ROOT / "src/ninjaone/operations.tsv").read_text().splitlines()]
        names = rows.pop(0)
        self.operations = {}
        for row in (dict(zip(names, row)) for row in rows):
            described = self.document["paths"][row["PATH"]][row["METHOD"].lower()]
            name = row["OPERATION_ID"]
            self.operations[name] = Operation(name, row["METHOD"], row["PATH"], row["IDENTITY"].startswith("user"), described)

    def resolved(self, schema):
        """The schema behind a reference."""
        while "$ref" in schema:
            schema = self.schemas[schema["$ref"].rsplit("/", 1)[1]]
        return schema

    def members(self, schema):
        """The declared members of an object with their schemas, those of its parents included."""
        schema = self.resolved(schema)
        found = {}
        for part in schema.get("allOf", []):
            found |= self.members(part)
        return found | schema.get("properties", {})
