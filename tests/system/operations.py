#!/usr/bin/env python3
"""All operations of NinjaOne's API at the simulated one: every answer is as NinjaOne describes it.

Bodies are made from their schemas and ids are found by reading, as a client would that has nothing but the description. An answer
has a declared status, content type and body, formats and enumerations included, and beyond that all declared members and no others.

Needs the packages of requirements.txt, and the debug build. `tests/run` sets both up.
"""

import re
import sys
import traceback

from sandbox.answers import content
from sandbox.description import Description
from sandbox.kinds import spends
from sandbox.simulator import Simulator
from sandbox.validation import Judge
from sandbox.world import World

SIGNED = "described as a text, known to be an object: the address of each attachment by its content id"
FILE = "described as 204 without a body, known to be the file"
# Descriptions that are odd themselves, and what holds instead.
ODD = {
    "getClientChecklistSignedUrls": SIGNED,
    "getClientDocumentSignedUrls": SIGNED,
    "getKnowledgeBaseArticleSignedUrls": SIGNED,
    "getNodeAttributeSignedUrls": SIGNED,
    "getRelatedItemAttachmentsSignedUrls": SIGNED,
    "downloadKnowledgeBaseArticle": FILE,
    "downloadRelatedItemAttachment": FILE,
}

# Values that are described as objects, and known to be whatever a field or column holds: texts, numbers, lists.
PLAIN_VALUES = {
    "getCustomFieldsReport", "getScopedCustomFieldsReport", "getTicketsByBoard",
    "getNodeCustomFields", "getNodeCustomFields_1", "getNodeCustomFields_2", "getNodeCustomFields_3",
}

# What has to happen to a thing first: it is archived before it is restored.
FIRST = {
    "restoreChecklistTemplate": "archiveChecklistTemplate",
    "restoreOrganizationChecklists": "archiveOrganizationChecklists",
    "restoreClientDocument": "archiveClientDocument",
    "restoreMultiPageClientDocuments": "archiveMultiPageClientDocuments",
    "restoreDocumentTemplate": "archiveDocumentTemplate",
    "restoreDocumentTemplates": "archiveDocumentTemplates",
    "restoreKnowledgeBaseArticles": "archiveKnowledgeBaseArticles",
    "restoreKnowledgeBaseFolders": "archiveKnowledgeBaseFolders",
    "unarchiveBillingInvoices": "archiveBillingInvoices",
    "activateBillingProduct": "deactivateBillingProduct",
    "cancelDeviceMaintenance": "updateDeviceMaintenance",
    "removeUserRoleMembers": "addUserRoleMembers",
}


def order(operation):
    """Reads see the world as it is; what takes away comes last."""
    return 0 if operation.method == "GET" else 2 if spends(operation) else 1


def faults_of_odd(operation, response):
    """What is wrong with an answer whose description is odd."""
    if response.status_code != 200:
        return [f"status {response.status_code} in place of 200"]
    if ODD[operation.name] == FILE:
        disposition = response.headers.get("content-disposition", "")
        return [] if response.content and disposition.startswith("attachment") else ["no file with a content-disposition of attachment"]
    body = content(response)
    is_good = isinstance(body, dict) and all(re.match("https?://", str(it)) for it in body.values())
    return [] if is_good else [f"no addresses by content id: {response.text[:100]}"]


def faults(operation, world, judge):
    parameters, carried = world.parameters(operation), world.bodies.of(operation)
    if operation.name in FIRST:
        first = world.operations[FIRST[operation.name]]
        world.call(first, parameters, carried if first.body[1] == operation.body[1] else None)
    response = world.call(operation, parameters, carried)
    return faults_of_odd(operation, response) if operation.name in ODD else judge.faults(operation, response, operation.name in PLAIN_VALUES)


def main():
    description = Description()
    judge = Judge(description)
    wrong = {}
    with Simulator() as simulator:
        world = World(simulator.api, description)
        # The only kind of device that a new world does not have.
        world.make("unmanaged device")
        for operation in sorted(description.operations.values(), key=order):
            try:
                found = faults(operation, world, judge)
            # One answer that cannot be understood hides no other.
            except Exception:
                found = [traceback.format_exc(limit=-2).strip().replace("\n", " ")]
            if found:
                wrong[operation.name] = found
    for name, found in wrong.items():
        print(description.operations[name], *(f"    {it}" for it in found), sep="\n")
    lacks = sorted(world.lacks.items())
    unseen = judge.never_seen()
    for kind, why in lacks:
        print(f"nothing to ask about: {kind}: {why}")
    for it in unseen:
        print(f"nowhere seen: {it}")
    total = len(description.operations)
    print(f"{total - len(wrong)} of {total} operations answer as described ({len(ODD)} of them by what is known instead, {len(PLAIN_VALUES)} with plain values)")
    sys.exit(1 if wrong or lacks or unseen else 0)


if __name__ == "__main__":
    main()
