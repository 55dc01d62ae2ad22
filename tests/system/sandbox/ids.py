"""What the ids in answers mean: the kind of thing behind each member, and the operations that show a thing of that kind."""

from dataclasses import dataclass

from sandbox.kinds import IN_MEMBERS, KINDS, of_kinds

# The kind of an id in an answer: what stands in bodies, and what answers alone show.
IN_ANSWERS = IN_MEMBERS | of_kinds({
    "person uid": "requesterUid uids assignedOwnerUid appUserContactUid",
    "person": "userId createdByUserId updatedByUserId createdByAppUserId updatedByAppUserId",
    "device": "parentDeviceId assignedDeviceIds accessibleDeviceIds",
    "activity": "activityId lastActivityId lastNodeActivityId",
    "ticket": "ticketId parentTicketId",
    "invoice": "invoiceId",
    "ticket status": "parentId",
    "license": "licenseId",
    "document": "clientDocumentId",
    "article": "articleId",
    "folder": "folderId",
})

# The kind of an object, by the member that it stands in.
OBJECTS = of_kinds({
    "organization": "organization organizations",
    "location": "location locations",
    "device": "device devices",
    "policy": "policy rolePolicy",
    "node role": "role",
    "person": (
        "assignedOwner user createdBy updatedBy lastUpdatedBy archivedBy assignedTo completedBy members "
        "techniciansTaggedMetadata"
    ),
    "tag": "tags",
    "tab": "labels tabs",
    "script": "scripts",
    "activity": "activities",
    "agreement": "agreement",
})

# The kind of what an operation answers, or lists, where no member says it.
LISTED = {it.lister: kind for kind, it in KINDS.items() if it.lister and it.member == "id"}
ANSWERS = LISTED | of_kinds({
    "device": "getDevices getDevice getDevicesDetailed getDeviceUsage getGroupDeviceIds",
    "node role": "getNodeRoles_1 getNodeRoles",
    "article": "getGlobalKnowledgeBaseArticles getClientKnowledgeBaseArticleById getGlobalKnowledgeBaseArticleById",
    "alert": "getAlerts getDeviceAlerts",
    "job": "getActiveJobs getDeviceActiveJobs",
    "anyone": "getAllUserAndContacts",
    "organization": "getOrganization getOrganizationsDetailed",
    "location": "getLocations",
    "contact": "getContacts_1 getContactById",
    "end user": "getEndUsers getEndUser",
    "technician": "getTechnician",
    "person": "getUsers",
    "checklist": "getClientChecklist",
    "document template": "getDocumentTemplate",
    "folder": "getKnowledgeBaseFolderContent getKnowledgeBaseFolderPathContent",
    "license": "getById",
    "tab": "getCustomTabPublicApi",
    "ticket": "getTicketById",
    "ticket form": "getTicketFormById",
    "channel": "getEnabledNotificationChannels",
    "scan group": "fetchScanGroupById",
    "related item": (
        "getRelatedItemsForHostEntity getRelatedItemsWithEntity getRelatedItemsWithEntityType "
        "getRelatedItemsWithHostEntityType"
    ),
    "account": "getBillingAccountById",
    "agreement": "getBillingAgreementById",
    "invoice": "getBillingInvoiceById",
    "product": "getBillingProductById",
})
# What is in the list of one ticket alone.
ANSWERS.pop("getTicketLogEntriesByTicketId")
ANSWERS.pop("getBillingTicketProductsByTicketId")

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
