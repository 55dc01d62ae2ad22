//! Installers of the agent.

use serde_json::json;

use crate::sandbox::{
    answer::{Answer, Answered, bad_request, unknown_in_body},
    call::ApiCall,
    response::SandboxResponse,
    seeded_rng,
    world::{Collection, RecordId, WorldData, integer, text},
};

use super::organizations::location_of;

use Collection::{Locations, Organizations};

/// The type, and how the name of such an installer ends.
const INSTALLERS: [(&str, &str); 10] = [
    ("WINDOWS_MSI", ".msi"),
    ("WINDOWS_ARM64_MSI", "-arm64.msi"),
    ("MAC_DMG", ".dmg"),
    ("MAC_PKG", ".pkg"),
    ("LINUX_DEB", ".deb"),
    ("LINUX_RPM", ".rpm"),
    ("LINUX_ARM64_DEB", "-arm64.deb"),
    ("LINUX_ARMV7A_DEB", "-armv7a.deb"),
    ("LINUX_ARM64_RPM", "-arm64.rpm"),
    ("LINUX_ARMV7A_RPM", "-armv7a.rpm"),
];

pub(super) fn respond(call: &ApiCall<'_>, world: &mut WorldData) -> Option<Answered> {
    Some(match &*call.operation.id {
        "getInstallerForLocation" => for_location(call, world),
        "getInstaller" => generate(call, world),
        _ => return None,
    })
}

fn for_location(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let organization = call.id_of(0, world, Organizations)?;
    let location = location_of(call, world, 1)?;
    let suffix = suffix(call.text_at(2))
        .ok_or_else(|| SandboxResponse::not_found("There is no such installer type"))?;
    Ok(link(world, &organization, &location, suffix))
}

fn generate(call: &ApiCall<'_>, world: &WorldData) -> Answered {
    let body = call.members();
    let organization = integer(&body, "organizationId").map(RecordId::from);
    let organization = organization
        .filter(|id| world.get(Organizations, id).is_some())
        .ok_or_else(|| unknown_in_body(Organizations))?;
    let location = integer(&body, "locationId").map(RecordId::from);
    let location = location
        .filter(|id| {
            let location = world.get(Locations, id);
            location.and_then(|it| it.get("organizationId")) == Some(&organization.to_value())
        })
        .ok_or_else(|| unknown_in_body(Locations))?;
    let suffix = suffix(text(&body, "installerType").or(Some("WINDOWS_MSI")))
        .ok_or_else(|| bad_request("There is no such installer type"))?;
    Ok(link(world, &organization, &location, suffix))
}

fn suffix(installer_type: Option<&str>) -> Option<&'static str> {
    let mut known = INSTALLERS.iter();
    known
        .find(|(name, _)| Some(*name) == installer_type)
        .map(|(_, suffix)| *suffix)
}

/// On another host, as NinjaOne's is.
fn link(world: &WorldData, organization: &RecordId, location: &RecordId, suffix: &str) -> Answer {
    let key = seeded_rng::hash(world.seed, &format!("installer {organization} {location}"));
    let key = seeded_rng::uuid(key);
    let url = format!(
        "https://installers.sandbox.invalid/agent/{key}/NinjaOne-Agent-{organization}-{location}{suffix}"
    );
    Answer::Value(json!({ "url": url }))
}
