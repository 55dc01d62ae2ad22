"""What single operations want that their schemas do not say: members that belong together, and parts of a query.

Billing and the relationships of assets are not described at all. Their bodies hold whatever other clients were seen to send.
"""

from sandbox.description import DEFINITION_SCOPES


def device_role(world):
    device = world.row("device")
    return {"nodeRoleId": device.get("nodeRoleId"), "policyId": device.get("rolePolicyId")}


def backup_plan(world):
    job = world.row("backup plan")
    return {"deviceId": job.get("deviceId", world.id("device")), "planUid": world.id("backup plan")}


def ticket_version(world):
    ticket = world.body("getTicketById")
    return {"version": ticket.get("version", 1), "attributes": []}


def related_organization(world):
    return {"relEntityType": "ORGANIZATION", "relEntityId": world.id("organization")}


def condition(world):
    return {"matchAll": [{"fieldName": world.id("field"), "operator": "EQUALS", "value": "x"}], "matchAny": []}


def member_of_role(world):
    kind = "end user" if "END" in str(world.row("user role").get("type", "")) else "technician"
    return [world.id(kind)]


def field_values(world):
    return {world.id("text field"): "Made by a test"}


def license(_):
    return {"assigmentAutomationSettings": None, "scope": {"global": True, "organizationIds": [], "locationIds": []}, "currentUsage": 0}


def billed(kind):
    """A body for billing: what it is about, and what it is for."""

    def body(world):
        found = {"name": f"Made by a test {next(world.numbers)}", "organizationId": world.id("organization"), "quantity": 1, "price": 10.5}
        return found | ({f"{kind}Ids": [world.make(kind)]} if kind == "invoice" else {})

    return body


# The value of a member, or None where it is not sent.
WITH = {
    "createOrganization": lambda world: {"policies": [device_role(world)]},
    "updateNodeRolePolicyAssignmentForOrganization": device_role,
    "createUnmanagedDevicePublicApi": lambda world: {"roleId": world.id("unmanaged role")},
    "decommissionUnmanagedDevicePublicApiList": lambda world: {"nodeIds": [world.make("unmanaged device")]},
    "nodeApprovalOperation": lambda world: {"devices": [world.make("device")]},
    "updateNodeRoles": lambda world: {"id": world.make("node role")},
    "deleteNodeRoles": lambda world: {"ids": [world.make("node role")]},
    "createPolicy": lambda world: {"nodeClass": world.row("policy").get("nodeClass", "WINDOWS_SERVER")},
    "createCustomFieldsPolicyCondition": condition,
    "submitIntegrityCheckJob": backup_plan,
    "updateChecklistTemplates": lambda world: {"id": world.make("checklist template")},
    "createOrganizationChecklists": lambda _: {"tasks": [{"position": 1, "name": "Made by a test"}]},
    "updateOrganizationChecklists": lambda world: {"checklistId": world.make("checklist"), "tasks": None},
    "promoteClientChecklists": lambda world: {"id": world.make("checklist")},
    "createDocumentTemplate": lambda _: {"allowMultiple": True, "availableToAllTechnicians": True, "allowedTechnicianRoles": []},
    "updateDocumentTemplate": lambda _: {"fields": None, "availableToAllTechnicians": True, "allowedTechnicianRoles": []},
    "createOrganizationDocuments": lambda world: {"documentTemplateId": world.id("document template"), "fields": {}},
    "updateOrganizationDocuments": lambda _: {"fields": {}},
    "updateKnowledgeBaseArticles": lambda world: {"id": world.make("article")},
    "move": lambda world: {"folderIds": [world.make("folder")], "documentIds": [world.make("article")], "destinationFolderId": world.id("folder")},
    "createNodeAttribute": lambda _: {"definitionScope": DEFINITION_SCOPES, "content": None},
    "updateNodeAttributeByFieldName": lambda _: {"fieldName": None, "content": None, "definitionScope": DEFINITION_SCOPES},
    "createRelatedItemForEntity": related_organization,
    "createRelatedItemForEntity_1": related_organization,
    "create": license,
    "update": license,
    "upsert": lambda _: {"scope": {"global": True, "organizationNames": [], "locationNames": []}, "currentUsage": 0},
    "createCustomTabPublicApi": lambda world: {"entityId": world.id("node role"), "items": []},
    "updateCustomTabPublicApi": lambda _: {"items": []},
    "batchUpdateTags": lambda _: {"tagIdsToRemove": []},
    "mergeTags": lambda world: {"tagIds": [world.make("tag"), world.make("tag")], "mergeMethod": "MERGE_INTO_NEW_TAG"},
    "create_1": lambda _: {"attributes": []},
    "update_1": ticket_version,
    "configureWebhook": lambda _: {"activities": {"CONDITION": ["TRIGGERED"]}, "expand": ["device"]},
}

# All of a body.
WHOLE = {
    "addUserRoleMembers": member_of_role,
    "removeUserRoleMembers": member_of_role,
    "updateDevice": lambda world: {"displayName": f"Made by a test {next(world.numbers)}", "userData": {"rack": "4"}},
    "runScriptOnDevice": lambda world: {"type": "SCRIPT", "id": world.id("script"), "parameters": "", "runAs": "SYSTEM"},
    "getTicketsByBoard": lambda _: {"pageSize": 50},
    "bulkCreateNodeAttributes": lambda world: {"customFields": [field(world)]},
    "bulkUpdateNodeAttributes": lambda world: {"customFields": [field(world) | {"fieldName": world.make("field")}]},
    "updateNodeAttributeValues": field_values,
    "updateNodeAttributeValues_1": field_values,
    "updateNodeAttributeValues_2": field_values,
    "updateNodeAttributeValues_3": field_values,
    "resetAlertSetActivityData": lambda _: {"note": "Made by a test"},
    "createBillingAccount": billed("account"),
    "createBillingAgreement": billed("agreement"),
    "createBillingInvoice": billed("bill"),
    "approveBillingInvoices": billed("invoice"),
    "archiveBillingInvoices": billed("invoice"),
    "unarchiveBillingInvoices": billed("invoice"),
    "exportBillingInvoices": billed("invoice"),
    "createAdHocBillingTicketProduct": lambda world: billed("product")(world) | {"ticketId": world.id("ticket")},
    "createCatalogBillingTicketProduct": lambda world: billed("product")(world) | {"ticketId": world.id("ticket"), "productId": world.id("product")},
    "deleteBillingTicketProducts": lambda world: {"ticketProductIds": [world.make("ticket product")]},
    "createAssetRelationship": lambda world: relationship(world),
    "updateSoftwareLicenseAssignmentLastUsage": lambda world: {"licenseId": world.id("license"), "lastUsage": 1_800_000_000},
    "patchEndUserDeviceAccess": lambda world: {"deviceIds": [world.id("device")]},
    "updateUserRoleOrganizationPermissions": lambda world: {"organizationIds": [world.id("organization")]},
    "updateSystemCustomFields": field_values,
}

QUERIES = {
    # All there is, where an answer has pages.
    "getActivities": lambda _: {"pageSize": 1000},
    "getDeviceActivities": lambda _: {"pageSize": 1000},
    "bulkDeleteNodeAttributes": lambda world: {"fieldNames": world.make("field")},
    "getKnowledgeBaseFolderPathContent": lambda world: {"folderId": world.id("folder")},
    "search": lambda world: {"q": world.row("device").get("systemName", "SRV")},
}

FORMS = {"createComment": '{"public":true,"body":"Made by a test."}'}


def field(world):
    name = f"madeByATest{next(world.numbers)}"
    return {"label": name, "fieldName": name, "type": "TEXT", "scope": "NODE_GLOBAL", "definitionScope": DEFINITION_SCOPES}


def relationship(world):
    device = world.id("device")
    return {"sourceEntityType": "NODE", "sourceEntityId": device, "targetEntityType": "NODE", "targetEntityId": device, "relationshipTypeId": 1}
