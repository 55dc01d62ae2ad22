"""What there is in NinjaOne, kind by kind: which operation lists it, which makes one, and where its ids stand in requests."""

import re
from dataclasses import dataclass

from sandbox.description import Operation


@dataclass(frozen=True)
class Kind:
    """`lister` shows all, `maker` makes one; `member` is the id in both answers, `made` that of the maker's if it is another."""

    lister: str | None = None
    member: str = "id"
    maker: str | None = None
    made: str | None = None
    # Which of those that are listed will do.
    where: tuple = ()
    # Whether the maker makes something else, which names a new one of these.
    is_named_by_maker: bool = False


KINDS = {
    "organization": Kind("getOrganizations", maker="createOrganization"),
    "location": Kind("getOrganizationLocations", maker="createLocationForOrganization"),
    "device": Kind("getOrganizationDevices", maker="createStagedDevice", made="nodeId", where=("nodeClass", ("WINDOWS_SERVER", "WINDOWS_WORKSTATION"))),
    "unmanaged device": Kind("getDevices", maker="createUnmanagedDevicePublicApi", made="nodeId", where=("nodeClass", ("UNMANAGED_DEVICE",))),
    "mobile device": Kind("getDevices", where=("nodeClass", ("ANDROID", "APPLE_IOS", "APPLE_IPADOS"))),
    "service": Kind("getDeviceServices", member="name"),
    "node role": Kind("getNodeRoles_1", maker="createNodeRoles"),
    "unmanaged role": Kind("getNodeRoles_1", where=("nodeClass", ("UNMANAGED_DEVICE",))),
    "policy": Kind("getPolicies", maker="createPolicy"),
    "field condition": Kind("getCustomFieldsPolicyConditions", maker="createCustomFieldsPolicyCondition"),
    "event condition": Kind("getWindowsEventPolicyConditions", maker="createWindowsEventPolicyCondition"),
    "group": Kind("getGroups"),
    "channel": Kind("getNotificationChannels"),
    "script": Kind("getAutomationScripts"),
    "alert": Kind("getAlerts", member="uid"),
    "contact": Kind("getContacts", maker="createContact"),
    "contact uid": Kind("getContacts", member="uid"),
    "end user": Kind("getEndUsers_1", maker="createEndUser"),
    "end user uid": Kind("getEndUsers_1", member="uid"),
    "technician": Kind("getTechnicians", maker="createTechnician"),
    "user role": Kind("getUserRoles"),
    "checklist template": Kind("getChecklistTemplates", maker="createChecklistTemplates"),
    "checklist": Kind("getClientChecklists", maker="createOrganizationChecklists"),
    "document template": Kind("getDocumentTemplatesWithAttributes", maker="createDocumentTemplate", where=("allowMultiple", (True,))),
    "document": Kind("getOrganizationDocuments", member="documentId", maker="createOrganizationDocument"),
    "article": Kind("getClientKnowledgeBaseArticles", maker="createKnowledgeBaseArticles"),
    "global article": Kind("getGlobalKnowledgeBaseArticles"),
    "folder": Kind("getClientKnowledgeBaseArticles", member="parentFolderId", maker="createKnowledgeBaseArticles", is_named_by_maker=True),
    "field": Kind("getAllNodeAttributes", member="name", maker="createNodeAttribute", where=("system", (False,))),
    "text field": Kind(maker="createNodeAttribute", member="name"),
    "related item": Kind("getAllRelatedItems", maker="createRelatedItemForEntity"),
    "attachment": Kind(maker="createRelatedItem"),
    "tag": Kind("getTags", maker="createTag"),
    "license": Kind("getSoftwareLicenses", maker="create"),
    "tab": Kind("getTabSummaryForRole", maker="createCustomTabPublicApi"),
    "ticket": Kind("getTicketsByBoard", maker="create_1"),
    "ticket form": Kind("getTicketForms"),
    "ticket attribute": Kind("getTicketAttributes"),
    "ticket status": Kind("getAllStatuses", member="statusId"),
    "board": Kind("getBoards"),
    "backup plan": Kind("getBackupJobs", member="planGuid"),
    "scan group": Kind("fetchAllScanGroups"),
    "account": Kind("getBillingAccounts", maker="createBillingAccount"),
    "agreement": Kind("getBillingAgreements", maker="createBillingAgreement"),
    "invoice": Kind("getBillingInvoices", maker="createBillingInvoice"),
    "product": Kind("getBillingProducts", maker="createBillingProduct"),
    "ticket product": Kind("getBillingTicketProductsByTicketId", maker="createAdHocBillingTicketProduct"),
    "time entry": Kind("getTicketLogEntriesByTicketId"),
}

# Kinds whose ids are UUIDs.
UIDS = ("alert", "contact uid", "end user uid", "backup plan", "field condition", "event condition")

# The kind of a parameter, by how the path before it ends.
IN_PATHS = {
    "alert": "alert",
    "billing/accounts": "account",
    "billing/agreements": "agreement",
    "billing/invoices": "invoice",
    "billing/products": "product",
    "ticket-products/ticket": "ticket",
    "billing/ticket-products": "ticket product",
    "ticket-time-entry": "time entry",
    "checklist/template": "checklist template",
    "contact": "contact",
    "field-name": "field",
    "v2/device": "device",
    "owner": "end user uid",
    "windows-service": "service",
    "document-templates": "document template",
    "group": "group",
    "unmanaged-device": "unmanaged device",
    "knowledgebase/article": "article",
    "global/article": "global article",
    "folder": "folder",
    "organization/checklist": "checklist",
    "document": "document",
    "organization": "organization",
    "location": "location",
    "locations": "location",
    "template": "document template",
    "policies": "policy",
    "condition/custom-fields": "field condition",
    "condition/windows-event": "event condition",
    "condition": "field condition",
    "related-items": "related item",
    "software-license": "license",
    "tab": "tab",
    "role": "node role",
    "user/role": "user role",
    "tag": "tag",
    "ticket-form": "ticket form",
    "ticketing/ticket": "ticket",
    "board": "board",
    "end-user": "end user",
    "technician": "technician",
    "scan-groups": "scan group",
}

# Parameters that name a kind of entity, and the entity of that kind that the requests are about.
ENTITIES = {
    "entityType": "NODE", "relEntityType": "NODE", "relatedEntityType": "NODE", "assetType": "device",
    "entityId": "device", "relEntityId": "device", "assetId": "device",
}

# Operations that know nothing of other devices than mobile ones.
OF_MOBILES = {"getDeviceGeolocationHistory"}


def kind_in_path(operation: Operation, parameter):
    """The kind of this parameter, or None where it is not an id."""
    if operation.name in OF_MOBILES:
        return "mobile device"
    before = operation.path.partition(f"/{{{parameter}}}")[0]
    if parameter in ("entityId", "relEntityId", "assetId"):
        return ENTITIES[parameter]
    if parameter in ENTITIES or "enum" in operation.parameters[parameter]:
        return None
    tails = [tail for tail in IN_PATHS if before.endswith(f"/{tail}") or before.endswith(tail) and "/" in tail]
    return IN_PATHS[max(tails, key=len)]


def of_kinds(names):
    """By name, the kind: from the names of each kind."""
    return {name: kind for kind, together in names.items() for name in together.split()}


# The kind of an id in a body or an answer, by its member's name; lists of ids have the plural.
IN_MEMBERS = of_kinds({
    "organization": "organizationId organizationIds orgId clientId destinationOrganizationId licenseeOrganizationId org",
    "location": "locationId locationIds",
    "device": "deviceId deviceIds devices nodeId assetIds",
    "node role": "nodeRoleId nodeRoleParentId roleId roleHierarchy",
    "policy": "policyId rolePolicyId parentPolicyId sourcePolicyId",
    "group": "groupIds",
    "channel": "channels",
    "script": "scriptId",
    "technician": "assignedToUserId assignedAppUserId additionalAssignedTechnicianIds technicianTagged",
    "end user uid": "requesterUid assignedUserUid assignedOwnerUid",
    "contact uid": "uids",
    "user role": "allowedTechnicianRoles roleIds hiddenForRoles",
    "checklist template": "checklistTemplateId checklistTemplateIds",
    "checklist": "checklistId clientChecklistIds",
    "document template": "documentTemplateId templates",
    "document": "documentId",
    "article": "documentIds",
    "folder": "folderIds parentFolderId destinationFolderId",
    "tag": "tagIds tagIdsToAdd tagIdsToRemove mergeIntoTagId",
    "tab": "tabId parentTabId",
    "ticket form": "ticketFormId",
    "ticket attribute": "attributeId",
    "ticket status": "statusId",
    "backup plan": "planUid planGuid",
})

# The kind of thing in bodies that are nothing but a list of ids, by the operation.
OF_LISTS = of_kinds({
    "checklist template": "createOrganizationChecklistsFromTemplates deleteChecklistTemplates",
    "checklist": "deleteClientChecklists promoteClientChecklists_1",
    "document": "archiveMultiPageClientDocuments restoreMultiPageClientDocuments",
    "document template": "archiveDocumentTemplates restoreDocumentTemplates",
    "tag": "deleteTags",
    "article": "archiveKnowledgeBaseArticles restoreKnowledgeBaseArticles deleteKnowledgeBaseArticles",
    "folder": "archiveKnowledgeBaseFolders restoreKnowledgeBaseFolders deleteKnowledgeBaseFolders",
})


def spends(operation: Operation):
    """Whether the operation takes away what it is about, so that one of its own has to be made for it."""
    last = operation.path.rsplit("/", 1)[1]
    if operation.method == "DELETE":
        return last.startswith("{") or last == "bulk"
    return bool(re.fullmatch(r"archive|restore|reset|delete|decommission|decommissionList|merge|promote|promote-with-name", last))
