//! What each operation does: one file a family, named as the family is in NinjaOne's description.

mod activities;
mod alerts;
mod asset_relationships;
mod automation;
mod backups;
mod billing;
mod checklist_templates;
mod checklists;
mod contacts;
mod custom_field_reports;
mod custom_field_values;
mod custom_fields;
mod custom_tabs;
mod device_actions;
mod device_health;
mod device_parts;
mod device_search;
mod device_tasks;
mod devices;
mod document_templates;
mod documents;
mod files;
mod geolocation;
mod groups;
mod installers;
mod knowledge_base;
mod knowledge_base_folders;
mod node_roles;
mod organizations;
mod people;
mod policies;
mod query_filters;
mod records;
mod related_items;
mod reports;
mod row_filter;
mod scripts;
mod software;
mod software_licenses;
mod tags;
mod ticket_boards;
mod ticket_rows;
mod tickets;
mod unmanaged_devices;
mod users;
mod vulnerabilities;
mod webhooks;

pub(super) use self::webhooks::webhooks;

use super::{answer::Answered, call::ApiCall, world::WorldData};

/// What a family answers to its operations; `None` to those of others.
type Family = fn(&ApiCall<'_>, &mut WorldData) -> Option<Answered>;

const FAMILIES: [Family; 36] = [
    activities::respond,
    alerts::respond,
    asset_relationships::respond,
    automation::respond,
    backups::respond,
    billing::respond,
    checklist_templates::respond,
    checklists::respond,
    contacts::respond,
    custom_field_reports::respond,
    custom_field_values::respond,
    custom_fields::respond,
    custom_tabs::respond,
    device_actions::respond,
    device_parts::respond,
    device_search::respond,
    devices::respond,
    document_templates::respond,
    documents::respond,
    geolocation::respond,
    groups::respond,
    installers::respond,
    knowledge_base::respond,
    node_roles::respond,
    organizations::respond,
    policies::respond,
    related_items::respond,
    reports::respond,
    scripts::respond,
    software_licenses::respond,
    tags::respond,
    tickets::respond,
    unmanaged_devices::respond,
    users::respond,
    vulnerabilities::respond,
    webhooks::respond,
];

/// The answer to a call. `None`: no family knows the operation.
pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    FAMILIES.iter().find_map(|family| family(call, world))
}
