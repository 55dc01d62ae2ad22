"""Judges an answer by NinjaOne's description: status, content type, body; and by what a description cannot say."""

import json
import re
from collections import defaultdict
from datetime import datetime

from jsonschema import Draft4Validator, FormatChecker
from jsonschema.exceptions import best_match
from jsonschema.validators import extend
from referencing import Registry
from referencing.jsonschema import DRAFT4

from sandbox.answers import content, rows
from sandbox.description import JSON

# The description as it is, and without the type of what it calls an object and says no more of.
EXACT, LOOSE = "urn:ninjaone", "urn:ninjaone:loose"

AGENT = ["WINDOWS_SERVER", "WINDOWS_WORKSTATION", "LINUX_SERVER", "LINUX_WORKSTATION", "MAC", "MAC_SERVER"]
MOBILE = ["ANDROID", "APPLE_IOS", "APPLE_IPADOS", "MANAGED_DEVICE"]
MONITORS = ["CloudMonitorDNS", "CloudMonitorEmailServer", "CloudMonitorHTTP", "CloudMonitorPing", "CloudMonitorPortScan"]
# What `deviceType` can be for each `nodeClass`. The classes that begin with NMS_ are network devices.
DEVICE_TYPES = (
    dict.fromkeys(AGENT, ["AgentDevice"])
    | dict.fromkeys(MOBILE, ["MdmDevice"])
    | dict.fromkeys(["VMWARE_VM_HOST", "HYPERV_VMM_HOST"], ["VMHost"])
    | dict.fromkeys(["VMWARE_VM_GUEST", "HYPERV_VMM_GUEST"], ["VMGuest"])
    | {"CLOUD_MONITOR_TARGET": MONITORS, "UNMANAGED_DEVICE": ["UnmanagedDevice"]}
)
NETWORK_TYPES = ["NMSTarget", "NMSServer"]
AUTOMATION_TYPES = ["DeviceAutomationSettings", "EndUserAutomationSettings"]

# The world has at least one device of each of these.
TYPES_SEEN = [["AgentDevice"], ["VMHost"], ["VMGuest"], NETWORK_TYPES, MONITORS, ["MdmDevice"], ["UnmanagedDevice"]]

# Members that say nothing where there is nothing to say: the top of a tree has no parent, what is open was never completed.
# Somewhere in the world each of them must be seen, but for a parent tab: which tabs have one is not known.
MAY_BE_ABSENT = {
    "parentDeviceId", "parentPolicyId", "nodeRoleParentId", "parentFolderId", "parentTabId", "parentId",
    "archivedBy", "archivedTime", "archiveTime", "completedOn", "completedBy", "maintenance",
}

# Members that never hold nothing: an id is not 0, and what has a name has one of letters.
HOLLOW = {"id", "name", "uid", "displayName", "organizationId", "clientId", "deviceId", "nodeRoleId", "policyId", "locationId"}
# Names for end users, of a field that is not named for them.
MAY_BE_HOLLOW = ".endUserCustomization"

# What names its parent, and the id that this cannot be.
PARENTS = {"parentDeviceId": "id", "parentPolicyId": "id", "nodeRoleParentId": "id", "parentTabId": "id", "parentId": "statusId"}


def is_rfc3339(text):
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text):
        return False
    datetime.fromisoformat(text.replace("Z", "+00:00"))
    return True


def formats():
    """The formats of the description that say more than a type. What is of another type is for the check of types."""
    checker = FormatChecker(formats=())

    def check(name, kind, holds):
        checker.checks(name, raises=ValueError)(lambda value: not isinstance(value, kind) or isinstance(value, bool) or holds(value))

    check("uuid", str, lambda it: re.fullmatch(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", it) is not None)
    check("date-time", str, is_rfc3339)
    check("int32", int, lambda it: -(2**31) <= it < 2**31)
    check("int64", int, lambda it: -(2**63) <= it < 2**63)
    return checker


def or_null(keyword):
    """The keyword as OpenAPI 3.0 has it: null passes where a schema says `nullable`."""
    judge = Draft4Validator.VALIDATORS[keyword]

    def judge_or_null(validator, wanted, instance, schema):
        if instance is not None or not schema.get("nullable"):
            yield from judge(validator, wanted, instance, schema)

    return judge_or_null


def device_types(device):
    """The concrete types that a device can have by its class."""
    node_class = device.get("nodeClass") or ""
    return NETWORK_TYPES if node_class.startswith("NMS_") else DEVICE_TYPES.get(node_class, [])


def loosened(node):
    """The same where a bare object, which is how any value of Java is described, can be any value."""
    if isinstance(node, dict):
        return {} if node == {"type": "object"} else {key: loosened(value) for key, value in node.items()}
    return [loosened(it) for it in node] if isinstance(node, list) else node


def absolute(schema, document=EXACT):
    """The schema with references that lead into a document from everywhere."""
    if isinstance(schema, dict):
        return {key: document + value if key == "$ref" else absolute(value, document) for key, value in schema.items()}
    return [absolute(it, document) for it in schema] if isinstance(schema, list) else schema


def is_of_all_organizations(value):
    """Technicians, and articles and folders of the global knowledge base."""
    return value.get("userType") == "TECHNICIAN" or "isArchived" in value


class Judge:
    def __init__(self, description):
        self.description = description
        # A whole number that is written with a point is no integer: draft 4 is the last that says so.
        validator = extend(Draft4Validator, {"type": or_null("type"), "enum": or_null("enum")})
        resources = {EXACT: description.document, LOOSE: loosened(description.document)}
        registry = Registry().with_resources([(name, DRAFT4.create_resource(it)) for name, it in resources.items()])
        self.validator = lambda schema: validator(schema, registry=registry, format_checker=formats())
        self.seen, self.unseen, self.types = set(), defaultdict(set), set()

    def faults(self, operation, response, is_loose=False):
        """What is wrong with the answer to this operation, a sentence each; loosely where a bare object is known to be more."""
        if operation.statuses and response.status_code not in operation.statuses or response.status_code not in range(200, 300):
            wanted = " or ".join(map(str, sorted(operation.statuses))) or "a success"
            return [f"status {response.status_code} in place of {wanted}: {response.text[:160]}"]
        if response.status_code == 204:
            return ["204 with a body"] if response.content else []
        if operation.answer is None and not response.content:
            return ["a read without an answer"] if operation.method == "GET" else []
        kind = response.headers.get("content-type", "").partition(";")[0]
        if kind != JSON:
            return [f"content type {kind or 'missing'} in place of {JSON}"]
        found = self.faults_of_json(operation.answer, response.text, is_loose)
        is_of_all = operation.method == "GET" and not operation.parameters
        return found + (["an empty list of what there is"] if is_of_all and rows(content(response)) == [] else [])

    def faults_of_json(self, schema, text, is_loose=False):
        try:
            body = json.loads(text)
        except ValueError as error:
            return [f"no JSON: {error}"]
        found = ["the literal word sample"] if re.search(r"\bsample", text, re.IGNORECASE) else []
        if schema is None:
            return found + (["a bare {}"] if body == {} else [])
        judged = absolute(loosened(schema), LOOSE) if is_loose else absolute(schema)
        error = best_match(self.validator(judged).iter_errors(body))
        if error:
            place = "".join(f"[{it}]" if isinstance(it, int) else f".{it}" for it in error.absolute_path)
            found.append(f"{place or 'the body'}: {error.message[:160]}")
        places = sorted(set(self.faults_of_members(schema, body, "")))
        for why in sorted({why for why, _ in places}):
            found.append(f"{why}: {', '.join(place for reason, place in places if reason == why)}")
        return found

    def faults_of_members(self, schema, value, place):
        """Why and where, in all depths: declared members that are missing, and members that nobody declared."""
        schema = self.description.resolved(schema)
        if isinstance(value, list):
            for item in value:
                yield from self.faults_of_members(schema.get("items", {}), item, f"{place}[]")
        elif isinstance(value, dict):
            concrete = yield from self.faults_of_type(schema, value, place)
            members = self.description.members(concrete)
            if members:
                yield from self.faults_of_object(members, value, place)
            elif isinstance(schema.get("additionalProperties"), dict):
                for item in value.values():
                    yield from self.faults_of_members(schema["additionalProperties"], item, f"{place}.*")

    def faults_of_object(self, members, value, place):
        for name in sorted(members.keys() | value.keys()):
            where = f"{place}.{name}"
            if name not in members:
                yield "not declared", where
            elif name in value:
                self.seen.add(name)
                if name in HOLLOW and value[name] in ("", 0) and not place.endswith(MAY_BE_HOLLOW):
                    yield f"hollow ({value[name]!r})", where
                if name in PARENTS and value[name] == value.get(PARENTS[name]):
                    yield "its own parent", where
                yield from self.faults_of_members(members[name], value[name], where)
            elif name in MAY_BE_ABSENT or (name == "organizationId" and is_of_all_organizations(value)):
                self.unseen[name].add(where)
            else:
                yield "missing", where

    def faults_of_type(self, schema, value, place):
        """The concrete schema of an object: another one than declared, where a member tells the type."""
        member = schema.get("discriminator", {}).get("propertyName")
        if not member or member not in value:
            return schema
        name = value[member]
        types = device_types(value) if member == "deviceType" else AUTOMATION_TYPES
        if name not in types:
            yield f"{name} where {value.get('nodeClass', 'it')} can be {' or '.join(types) or 'nothing'}", f"{place}.{member}"
            return schema
        self.types.add(name)
        concrete = self.description.schemas[name]
        own = {"allOf": absolute([it for it in concrete["allOf"] if "$ref" not in it])}
        error = own["allOf"] and best_match(self.validator(own).iter_errors(value))
        if error:
            yield f"as {name}: {error.message[:160]}", place
        return concrete

    def never_seen(self):
        """What may be absent in a place, and is absent everywhere: members, and types of devices."""
        members = [f"{name}, as in {min(places)}" for name, places in sorted(self.unseen.items()) if name not in self.seen | {"parentTabId"}]
        return members + [f"a device that is {' or '.join(types)}" for types in TYPES_SEEN if not self.types.intersection(types)]
