//! The collections of the world, and what identifies the records of each.

use super::record::RecordId;

/// How the ids of a collection look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum IdKind {
    Number,
    /// A UUID, or another text that whoever creates the record chooses.
    Uid,
}

macro_rules! collections {
    ($($variant:ident: $name:literal, $noun:literal, $member:literal, $kind:ident;)*) => {
        /// A kind of record.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(in crate::sandbox) enum Collection {
            $($variant,)*
        }

        impl Collection {
            pub(super) const ALL: [Self; [$(Self::$variant),*].len()] = [$(Self::$variant),*];

            /// As in the files of `seed/`.
            pub(super) const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What one of them is called.
            pub(in crate::sandbox) const fn noun(self) -> &'static str {
                match self {
                    $(Self::$variant => $noun,)*
                }
            }

            /// The member that holds the id.
            pub(in crate::sandbox) const fn id_member(self) -> &'static str {
                match self {
                    $(Self::$variant => $member,)*
                }
            }

            pub(super) const fn id_kind(self) -> IdKind {
                match self {
                    $(Self::$variant => IdKind::$kind,)*
                }
            }
        }
    };
}

collections! {
    Organizations: "organizations", "organization", "id", Number;
    Locations: "locations", "location", "id", Number;
    Devices: "devices", "device", "id", Number;
    NodeRoles: "nodeRoles", "device role", "id", Number;
    Policies: "policies", "policy", "id", Number;
    PolicyConditions: "policyConditions", "policy condition", "id", Uid;
    Users: "users", "user", "id", Number;
    UserRoles: "userRoles", "role", "id", Number;
    Contacts: "contacts", "contact", "id", Number;
    Alerts: "alerts", "alert", "uid", Uid;
    Activities: "activities", "activity", "id", Number;
    Jobs: "jobs", "job", "uid", Uid;
    Scripts: "scripts", "script", "id", Number;
    Groups: "groups", "group", "id", Number;
    ScheduledTasks: "scheduledTasks", "scheduled task", "id", Number;
    NotificationChannels: "notificationChannels", "notification channel", "id", Number;
    SoftwareProducts: "softwareProducts", "software product", "id", Uid;
    Webhooks: "webhooks", "webhook", "id", Number;
    CustomFields: "customFields", "custom field", "name", Uid;
    CustomFieldValues: "customFieldValues", "entity with custom fields", "key", Uid;
    CustomTabs: "customTabs", "custom tab", "id", Number;
    Boards: "boards", "board", "id", Number;
    TicketForms: "ticketForms", "ticket form", "id", Number;
    TicketStatuses: "ticketStatuses", "ticket status", "statusId", Number;
    TicketAttributes: "ticketAttributes", "ticket attribute", "id", Number;
    Tickets: "tickets", "ticket", "id", Number;
    TicketLogEntries: "ticketLogEntries", "log entry", "id", Number;
    DocumentTemplates: "documentTemplates", "document template", "id", Number;
    Documents: "documents", "document", "documentId", Number;
    Articles: "articles", "article", "id", Number;
    Folders: "folders", "folder", "id", Number;
    RelatedItems: "relatedItems", "related item", "id", Number;
    Credentials: "credentials", "credential", "id", Number;
    Files: "files", "file", "id", Number;
    ChecklistTemplates: "checklistTemplates", "checklist template", "id", Number;
    Checklists: "checklists", "checklist", "id", Number;
    Tags: "tags", "tag", "id", Number;
    BackupJobs: "backupJobs", "backup job", "jobId", Uid;
    IntegrityCheckJobs: "integrityCheckJobs", "integrity check job", "jobId", Uid;
    ScanGroups: "scanGroups", "scan group", "id", Number;
    SoftwareLicenses: "softwareLicenses", "software license", "id", Number;
    AssetRelationships: "assetRelationships", "asset relationship", "relationId", Number;
    AssetRelationshipTypes: "assetRelationshipTypes", "asset relationship type", "id", Number;
    BillingAccounts: "billingAccounts", "account", "id", Number;
    BillingAgreements: "billingAgreements", "agreement", "id", Number;
    BillingInvoices: "billingInvoices", "invoice", "id", Number;
    BillingProducts: "billingProducts", "product", "id", Number;
    BillingTicketProducts: "billingTicketProducts", "ticket product", "id", Number;
    BillingTimeEntries: "billingTimeEntries", "time entry", "id", Number;
}

impl Collection {
    /// Its records have a UUID in `uid`, besides the id.
    pub(super) const fn has_uid(self) -> bool {
        matches!(
            self,
            Self::Users | Self::Contacts | Self::Boards | Self::Scripts
        )
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// The id that a text of a path means, if it can be one of this collection.
    pub(in crate::sandbox) fn parse_id(self, text: &str) -> Option<RecordId> {
        match self.id_kind() {
            IdKind::Number => text.parse().ok().map(RecordId::Number),
            IdKind::Uid => Some(RecordId::Text(text.into())),
        }
    }
}
