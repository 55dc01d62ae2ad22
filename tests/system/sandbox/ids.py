"""What the ids in answers mean: the kind of thing behind each member, and the operations that show a thing of that kind."""

from dataclasses import dataclass

from sandbox.kinds import IN_MEMBERS, KINDS

# Members that stand in answers only, on top of those that stand in bodies too. None: nothing else shows such a thing.
IN_ANSWERS = IN_MEMBERS | {
    "userId": "person", "createdByUserId": "person", "updatedByUserId": "person",
    "createdByAppUserId": "person", "updatedByAppUserId": "person",
    "parentDeviceId": "device", "assignedDeviceIds": "device", "accessibleDeviceIds": "device",
    "assignedOwnerUid": "person uid", "requesterUid": "person uid", "appUserContactUid": "person uid", "uids": "person uid",
    "activityId": "activity", "lastActivityId": "activity", "lastNodeActivityId": "activity",
    "ticketId": "ticket", "parentTicketId": "ticket", "invoiceId": "invoice", "parentId": "ticket status",
    "licenseId": "license", "clientDocumentId": "document", "articleId": "article", "folderId": "folder",
    "documentIds": "article", "roleHierarchy": "node role",
}

# The kind of an object, by the member that it stands in.
OBJECTS = {
    "organization": "organization", "organizations": "organization", "location": "location", "locations": "location",
    "device": "device", "devices": "device", "policy": "policy", "rolePolicy": "policy", "role": "node role",
    "assignedOwner": "person", "user": "person", "createdBy": "person", "updatedBy": "person", "lastUpdatedBy": "person",
    "archivedBy": "person", "assignedTo": "person", "completedBy": "person", "members": "person", "techniciansTaggedMetadata": "person",
    "tags": "tag", "labels": "tab", "tabs": "tab", "scripts": "script", "activities": "activity", "agreement": "agreement",
}

# The kind of what an operation answers, or lists, where no member says it.
ANSWERS = {it.lister: kind for kind, it in KINDS.items() if it.lister and it.member == "id"} | {
    "getAlerts": "alert", "getDeviceAlerts": "alert", "getActiveJobs": "job", "getDeviceActiveJobs": "job",
    "getAllUserAndContacts": "anyone", "getTicketLogEntriesByTicketId": None,
    "getOrganization": "organization", "getOrganizationsDetailed": "organization", "getLocations": "location", "getOrganizationLocations": "location",
    "getDevice": "device", "getDevices": "device", "getDevicesDetailed": "device", "getOrganizationDevices": "device", "getDeviceUsage": "device",
    "getGroupDeviceIds": "device", "getNodeRoles": "node role", "getNodeRoles_1": "node role",
    "getContacts_1": "contact", "getContactById": "contact", "getEndUsers": "end user", "getEndUsers_1": "end user", "getEndUser": "end user",
    "getTechnician": "technician", "getUsers": "person", "getClientChecklist": "checklist", "getDocumentTemplate": "document template",
    "getClientKnowledgeBaseArticles": "article", "getGlobalKnowledgeBaseArticles": "article",
    "getClientKnowledgeBaseArticleById": "article", "getGlobalKnowledgeBaseArticleById": "article",
    "getKnowledgeBaseFolderContent": "folder", "getKnowledgeBaseFolderPathContent": "folder",
    "getById": "license", "getCustomTabPublicApi": "tab", "getTicketById": "ticket", "getTicketsByBoard": "ticket", "getTicketFormById": "ticket form",
    "getEnabledNotificationChannels": "channel", "fetchScanGroupById": "scan group",
    "getAllRelatedItems": "related item", "getRelatedItemsForHostEntity": "related item", "getRelatedItemsWithEntity": "related item",
    "getRelatedItemsWithEntityType": "related item", "getRelatedItemsWithHostEntityType": "related item",
    "getBillingAccountById": "account", "getBillingAgreementById": "agreement", "getBillingInvoiceById": "invoice", "getBillingProductById": "product",
}

# The kind of a `uid`, by that of the object.
UIDS_OF = dict.fromkeys(("person", "end user", "technician", "contact", "anyone"), "person uid") | {
    "alert": "alert", "job": "job", "device": "device uid",
}

# An id whose kind another member of the same object tells.
TOLD_BY = {
    "entityId": ("entityType", "scope"), "relEntityId": ("relEntityType",), "appUserContactId": ("appUserContactType",),
}
ENTITY_KINDS = {
    "ORGANIZATION": "organization", "DOCUMENT": "document", "LOCATION": "location", "NODE": "device", "CHECKLIST": "checklist",
    "KB_DOCUMENT": "article", "END_USER": "end user", "TECHNICIAN": "technician", "CONTACT": "contact", "SOFTWARE_LICENSE": "license",
    "NODE_ROLE": "node role", "USER": "person",
}


@dataclass(frozen=True)
class Reader:
    """How a thing is read: by operations that take its id, any of which will do, or in lists that show it by a member."""

    by_id: tuple = ()
    in_lists: tuple = ()
    member: str = "id"


READERS = {
    "organization": Reader(("getOrganization",)),
    "location": Reader(in_lists=("getLocations",)),
    "device": Reader(("getDevice",)),
    "device uid": Reader(in_lists=("getDevices",), member="uid"),
    "alert": Reader(in_lists=("getAlerts",), member="uid"),
    "job": Reader(in_lists=("getActiveJobs",), member="uid"),
    "node role": Reader(in_lists=("getNodeRoles_1",)),
    "policy": Reader(in_lists=("getPolicies",)),
    "field condition": Reader(("getCustomFieldsPolicyCondition",)),
    "event condition": Reader(("getWindowsEventPolicyCondition",)),
    "field": Reader(("getNodeAttributeByFieldName",), member="name"),
    "unmanaged device": Reader(("getDevice",)),
    "group": Reader(("getGroupDeviceIds",)),
    "channel": Reader(in_lists=("getNotificationChannels",)),
    "script": Reader(in_lists=("getAutomationScripts",)),
    "activity": Reader(in_lists=("getActivities",)),
    "contact": Reader(("getContactById",)),
    "end user": Reader(("getEndUser",)),
    "technician": Reader(("getTechnician",)),
    "person": Reader(in_lists=("getUsers",)),
    "person uid": Reader(in_lists=("getUsers", "getContacts"), member="uid"),
    "end user uid": Reader(in_lists=("getUsers",), member="uid"),
    "contact uid": Reader(in_lists=("getUsers", "getContacts"), member="uid"),
    "user role": Reader(in_lists=("getUserRoles",)),
    "checklist template": Reader(in_lists=("getChecklistTemplates",)),
    "checklist": Reader(("getClientChecklist",)),
    "document template": Reader(("getDocumentTemplate",)),
    "document": Reader(in_lists=("getClientDocumentsWithAttributeValues",), member="documentId"),
    "article": Reader(("getClientKnowledgeBaseArticleById", "getGlobalKnowledgeBaseArticleById")),
    "folder": Reader(("getKnowledgeBaseFolderContent",)),
    "related item": Reader(in_lists=("getAllRelatedItems",)),
    "tag": Reader(in_lists=("getTags",)),
    "license": Reader(("getById",)),
    "tab": Reader(("getCustomTabPublicApi",)),
    "ticket": Reader(("getTicketById",)),
    "ticket form": Reader(("getTicketFormById",)),
    "ticket attribute": Reader(in_lists=("getTicketAttributes",)),
    "ticket status": Reader(in_lists=("getAllStatuses",), member="statusId"),
    "board": Reader(in_lists=("getBoards",)),
    "backup plan": Reader(in_lists=("getBackupJobs",), member="planGuid"),
    "scan group": Reader(("fetchScanGroupById",)),
    "account": Reader(("getBillingAccountById",)),
    "agreement": Reader(("getBillingAgreementById",)),
    "invoice": Reader(("getBillingInvoiceById",)),
    "product": Reader(("getBillingProductById",)),
    "ticket product": Reader(in_lists=("getBillingTicketProductsByTicketId",)),
}
