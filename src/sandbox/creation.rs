//! Creates the world from a seed: the same seed gives the same world. Ids and names are fixed; the seed decides who is
//! offline and since when, what happened, and every uid and serial number.

use crate::sandbox::world::{
    Activity, Alert, Device, DeviceDetails, DevicePolicy, Hardware, NOW, OperatingSystem,
    Organization, OrganizationLocation, SupportTicket, UserAccount, WorldData,
};

const DAY: f64 = 86_400.0;

const FIRST_DEVICE: u32 = 101;

const DEVICES: u32 = 25;

const FIRST_ACTIVITY: u64 = 5_001;

const ACTIVITIES: u32 = 480;

const ALERTS: u32 = 7;

/// Id, name, short form for host names, and how many devices.
const ORGANIZATIONS: [(u32, &str, &str, u32); 3] = [
    (2, "Harbour Dental Group", "HDG", 11),
    (17, "Alder & Finch Solicitors", "AFS", 8),
    (23, "Kestrel Logistics", "KES", 6),
];

/// Id, organization, name, address.
const LOCATIONS: [(u32, u32, &str, &str); 5] = [
    (3, 2, "Quayside Surgery", "4 Quayside, Portmere"),
    (4, 2, "Hill Road Surgery", "112 Hill Road, Portmere"),
    (18, 17, "Chambers", "9 Priory Lane, Aldham"),
    (24, 23, "Depot", "Unit 6, Northgate, Kestrel Park"),
    (25, 23, "Head Office", "31 Mill Street, Kestrel Park"),
];

/// A kind of device: class, part of the host name, operating system, hardware.
struct DeviceModel {
    class: &'static str,
    short: &'static str,
    policy: u32,
    os: OperatingSystem,
    maker: &'static str,
    product: &'static str,
}

const fn os(manufacturer: &'static str, name: &'static str, arch: &'static str) -> OperatingSystem {
    OperatingSystem {
        manufacturer,
        name,
        architecture: arch,
        needs_reboot: false,
    }
}

const MODELS: [DeviceModel; 4] = [
    DeviceModel {
        class: "WINDOWS_WORKSTATION",
        short: "WS",
        policy: 1,
        os: os("Microsoft", "Windows 11 Professional Edition", "64-bit"),
        maker: "Dell Inc.",
        product: "OptiPlex 7010",
    },
    DeviceModel {
        class: "WINDOWS_SERVER",
        short: "SRV",
        policy: 2,
        os: os(
            "Microsoft",
            "Windows Server 2022 Standard Edition",
            "64-bit",
        ),
        maker: "HPE",
        product: "ProLiant DL360 Gen10",
    },
    DeviceModel {
        class: "MAC",
        short: "MAC",
        policy: 3,
        os: os("Apple", "macOS 15", "arm64"),
        maker: "Apple Inc.",
        product: "MacBookPro18,3",
    },
    DeviceModel {
        class: "LINUX_SERVER",
        short: "LNX",
        policy: 4,
        os: os("Debian", "Debian GNU/Linux 12 (bookworm)", "x86_64"),
        maker: "Supermicro",
        product: "SYS-5019",
    },
];

/// Which kind the devices of an organization are, in turn.
const MODEL_SEQUENCE: [usize; 8] = [1, 0, 0, 0, 2, 3, 0, 0];

const POLICIES: [(&str, &str); 4] = [
    ("Windows Workstations", "WINDOWS_WORKSTATION"),
    ("Windows Servers", "WINDOWS_SERVER"),
    ("Macs", "MAC"),
    ("Linux Servers", "LINUX_SERVER"),
];

/// First name, last name, the organization of an end user.
const USERS: [(&str, &str, Option<u32>); 6] = [
    ("Robin", "Example", None),
    ("Sam", "Sample", None),
    ("Noor", "Tester", None),
    ("Alex", "Dentist", Some(2)),
    ("Kim", "Solicitor", Some(17)),
    ("Jo", "Driver", Some(23)),
];

/// Type, severity, priority, source, message.
const ALERT_KINDS: [(&str, &str, &str, &str, &str); 3] = [
    (
        "CONDITION_AGENT_DISK_FREE_SPACE",
        "MAJOR",
        "HIGH",
        "Disk space",
        "Less than 10 % of C: is free.",
    ),
    (
        "AGENT_OFFLINE",
        "CRITICAL",
        "HIGH",
        "Down",
        "The device has been offline for more than an hour.",
    ),
    (
        "CONDITION_AGENT_CPU",
        "MODERATE",
        "MEDIUM",
        "Processor",
        "The processor has been busy for 30 minutes.",
    ),
];

/// Type, status code, status, what is said.
const ACTIVITY_KINDS: [(&str, &str, &str, &str); 4] = [
    (
        "PATCH_MANAGEMENT",
        "COMPLETED",
        "Completed",
        "The scan for patches has completed.",
    ),
    (
        "SYSTEM",
        "NODE_UPDATED",
        "Updated",
        "The inventory was updated.",
    ),
    (
        "CONDITION",
        "TRIGGERED",
        "Triggered",
        "A condition was met.",
    ),
    (
        "ACTIONSET",
        "COMPLETED",
        "Completed",
        "The scheduled automation has completed.",
    ),
];

/// A stream of numbers that looks random and is the same for the same seed.
struct SeededRng(u64);

impl SeededRng {
    /// A Weyl sequence put through the finalizer of `MurmurHash3` in the variant known as `SplitMix64`.
    const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// From 0 to `sides` - 1.
    fn below(&mut self, sides: u32) -> u32 {
        u32::try_from(self.next_u64() % u64::from(sides.max(1))).unwrap_or_default()
    }

    /// The form of a version 4 UUID.
    fn uid(&mut self) -> String {
        let (high, low) = (self.next_u64(), self.next_u64());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | ((low >> 48) & 0x3fff),
            low & 0xffff_ffff_ffff,
        )
    }
}

/// Every bit of the result depends on every bit of `number`.
pub(super) const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

pub(super) fn create(seed: u64) -> WorldData {
    let mut dice = SeededRng(seed);
    let devices = devices(&mut dice);
    WorldData {
        organizations: ORGANIZATIONS.iter().map(organization).collect(),
        locations: LOCATIONS.iter().map(location).collect(),
        policies: policies(),
        users: users(&mut dice),
        alerts: alerts(&mut dice),
        activities: activities(&mut dice),
        tickets: tickets(),
        devices,
    }
}

fn organization(&(id, name, short, _): &(u32, &str, &str, u32)) -> Organization {
    Organization {
        id,
        name: name.to_owned(),
        description: format!("Made up by the sandbox ({short})"),
        node_approval_mode: "AUTOMATIC",
    }
}

fn location(
    &(id, organization_id, name, address): &(u32, u32, &str, &str),
) -> OrganizationLocation {
    OrganizationLocation {
        id,
        name: name.to_owned(),
        address: address.to_owned(),
        description: String::new(),
        organization_id,
    }
}

fn devices(dice: &mut SeededRng) -> Vec<Device> {
    let mut devices = Vec::new();
    let mut id = FIRST_DEVICE;
    for (organization, _, short, count) in ORGANIZATIONS {
        let homes: Vec<u32> = LOCATIONS
            .iter()
            .filter(|location| location.1 == organization)
            .map(|location| location.0)
            .collect();
        for (turn, kind) in (1..=count).zip(MODEL_SEQUENCE.iter().cycle()) {
            let home = homes.iter().cycle().nth(turn as usize).copied();
            let Some(model) = MODELS.get(*kind) else {
                continue;
            };
            let name = format!("{short}-{}-{turn:02}", model.short);
            let index = (organization, home.unwrap_or_default());
            devices.push(device(dice, id, index, &name, model));
            id += 1;
        }
    }
    devices
}

fn device(
    dice: &mut SeededRng,
    id: u32,
    (organization_id, location_id): (u32, u32),
    name: &str,
    model: &DeviceModel,
) -> Device {
    let offline = dice.below(5) == 0;
    let silent = if offline {
        3_600 + dice.below(600_000)
    } else {
        dice.below(120)
    };
    let last_contact = NOW - f64::from(silent);
    Device {
        id,
        uid: dice.uid(),
        organization_id,
        location_id,
        node_class: model.class,
        node_role_id: model.policy,
        role_policy_id: model.policy,
        approval_status: "APPROVED",
        offline,
        display_name: name.to_owned(),
        system_name: name.to_owned(),
        dns_name: format!("{}.example.com", name.to_lowercase()),
        created: NOW - DAY * f64::from(100 + dice.below(600)),
        last_contact,
        last_update: last_contact - f64::from(dice.below(3_600)),
        details: details(dice, id, organization_id, model),
    }
}

fn details(
    dice: &mut SeededRng,
    id: u32,
    organization_id: u32,
    model: &DeviceModel,
) -> DeviceDetails {
    let number = dice.next_u64();
    let host = id - FIRST_DEVICE + 10;
    let mut system = model.os.clone();
    system.needs_reboot = dice.below(6) == 0;
    DeviceDetails {
        ip_addresses: [format!("10.{organization_id}.0.{host}")],
        mac_addresses: [format!(
            "02:00:5E:{:02X}:{:02X}:{:02X}",
            (number >> 16) & 255,
            (number >> 8) & 255,
            number & 255
        )],
        public_ip: format!("203.0.113.{organization_id}"),
        os: system,
        system: Hardware {
            manufacturer: model.maker,
            model: model.product,
            serial_number: format!("SBX{:07}", number % 10_000_000),
        },
        last_logged_in_user: format!("user{}", dice.below(40) + 1),
    }
}

fn policies() -> Vec<DevicePolicy> {
    (1..)
        .zip(POLICIES)
        .map(|(id, (name, node_class))| DevicePolicy {
            id,
            name,
            description: "Made up by the sandbox",
            node_class,
            updated: NOW - 40.0 * DAY,
            node_class_default: true,
        })
        .collect()
}

fn users(dice: &mut SeededRng) -> Vec<UserAccount> {
    (1..)
        .zip(USERS)
        .map(
            |(id, (first_name, last_name, organization_id))| UserAccount {
                id,
                uid: dice.uid(),
                first_name,
                last_name,
                email: format!("{}@example.com", first_name.to_lowercase()),
                enabled: true,
                administrator: id == 1,
                kind: if organization_id.is_some() {
                    "END_USER"
                } else {
                    "TECHNICIAN"
                },
                invitation_status: "REGISTERED",
                organization_id,
            },
        )
        .collect()
}

fn alerts(dice: &mut SeededRng) -> Vec<Alert> {
    (0..ALERTS)
        .zip(ALERT_KINDS.iter().cycle())
        .map(
            |(_, &(source_type, severity, priority, source_name, message))| {
                let since = NOW - f64::from(600 + dice.below(200_000));
                Alert {
                    uid: dice.uid(),
                    device_id: FIRST_DEVICE + dice.below(DEVICES),
                    message: message.to_owned(),
                    create_time: since,
                    update_time: since + 60.0,
                    source_type,
                    source_name,
                    severity,
                    priority,
                }
            },
        )
        .collect()
}

fn activities(dice: &mut SeededRng) -> Vec<Activity> {
    (0..ACTIVITIES)
        .zip(FIRST_ACTIVITY..)
        .map(|(index, id)| {
            let place_of_kind = dice.below(4) as usize;
            let (kind, status_code, status, message) = ACTIVITY_KINDS
                .get(place_of_kind)
                .copied()
                .unwrap_or_default();
            Activity {
                id,
                time: NOW - f64::from((ACTIVITIES - index) * 600),
                device_id: FIRST_DEVICE + dice.below(DEVICES),
                kind,
                status_code,
                status,
                subject: status.to_owned(),
                message: message.to_owned(),
            }
        })
        .collect()
}

fn tickets() -> Vec<SupportTicket> {
    [
        (1001, "Printer does not print", 2),
        (1002, "New starter on Monday", 17),
        (1003, "Scanner is slow", 23),
    ]
    .into_iter()
    .map(|(id, summary, client_id)| SupportTicket {
        id,
        summary: summary.to_owned(),
        client_id,
        status: "OPEN",
        create_time: NOW - 2.0 * DAY,
    })
    .collect()
}
