//! What is found on the devices of a new world that have an agent: patches, services, disks, interfaces and the like.
//!
//! Each part is a member of the device's record, so that reports, devices and actions see the same.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::sandbox::seeded_rng::{SeededRng, hash, uuid};

use super::{
    Collection, Record, RecordId, WorldData,
    clock::NOW_SECONDS,
    record::{integer, record, text},
};

const DAY: u64 = 86_400;

/// As many patches of a list are pending; the others are installed.
const PENDING_OS_PATCHES: usize = 3;

const PENDING_SOFTWARE_PATCHES: usize = 2;

/// The device on which malware was found.
const INFECTED_DEVICE: u64 = 113;

/// Services, patches and programs by kind: the same in every world.
static PARTS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("device_parts.json")).unwrap_or_default());

/// The list at a path of `device_parts.json`.
pub(super) fn list(pointer: &str) -> &'static [Value] {
    PARTS
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Gives every device with an agent its parts.
pub(super) fn equip_devices(world: &mut WorldData) {
    let seed = world.seed;
    let products: Vec<Record> = world.all(Collection::SoftwareProducts).cloned().collect();
    let agents: Vec<(RecordId, Record)> = world
        .all(Collection::Devices)
        .filter(|it| text(it, "deviceType") == Some("AgentDevice"))
        .filter_map(|it| Some((integer(it, "id")?.into(), parts(it, seed, &products))))
        .collect();
    for (id, parts) in agents {
        if let Some(device) = world.get_mut(Collection::Devices, &id) {
            device.extend(parts);
        }
    }
}

fn parts(device: &Record, seed: u64, products: &[Record]) -> Record {
    let id = integer(device, "id").unwrap_or_default();
    let mut rng = SeededRng::new(hash(seed, &format!("parts of {id}")));
    let class = text(device, "nodeClass").unwrap_or_default();
    let family = class.split('_').next().unwrap_or_default();
    let (os_patches, os_patch_installs) = os_patches(&mut rng, seed, family);
    let (software_patches, software_patch_installs) = software_patches(&mut rng, seed, products);
    let mut parts = record(json!({
        "osPatches": os_patches,
        "osPatchInstalls": os_patch_installs,
        "softwarePatches": software_patches,
        "softwarePatchInstalls": software_patch_installs,
        "disks": [disk(&mut rng, device, family)],
        "networkInterfaces": [network_interface(device, family)],
        "lastLogon": NOW_SECONDS - u64::from(rng.below(200_000)),
        "policyOverrides": if id.is_multiple_of(7) { json!(["PATCH_MANAGEMENT"]) } else { json!([]) },
    }));
    if family == "WINDOWS" {
        parts.insert(
            "windowsServices".to_owned(),
            list("/windowsServices").into(),
        );
        parts.insert("antivirus".to_owned(), antivirus(&mut rng));
        parts.insert("antivirusThreats".to_owned(), threats(id));
    }
    if class == "WINDOWS_SERVER" {
        parts.extend(raid(&mut rng));
    }
    parts
}

/// The pending ones, and those that an installation was attempted of.
fn os_patches(rng: &mut SeededRng, seed: u64, family: &str) -> (Value, Value) {
    let patches = list(&format!("/osPatches/{family}"));
    let named = patches.iter().map(|it| {
        let mut patch = record(it.clone());
        let name = text(&patch, "name").unwrap_or_default();
        let id = uuid(hash(seed, name));
        patch.insert("id".to_owned(), id.into());
        patch
    });
    divided(rng, named.collect(), PENDING_OS_PATCHES)
}

fn software_patches(rng: &mut SeededRng, seed: u64, products: &[Record]) -> (Value, Value) {
    let named = list("/softwarePatches")
        .iter()
        .enumerate()
        .map(|(index, it)| {
            let mut patch = record(it.clone());
            let title = text(&patch, "title").unwrap_or_default().to_owned();
            let product = product_of(&title, index, products)
                .unwrap_or_else(|| uuid(hash(seed, &format!("product of {title}"))).into());
            patch.insert("productIdentifier".to_owned(), product);
            patch.insert("id".to_owned(), uuid(hash(seed, &title)).into());
            patch
        });
    divided(rng, named.collect(), PENDING_SOFTWARE_PATCHES)
}

/// The id of the product that a patch is for: the one of that name, or else another one.
fn product_of(title: &str, index: usize, products: &[Record]) -> Option<Value> {
    let of_name = products
        .iter()
        .find(|it| text(it, "productName").is_some_and(|name| title.starts_with(name)));
    let other = || products.get(index.checked_rem(products.len())?);
    of_name.or_else(other)?.get("id").cloned()
}

fn divided(rng: &mut SeededRng, patches: Vec<Record>, pending: usize) -> (Value, Value) {
    let (mut waiting, mut attempted) = (Vec::new(), Vec::new());
    for (index, mut patch) in patches.into_iter().enumerate() {
        let at = NOW_SECONDS - DAY * u64::from(1 + rng.below(40));
        let status = match (index < pending, rng.below(6)) {
            (true, 0..=2) => "MANUAL",
            (true, 3) => "APPROVED",
            (true, 4) => "REJECTED",
            (true, _) | (false, 0) => "FAILED",
            (false, _) => "INSTALLED",
        };
        let was_attempted = matches!(status, "FAILED" | "INSTALLED");
        patch.insert("status".to_owned(), status.into());
        patch.insert(
            "installedAt".to_owned(),
            if was_attempted { at } else { 0 }.into(),
        );
        if status != "INSTALLED" {
            waiting.push(Value::Object(patch.clone()));
        }
        if was_attempted {
            attempted.push(Value::Object(patch));
        }
    }
    (waiting.into(), attempted.into())
}

fn disk(rng: &mut SeededRng, device: &Record, family: &str) -> Value {
    let volume = device.get("volumes").and_then(|it| it.get(0));
    let (name, interface, model) = match family {
        "WINDOWS" => ("\\\\.\\PHYSICALDRIVE0", "SCSI", "Samsung SSD 980 PRO 500GB"),
        "MAC" => ("disk0", "NVMe", "APPLE SSD AP0512R"),
        _ => ("/dev/sda", "SATA", "INTEL SSDSC2KB480G8"),
    };
    json!({
        "name": name,
        "description": "Disk drive",
        "model": model,
        "manufacturer": "(Standard disk drives)",
        "interfaceType": interface,
        "mediaType": "Fixed hard disk media",
        "bytesPerSector": 512,
        "partitionCount": 3,
        "serialNumber": format!("S{:012X}", rng.next_u64() & 0xffff_ffff_ffff),
        "size": volume.and_then(|it| it.get("capacity")),
        "smartCapable": true,
        "status": "OK",
    })
}

fn network_interface(device: &Record, family: &str) -> Value {
    let (name, adapter, index) = match family {
        "WINDOWS" => ("Ethernet", "Intel(R) Ethernet Connection I219-LM", "12"),
        "MAC" => ("en0", "Wi-Fi", "5"),
        _ => (
            "eth0",
            "Intel Corporation I210 Gigabit Network Connection",
            "2",
        ),
    };
    let organization = integer(device, "organizationId").unwrap_or_default();
    json!({
        "adapterName": adapter,
        "interfaceName": name,
        "interfaceIndex": index,
        "interfaceType": "ETHERNET",
        "ipAddress": device.get("ipAddresses"),
        "macAddress": device.get("macAddresses"),
        "subnetMask": "255.255.255.0",
        "defaultGateway": format!("10.{organization}.0.1"),
        "dnsServers": format!("10.{organization}.0.1"),
        "dnsHostName": text(device, "dnsName"),
        "linkSpeed": "1000000000",
        "mtu": "1500",
        "status": "UP",
    })
}

fn antivirus(rng: &mut SeededRng) -> Value {
    let is_on = rng.below(9) > 0;
    json!([{
        "productName": "Microsoft Defender Antivirus",
        "productState": if is_on { "ON" } else { "OFF" },
        "definitionStatus": if is_on { "Up-to-Date" } else { "Out-of-Date" },
        "version": "4.18.26100.3",
    }])
}

fn threats(id: u64) -> Value {
    if id != INFECTED_DEVICE {
        return json!([]);
    }
    let threat = |name, status, number: u32| {
        json!({
            "name": name,
            "status": status,
            "type": "MALWARE",
            "category": "Trojan",
            "level": "SEVERE",
            "detectionSource": "REAL_TIME",
            "productCode": "WINDOWS_DEFENDER",
            "quarantineId": format!("{{{}}}", uuid(u64::from(number))),
            "threatId": number,
            "traceList": format!("file:_C:\\Users\\Public\\Downloads\\{name}.exe"),
        })
    };
    json!([
        threat("Trojan-EICAR-Test-File", "QUARANTINED", 2_147_519_003),
        threat("PUA-Win32-Example", "BLOCKED", 311_978),
    ])
}

fn raid(rng: &mut SeededRng) -> Record {
    let drive = |rng: &mut SeededRng, slot: u32| {
        json!({
            "controllerIndex": 0,
            "driveGroup": "0",
            "driveId": slot.to_string(),
            "interfaceType": "SAS",
            "location": format!("252:{slot}"),
            "mediaType": "HDD",
            "model": "ST1200MM0099",
            "protectionInfo": "N",
            "selfEncrypted": false,
            "serial": format!("WFK{:05X}", rng.next_u64() & 0xf_ffff),
            "size": 1_200_000_000_000_u64,
            "spun": true,
            "status": "ONLINE",
        })
    };
    record(json!({
        "raidControllers": [{
            "controllerIndex": 0,
            "manufacturer": "Broadcom",
            "model": "MegaRAID 9361-8i",
            "family": "MegaRAID",
            "slot": "1",
            "biosVersion": "6.36.00.3",
            "firmwareVersion": "4.680.00-8527",
            "driverName": "megasas2.sys",
            "driverVersion": "6.714.18.00",
            "hardwareRevision": "C0",
            "cacheSize": 1024,
            "backupBatteryStatus": "OPTIMAL",
            "batteryTemperature": 27,
            "manufacturingDate": 1_577_836_800,
            "physicalDriveCount": 2,
            "virtualDriveCount": 1,
            "systemHealthStatus": "OPTIMAL",
        }],
        "raidDrives": [drive(rng, 0), drive(rng, 1)],
    }))
}
