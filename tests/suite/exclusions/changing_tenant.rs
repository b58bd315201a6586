//! A tenant whose machines are renamed, set up anew and merged with others from one listing to the next.

use std::time::Duration;

use fleetsweep::mock::{Fault, Kind, MockConfig, QuotaConfig, Rule};
use serde_json::{Value, json};

use crate::names::{Random, id, random_inventory};

/// How often the inventory is listed at most.
const LISTINGS: u64 = 16;

const CANNOT: &str = r#"{"error":{"code":"ClientVersionNotSupported","message":"Too old"}}"#;

/// Time goes by: computers are renamed, set up anew and merged with others.
fn changed(mut inventory: Vec<Random>, rng: &mut fastrand::Rng) -> Vec<Random> {
    for _ in 0..rng.u8(0..8) {
        let other = rng.choice(&inventory).unwrap().clone();
        let n = inventory.len() as u64;
        let one = rng.choice(&mut inventory).unwrap();
        match rng.u8(0..6) {
            0 => one.name = other.name,
            1 => one.entra_id = other.entra_id,
            2..5 => one.merged_into = (one.id != other.id).then_some(other.id),
            _ => {
                let (id, merged_into) = (id(n + 32), None);
                inventory.push(Random {
                    id,
                    merged_into,
                    ..other
                });
            }
        }
    }
    inventory
}

/// What each listing shows.
pub(super) fn inventories(rng: &mut fastrand::Rng) -> Vec<Vec<Random>> {
    let mut now = random_inventory(rng);
    let mut all = Vec::new();
    for _ in 0..LISTINGS {
        all.push(now.clone());
        now = changed(now, rng);
    }
    all
}

fn listing(inventory: &[Random]) -> String {
    let row = |machine: &Random| {
        json!({
            "id": machine.id,
            "computerDnsName": machine.name,
            "aadDeviceId": machine.entra_id,
            "lastSeen": machine.seen.map(|second| format!("2026-01-01T00:00:0{second}Z")),
            "mergedIntoMachineId": machine.merged_into,
        })
    };
    let rows: Vec<Value> = inventory.iter().map(row).collect();
    json!({"@odata.count": rows.len(), "value": rows}).to_string()
}

/// The tenant: scans are over at once, and some machines can be scanned at the second try only.
pub(super) fn config(inventories: &[Vec<Random>], rng: &mut fastrand::Rng) -> MockConfig {
    let listings = (1..).zip(inventories).map(|(nth, inventory)| {
        Rule::new(Fault::Status(200, listing(inventory)))
            .kind(Kind::Machines)
            .nth(nth)
    });
    let hesitating = (0..40).filter(|_| rng.u8(0..5) == 0).map(|n| {
        Rule::new(Fault::Status(400, CANNOT.into()))
            .kind(Kind::Start)
            .machine(&id(n))
            .nth(1)
    });
    MockConfig {
        faults: listings.chain(hesitating).collect(),
        scan_time: Duration::ZERO..=Duration::ZERO,
        quota: QuotaConfig {
            limits: Vec::new(),
            ..QuotaConfig::default()
        },
        ..MockConfig::default()
    }
}

/// One of the ways to write what somebody may call a machine.
pub(super) fn cell(inventories: &[Vec<Random>], rng: &mut fastrand::Rng) -> String {
    let inventory = rng.choice(inventories).unwrap();
    let machine = rng.choice(inventory).unwrap().clone();
    let short = machine.name.split('.').next().unwrap().to_owned();
    let plain = match rng.u8(0..6) {
        0 => machine.id,
        1 => machine.merged_into.unwrap_or(machine.id),
        2 => machine.entra_id.unwrap_or(short),
        3 => short,
        _ => machine.name,
    };
    if rng.bool() {
        plain.to_uppercase()
    } else {
        plain
    }
}
