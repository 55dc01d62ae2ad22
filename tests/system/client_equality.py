#!/usr/bin/env python3
"""What ninjapy, a client that was written for NinjaOne, gets from the simulated one directly, it gets through the proxy too.

Two sandboxes with the same seed: all of its methods at the one without the proxy, then at the other through the proxy. Of each
request, status, content type and body are the same byte for byte, but for the names of cursors and the moments of the writes.

Needs the packages of requirements.txt, and the debug build. `tests/run` sets both up.
"""

import asyncio
import inspect
import logging
import re
import unittest

import aiohttp
from ninjapy.client import AsyncNinjaRMMClient
from ninjapy.exceptions import NinjaRMMError
from sandbox.description import Description
from sandbox.simulator import CLIENT_ID, CLIENT_SECRET, Api, Behind
from sandbox.world import World

SEED = "7"
CALLER = "operator"
FIRST, LAST = ("get_", "list_", "query_", "iter_", "search_"), ("delete_", "remove_", "reset_", "reject_", "merge_", "disable_", "cancel_")
# No request of the API: about the client itself, or answered by no operation that there is.
NOT_API = {"close", "set_timestamp_conversion", "get_timestamp_conversion_status"}
# NinjaOne does this for a person alone: the proxy has a login for it, a client by itself has none.
FOR_PEOPLE = {"run_device_script"}
# Reports of so many rows that smaller pages of them would take minutes.
LONG, PAGE_OF_LONG = {"query_all_software", "query_software_by_org"}, 5000
REQUESTS_MIN = 200
TOO_MANY = 429
# The shapes of what differs: a cursor's name, in answers and in requests, and the moments of two runs.
CURSOR = re.compile(r'(?<="name":")[0-9a-f-]{16,}(?=","offset")|(?<=cursor=)[^&]+')
MOMENT = re.compile(r"\b1[0-9]{9}(\.[0-9]+)?\b")


class Recorder:
    """Notes what arrives at the client, below its own reading of it."""

    def __init__(self, began):
        self.answers, self.began = [], began

    def __enter__(self):
        request = self.request = aiohttp.ClientSession._request

        async def noted(*arguments, **more):
            response = await request(*arguments, **more)
            line = f"{response.method} {response.url.relative()}"
            self.answers.append((line, response.status, response.content_type, await response.read()))
            return response

        aiohttp.ClientSession._request = noted
        return self

    def __exit__(self, *_):
        aiohttp.ClientSession._request = self.request

    def take(self):
        """The answers since the last time, comparable and in an order that does not depend on what came first of several at once.

        What the proxy's limit put off is left out: the client has sent it again.
        """
        taken, self.answers = self.answers, []
        return sorted(
            (CURSOR.sub("CURSOR", line), status, kind, timeless(body, self.began))
            for line, status, kind, body in taken
            if not line.endswith("/ws/oauth/token") and status != TOO_MANY
        )


def timeless(body, began):
    """The body without the names of cursors, and without moments since the test began."""

    def moment(found):
        return "MOMENT" if float(found[0]) >= began - 1 else found[0]

    return MOMENT.sub(moment, CURSOR.sub("CURSOR", body.decode("utf-8", "replace")))


class Values:
    """An argument for each parameter of ninjapy's methods, by its name."""

    def __init__(self, world):
        device = world.row("device")
        ids = {
            "device_id": world.id("device"), "asset_id": world.id("device"), "org_id": world.id("organization"),
            "organization_id": world.id("organization"), "location_id": world.id("location"), "policy_id": world.id("policy"),
            "template_id": world.id("document template"), "document_template_id": world.id("document template"),
            "document_id": world.id("document"), "group_id": world.id("group"), "script_id": world.id("script"), "tag_id": world.id("tag"),
            "alert_uid": world.id("alert"), "owner_uid": world.id("end user uid"), "service_id": world.id("service"),
            "condition_id": world.id("field condition"),
        }
        lists = {f"{name}s": [value] for name, value in ids.items() if isinstance(value, int)}
        role = {"nodeRoleId": device.get("nodeRoleId"), "policyId": device.get("rolePolicyId")}
        document = {"documentName": "Made by a test", "documentTemplateId": ids["template_id"], "organizationId": ids["org_id"], "fields": {}}
        another_alert = world.listed["alert"][-1]["uid"] if world.listed["alert"] else ids["alert_uid"]
        self.by_method = {"reset_alert_with_data": {"alert_uid": another_alert}}
        self.by_name = ids | lists | {
            "asset_type": "device", "query": device.get("systemName", "SRV"), "installer_type": "WINDOWS_MSI", "config": {"startType": "AUTO_START"},
            "action": "RESTART", "mode": "FORCE", "duration": 60, "end": 1_900_000_000.0, "page_size": 7, "url": "https://example.com/hook",
            "activities": {"CONDITION": ["TRIGGERED"]}, "merge_method": "MERGE_INTO_NEW_TAG", "policies": [role], "documents": [document],
            "source": "Application", "event_ids": [1000], "match_all": [{"fieldName": "assetTag", "operator": "EQUALS", "value": "x"}],
            "custom_fields": {world.id("field"): "Made by a test"}, "activity_data": {"note": "Made by a test"}, "json_data": document, "settings": {},
        }

    def of(self, method):
        """What is required, and what is known of the rest but for filters."""
        found = {}
        for name, parameter in inspect.signature(method).parameters.items():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD or name == "self":
                continue
            if parameter.default is inspect.Parameter.empty or name in ("page_size", "name", "match_all"):
                found[name] = self.by_name.get(name, "Made by a test")
        if "page_size" in found and method.__name__ in LONG:
            found["page_size"] = PAGE_OF_LONG
        return found | self.by_method.get(method.__name__, {})


def methods():
    """All of ninjapy that asks NinjaOne: what reads, what writes, what takes away."""
    of_class = inspect.getmembers(AsyncNinjaRMMClient, lambda it: inspect.iscoroutinefunction(it) or inspect.isasyncgenfunction(it))
    names = [name for name, _ in of_class if not name.startswith("_") and name not in NOT_API]
    return sorted(names, key=lambda it: (0 if it.startswith(FIRST) else 2 if it.startswith(LAST) else 1, it))


async def answers(base, client_id, secret, values, began, user_token=None):
    """By method: what each of its requests got. The world of the sandbox `began` at this moment."""
    found = {}
    scope = "monitoring management control"
    client = AsyncNinjaRMMClient(f"{base}/ws/oauth/token", client_id, secret, scope, base, retry_total=5)
    with Recorder(began) as recorder:
        for name in methods():
            token = client.token_manager._access_token
            if name in FOR_PEOPLE and user_token:
                client.token_manager._access_token = user_token
            try:
                await called(getattr(client, name), values)
            finally:
                client.token_manager._access_token = token
            found[name] = recorder.take()
        await client.close()
    return found


async def called(method, values):
    """Calls it to its end; what ninjapy itself thinks of the answer is not asked here."""
    given = method(**values.of(method))
    try:
        if inspect.isasyncgen(given):
            async for _ in given:
                pass
        else:
            await given
    except (NinjaRMMError, AttributeError, TypeError, LookupError):
        pass


class Equality(unittest.TestCase):
    def setUp(self):
        self.bare, self.proxied = (self.enterContext(Behind("--seed", SEED)) for _ in range(2))
        description = Description()
        patterns = [(it.method, re.sub(r"\\\{[^/]*\\\}", "[^/]+", re.escape(it.path))) for it in description.operations.values()]
        self.known = re.compile("|".join(f"{method} {path}(\\?.*)?" for method, path in patterns))
        self.api = Api(self.bare.ninjaone)
        self.addCleanup(self.api.session.close)
        self.began = self.api.now()
        self.values = Values(World(self.api, description))

    def test_answers_are_the_same_through_the_proxy(self):
        direct = asyncio.run(answers(self.bare.ninjaone, CLIENT_ID, CLIENT_SECRET, self.values, self.began, self.api.user))
        through = asyncio.run(answers(self.proxied.greeting["callers"], CALLER, self.proxied.greeting["keys"][CALLER], self.values, self.began))
        self.assertGreater(sum(map(len, direct.values())), REQUESTS_MIN)
        wrong = [it for name in direct for it in self.differences(name, direct[name], through[name])]
        if wrong:
            self.fail("\n".join([f"{len(wrong)} of these:", *wrong]))

    def differences(self, name, direct, through):
        """What differs in the answers to the requests that NinjaOne has an operation for."""
        direct, through = ([it for it in answers if self.known.fullmatch(it[0])] for answers in (direct, through))
        if [it[0] for it in direct] != [it[0] for it in through]:
            yield f"{name}: {[it[0] for it in direct]} became {[it[0] for it in through]}"
            return
        for one, other in zip(direct, through):
            if one != other:
                yield f"{name}: {one[0]}: {one[1:]} became {other[1:]}"[:600]


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    unittest.main(verbosity=1)
