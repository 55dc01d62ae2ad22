#!/usr/bin/env python3
"""Makes our digests of NinjaOne's OpenAPI description: members, types, required members, enumerations, statuses; no texts.

    python3 tests/vectors/digest_openapi.py DESCRIPTION.json

The description is NinjaOne's own and is not kept here. Written, relative to this repository:

  tests/vectors/openapi-15.1.json  what the test of all operations validates against: an OpenAPI document without its texts
  src/sandbox/schema/types.tsv     TYPE, MEMBER, EXPRESSION: what the sandbox completes its answers from
  src/sandbox/schema/answers.tsv   OPERATION, STATUS, EXPRESSION of the answer, EXPRESSION of the body

An expression is `int`, `number`, `text`, `uuid`, `date-time`, `bool`, `file`, `object`, `any`, the name of a type, `[E]` for a list, or
`{E}` for an object with free names. `!` after a member means required; `=` in the place of a member gives an enumeration's values.
"""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
METHODS = ("get", "post", "put", "patch", "delete")
TEXTS = {"description", "summary", "example", "examples", "title", "externalDocs", "x-provenance", "tags"}
NAMED = {"properties", "schemas", "paths", "responses", "content", "mapping"}
# How its server library describes an uploaded file: nothing that is ever sent.
TRANSPORT = {"BodyPart", "ContentDisposition", "FormDataBodyPart", "FormDataContentDisposition", "MessageBodyWorkers", "MultiPart", "ParameterizedHeader"}


def without_texts(node, are_names=False):
    """The same without texts. The keys of `properties` and the like are names: a member called `description` stays."""
    if isinstance(node, dict):
        return {
            key: without_texts(value, are_names=not are_names and key in NAMED)
            for key, value in sorted(node.items())
            if are_names or key not in TEXTS
        }
    if isinstance(node, list):
        return [without_texts(item) for item in node]
    return node


class Types:
    """The types that expressions name, in the order in which they are first met."""

    def __init__(self, schemas):
        self.schemas = schemas
        self.rows = {}
        self.enumerations = {}

    def expression(self, schema, place):
        """The expression of a schema; `place` names it if it has no name of its own."""
        if not schema:
            return "any"
        if "$ref" in schema:
            return self.named(schema["$ref"].rsplit("/", 1)[1])
        if "enum" in schema:
            return self.enumeration(schema["enum"], place)
        if schema.get("type") == "array":
            return f"[{self.expression(schema.get('items'), place)}]"
        if "properties" in schema or "allOf" in schema:
            return self.structure(place, schema)
        if isinstance(schema.get("additionalProperties"), dict):
            return "{" + self.expression(schema["additionalProperties"], place) + "}"
        if schema.get("additionalProperties") is True:
            return "{any}"
        formats = {"uuid": "uuid", "date-time": "date-time", "binary": "file"}
        kinds = {"integer": "int", "number": "number", "boolean": "bool"}
        if schema.get("type") == "string":
            return formats.get(schema.get("format"), "text")
        return kinds.get(schema.get("type"), "object" if schema.get("type") == "object" else "any")

    def named(self, name):
        schema = self.schemas[name]
        if name in self.rows:
            return name
        return self.expression(schema, name)

    def enumeration(self, values, place):
        known = self.enumerations.setdefault(tuple(values), place)
        self.rows.setdefault(known, [("=", "|".join(values))])
        return known

    def structure(self, name, schema):
        if name in self.rows:
            return name
        self.rows[name] = rows = []
        for member, (inner, required) in self.members(schema).items():
            rows.append((member + "!" * required, self.expression(inner, f"{name}.{member}")))
        return name

    def members(self, schema):
        if "$ref" in schema:
            return self.members(self.schemas[schema["$ref"].rsplit("/", 1)[1]])
        found = {}
        for part in schema.get("allOf", []):
            found.update(self.members(part))
        required = schema.get("required", [])
        found.update({name: (inner, name in required) for name, inner in schema.get("properties", {}).items()})
        return found


def operation_names():
    rows = [line.split("\t") for line in (ROOT / "src/ninjaone/operations.tsv").read_text().splitlines()[1:]]
    return {(row[0], row[1]): row[2] for row in rows}


def answer(operation, types, name, method):
    """The declared status and expression of success. `default` says nothing of the status: 200 with a body, 204 without."""
    status, response = next((code, it) for code, it in operation["responses"].items() if code == "default" or code < "300")
    schemas = [content["schema"] for content in response.get("content", {}).values() if content.get("schema")]
    expression = types.expression(schemas[0], f"{name}.answer") if schemas else "-"
    if status == "default":
        status = "200" if schemas or method == "GET" else "204"
    return status, expression


def body(operation, types, name):
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return "-"
    kind, only = next(iter(content.items()))
    return "file" if kind.startswith("multipart") else types.expression(only.get("schema"), f"{name}.body")


def main():
    description = json.loads(pathlib.Path(sys.argv[1]).read_text())
    digest = without_texts({key: description[key] for key in ("openapi", "paths", "components")})
    (ROOT / "tests/vectors/openapi-15.1.json").write_text(json.dumps(digest, separators=(",", ":"), sort_keys=True) + "\n")
    types, names, answers = Types(description["components"]["schemas"]), operation_names(), []
    for path, operations in description["paths"].items():
        for method in METHODS:
            operation = operations.get(method)
            if operation is None:
                continue
            name = names[(method.upper(), path)]
            answers.append("\t".join((name, *answer(operation, types, name, method.upper()), body(operation, types, name))))
    for name in description["components"]["schemas"]:
        if name not in TRANSPORT:
            types.named(name)
    rows = [f"{name}\t{member}\t{expression}" for name, members in types.rows.items() for member, expression in members]
    (ROOT / "src/sandbox/schema/types.tsv").write_text("\n".join(rows) + "\n")
    (ROOT / "src/sandbox/schema/answers.tsv").write_text("\n".join(answers) + "\n")


if __name__ == "__main__":
    main()
