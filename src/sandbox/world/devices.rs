//! The devices of a new world: a few of each class, with their hardware.

use serde_json::{Value, json};

use crate::sandbox::seeded_rng::SeededRng;

use super::{Collection, Record, WorldData, clock::NOW_SECONDS, record::record};

pub(super) const FIRST_DEVICE: u64 = 101;

pub(super) const DEVICES: u32 = 25;

const DAY: u64 = 86_400;

const GIB: u64 = 1 << 30;

/// A kind of device: class, part of its name, the type that describes it, the role and policy that it has, hardware.
struct DeviceModel {
    class: &'static str,
    short: &'static str,
    /// The description's name for what such a device shows.
    device_type: &'static str,
    role: u64,
    maker: &'static str,
    product: &'static str,
    /// Maker, name, architecture and build.
    os: [&'static str; 4],
    memory_gib: u64,
}

const fn model(
    class: &'static str,
    short: &'static str,
    device_type: &'static str,
    role: u64,
) -> DeviceModel {
    DeviceModel {
        class,
        short,
        device_type,
        role,
        maker: "",
        product: "",
        os: [""; 4],
        memory_gib: 0,
    }
}

const WORKSTATION: DeviceModel = DeviceModel {
    maker: "Dell Inc.",
    product: "OptiPlex 7010",
    os: [
        "Microsoft",
        "Windows 11 Professional Edition",
        "64-bit",
        "26100",
    ],
    memory_gib: 16,
    ..model("WINDOWS_WORKSTATION", "WS", "AgentDevice", 1)
};

const SERVER: DeviceModel = DeviceModel {
    maker: "HPE",
    product: "ProLiant DL360 Gen10",
    os: [
        "Microsoft",
        "Windows Server 2022 Standard Edition",
        "64-bit",
        "20348",
    ],
    memory_gib: 64,
    ..model("WINDOWS_SERVER", "SRV", "AgentDevice", 2)
};

const MAC: DeviceModel = DeviceModel {
    maker: "Apple Inc.",
    product: "MacBookPro18,3",
    os: ["Apple", "macOS 15", "arm64", "24A335"],
    memory_gib: 32,
    ..model("MAC", "MAC", "AgentDevice", 3)
};

const LINUX: DeviceModel = DeviceModel {
    maker: "Supermicro",
    product: "SYS-5019",
    os: [
        "Debian",
        "Debian GNU/Linux 12 (bookworm)",
        "x86_64",
        "6.1.0",
    ],
    memory_gib: 32,
    ..model("LINUX_SERVER", "LNX", "AgentDevice", 4)
};

const SWITCH: DeviceModel = DeviceModel {
    maker: "Aruba",
    product: "2930F",
    ..model("NMS_SWITCH", "SW", "NMSTarget", 5)
};

const VM_HOST: DeviceModel = DeviceModel {
    maker: "Dell Inc.",
    product: "PowerEdge R650",
    memory_gib: 256,
    ..model("VMWARE_VM_HOST", "ESX", "VMHost", 6)
};

const VM_GUEST: DeviceModel = DeviceModel {
    memory_gib: 8,
    ..model("VMWARE_VM_GUEST", "VM", "VMGuest", 7)
};

const WEBSITE: DeviceModel = model("CLOUD_MONITOR_TARGET", "WEB", "CloudMonitorHTTP", 8);

const PHONE: DeviceModel = DeviceModel {
    maker: "Apple Inc.",
    product: "iPhone 15",
    memory_gib: 6,
    ..model("APPLE_IOS", "IOS", "MdmDevice", 9)
};

/// Organization, its short name, its locations, its devices in the order of their ids.
const FLEETS: [(u64, &str, &[u64], &[&DeviceModel]); 3] = [
    (
        2,
        "HDG",
        &[3, 4],
        &[
            &SERVER,
            &WORKSTATION,
            &WORKSTATION,
            &WORKSTATION,
            &MAC,
            &LINUX,
            &WORKSTATION,
            &SWITCH,
            &VM_HOST,
            &VM_GUEST,
            &WORKSTATION,
        ],
    ),
    (
        17,
        "AFS",
        &[18],
        &[
            &SERVER,
            &WORKSTATION,
            &WORKSTATION,
            &WORKSTATION,
            &MAC,
            &LINUX,
            &WORKSTATION,
            &WEBSITE,
        ],
    ),
    (
        23,
        "KES",
        &[24, 25],
        &[&SERVER, &WORKSTATION, &WORKSTATION, &PHONE, &MAC, &LINUX],
    ),
];

pub(super) fn create_devices(world: &mut WorldData, rng: &mut SeededRng) {
    let mut ids = FIRST_DEVICE..;
    for (organization, short, locations, models) in FLEETS {
        let places = locations.iter().cycle().skip(1);
        for ((turn, model), (location, id)) in (1..).zip(models).zip(places.zip(&mut ids)) {
            let name = format!("{short}-{}-{turn:02}", model.short);
            let mut device = common(rng, &name, model);
            device.insert("id".to_owned(), id.into());
            device.insert("organizationId".to_owned(), organization.into());
            device.insert("locationId".to_owned(), (*location).into());
            device.insert(
                "ipAddresses".to_owned(),
                json!([format!("10.{organization}.0.{}", id - 91)]),
            );
            device.insert(
                "publicIP".to_owned(),
                format!("203.0.113.{organization}").into(),
            );
            device.extend(particulars(rng, &name, id, model));
            // A new world has room.
            let _ = world.put(Collection::Devices, device);
        }
    }
}

/// What devices of all classes have.
fn common(rng: &mut SeededRng, name: &str, model: &DeviceModel) -> Record {
    let offline = rng.below(5) == 0;
    let silent = if offline {
        3_600 + rng.below(600_000)
    } else {
        rng.below(120)
    };
    let last_contact = NOW_SECONDS - u64::from(silent);
    let hardware_address = rng.next_u64();
    record(json!({
        "uid": rng.uuid(),
        "nodeClass": model.class,
        "deviceType": model.device_type,
        "nodeRoleId": model.role,
        "rolePolicyId": model.role,
        "policyId": model.role,
        "approvalStatus": "APPROVED",
        "offline": offline,
        "displayName": name,
        "systemName": name,
        "netbiosName": name,
        "dnsName": format!("{}.example.com", name.to_lowercase()),
        "created": NOW_SECONDS - DAY * u64::from(100 + rng.below(600)),
        "lastContact": last_contact,
        "lastUpdate": last_contact - u64::from(rng.below(3_600)),
        "macAddresses": [format!(
            "02:00:5E:{:02X}:{:02X}:{:02X}",
            (hardware_address >> 16) & 255,
            (hardware_address >> 8) & 255,
            hardware_address & 255
        )],
    }))
}

/// What only devices of this class have.
fn particulars(rng: &mut SeededRng, name: &str, id: u64, model: &DeviceModel) -> Record {
    let serial = format!("SBX{:07}", rng.next_u64() % 10_000_000);
    let booted = NOW_SECONDS - u64::from(rng.below(2_000_000));
    let memory = model.memory_gib * GIB;
    let particulars = match model.device_type {
        "AgentDevice" => computer(rng, name, &serial, booted, model),
        "VMHost" => json!({
            "name": name,
            "model": model.product,
            "vendor": model.maker,
            "serviceTag": serial,
            "cpuModel": "Intel(R) Xeon(R) Gold 6338",
            "cpuMhz": 2000,
            "cpuPackages": 2,
            "cpuCores": 64,
            "cpuThreads": 128,
            "htActive": true,
            "htAvailable": true,
            "memorySize": memory,
            "lastBootTime": booted,
            "releaseName": "VMware ESXi 8.0",
            "version": "8.0.3",
            "buildNumber": "24280767",
        }),
        "VMGuest" => json!({
            "parentDeviceId": id - 1,
            "fullName": name,
            "files": format!("[datastore1] {name}/{name}.vmx"),
            "powerState": "poweredOn",
            "cpuCores": 4,
            "coresPerSocket": 2,
            "memorySize": memory,
            "lastBootTime": booted,
            "guestOSFullName": "Microsoft Windows Server 2022 (64-bit)",
            "guestOSFamily": "windowsGuest",
            "guestOSId": "windows2019srvNext_64Guest",
            "toolStatus": "toolsOk",
            "toolsVersion": "12389",
        }),
        "CloudMonitorHTTP" => json!({
            "enabled": true,
            "interval": 300,
            "timeout": 10,
            "target": "https://www.example.com/",
        }),
        "MdmDevice" => json!({
            "system": {
                "displayName": name,
                "name": name,
                "manufacturer": model.maker,
                "model": model.product,
                "serialNumber": serial,
                "build": "22A3354",
            },
            "memory": {"capacity": memory},
            "network": [{"carrier": "Example Mobile", "phoneNumber": "+44 7700 900123"}],
        }),
        _ => json!({}),
    };
    record(particulars)
}

/// A machine that runs the agent.
fn computer(
    rng: &mut SeededRng,
    name: &str,
    serial: &str,
    booted: u64,
    model: &DeviceModel,
) -> Value {
    let memory = model.memory_gib * GIB;
    json!({
        "os": operating_system(rng, model, booted),
        "system": {
            "name": name,
            "manufacturer": model.maker,
            "model": model.product,
            "serialNumber": serial,
            "biosSerialNumber": serial,
            "domain": "WORKGROUP",
            "numberOfProcessors": 1,
            "totalPhysicalMemory": memory,
            "chassisType": if model.class == "MAC" { "LAPTOP" } else { "DESKTOP" },
        },
        "memory": {"capacity": memory},
        "processors": [processor(model)],
        "volumes": volumes(rng, model),
        "lastLoggedInUser": format!("user{}", rng.below(40) + 1),
    })
}

fn operating_system(rng: &mut SeededRng, model: &DeviceModel, booted: u64) -> Value {
    let [maker, name, architecture, build] = model.os;
    json!({
        "manufacturer": maker,
        "name": name,
        "architecture": architecture,
        "buildNumber": build,
        "lastBootTime": booted,
        "locale": "en-GB",
        "language": "English",
        "needsReboot": rng.below(6) == 0,
    })
}

fn processor(model: &DeviceModel) -> Value {
    let (name, architecture, cores) = match model.class {
        "MAC" => ("Apple M1 Pro", "arm64", 8),
        "WINDOWS_WORKSTATION" => ("13th Gen Intel(R) Core(TM) i5-13500", "x64", 14),
        _ => ("Intel(R) Xeon(R) Silver 4314", "x64", 16),
    };
    json!({
        "name": name,
        "architecture": architecture,
        "numCores": cores,
        "numLogicalCores": cores * 2,
        "clockSpeed": 2_400_000_000_u64,
        "maxClockSpeed": 4_800_000_000_u64,
    })
}

fn volumes(rng: &mut SeededRng, model: &DeviceModel) -> Value {
    let capacity = 512 * GIB;
    let free = capacity / 100 * u64::from(5 + rng.below(80));
    let is_windows = model.class.starts_with("WINDOWS");
    let (name, file_system) = match model.class {
        "MAC" => ("/", "apfs"),
        "LINUX_SERVER" => ("/", "ext4"),
        _ => ("C:", "NTFS"),
    };
    let protection = if is_windows {
        "PROTECTED"
    } else {
        "UNPROTECTED"
    };
    json!([{
        "name": name,
        "driveLetter": if is_windows { name } else { "" },
        "label": "System",
        "deviceType": "Local Disk",
        "fileSystem": file_system,
        "autoMount": true,
        "capacity": capacity,
        "freeSpace": free,
        "serialNumber": format!("{:08X}", rng.next_u64() & 0xffff_ffff),
        "bitLockerStatus": {
            "conversionStatus": if is_windows { "FULLY_ENCRYPTED" } else { "FULLY_DECRYPTED" },
            "encryptionMethod": if is_windows { "XTS_AES_256" } else { "NONE" },
            "protectionStatus": protection,
            "lockStatus": "UNLOCKED",
            "initializedForProtection": is_windows,
        },
    }])
}
