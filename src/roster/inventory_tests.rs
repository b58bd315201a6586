use super::*;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const C: &str = "cccccccccccccccccccccccccccccccccccccccc";
const GUID: &str = "2f1b3c4d-0000-4abc-8def-001122334455";

fn machine<'a>(id: &'a str, name: &'a str) -> Listed<'a> {
    Listed {
        id,
        dns_name: Some(name),
        ..Listed::default()
    }
}

fn inventory<'a>(listed: impl IntoIterator<Item = Listed<'a>>) -> Inventory {
    let mut builder = InventoryBuilder::default();
    for machine in listed {
        builder.add(machine);
    }
    builder.build()
}

fn ids(found: &[Candidate<'_>]) -> Vec<String> {
    found.iter().map(|one| one.id.to_owned()).collect()
}

#[test]
fn a_short_name_fits_every_domain_and_a_long_one_only_its_own() {
    let tenant = inventory([
        machine(A, "Web-1.corp.example"),
        machine(B, "web-1.lab.example"),
    ]);
    assert_eq!(ids(&tenant.by_text("WEB-1")), [A, B]);
    assert_eq!(ids(&tenant.by_text("web-1.LAB.example.")), [B]);
    assert_eq!(ids(&tenant.by_text("web-1$")), [A, B]);
    assert!(tenant.by_text("web-1.example").is_empty() && tenant.by_text("web").is_empty());
    assert_eq!(tenant.similar("web-1.example"), Some("web-1.corp.example"));
    assert_eq!(tenant.similar("web-2"), None);
}

#[test]
fn an_entra_id_is_found_in_any_case_and_zero_is_none() {
    let registered = Listed {
        entra_id: Some(GUID),
        ..machine(A, "a")
    };
    let zero = "00000000-0000-0000-0000-000000000000";
    let unregistered = Listed {
        entra_id: Some(zero),
        ..machine(B, "b")
    };
    let tenant = inventory([registered, unregistered]);
    assert_eq!(
        ids(&tenant.by_text(&format!("{{{}}}", GUID.to_uppercase()))),
        [A]
    );
    assert!(tenant.by_text(zero).is_empty());
}

#[test]
fn merged_machines_lead_to_the_last_one_and_are_one() {
    let into = |id, into| Listed {
        merged_into: Some(into),
        ..machine(id, "pc")
    };
    let tenant = inventory([into(A, B), into(B, C), machine(C, "pc")]);
    assert_eq!(ids(&tenant.by_text("pc")), [C]);
    assert_eq!(tenant.by_text("pc")[0].merged_from, None);
    let first = tenant.by_id(&A.to_uppercase()).unwrap();
    assert_eq!((first.id, first.merged_from), (C, Some(A)));
    let unlisted = inventory([into(A, B)]);
    assert_eq!(unlisted.by_id(A).unwrap().id, B, "the service names it");
    let circle = inventory([into(A, B), into(B, A)]);
    assert_eq!(circle.by_id(A).unwrap().id, A, "a circle leads nowhere");
}

#[test]
fn candidates_are_named_newest_first_and_not_all() {
    let seen = |id, second| Listed {
        last_seen: Timestamp::from_second(second).ok(),
        ..machine(id, "pc")
    };
    let tenant = inventory([seen(A, 0), seen(B, 86_400), machine(C, "pc")]);
    let found = tenant.by_text("pc");
    assert_eq!(ids(&found), [B, A, C]);
    let words = words(&found);
    assert!(
        words.starts_with(&format!("{B} (pc, last seen 1970-01-02T00:00Z), ")),
        "{words}"
    );
    assert!(words.ends_with("never seen)"), "{words}");
    let many: Vec<_> = found.iter().cycle().take(9).cloned().collect();
    assert!(super::words(&many).ends_with(", 4 more"));
}

#[test]
fn every_id_of_a_machine_is_found_by_each_of_them() {
    let merged = |id, name, into| Listed {
        merged_into: Some(into),
        ..machine(id, name)
    };
    let gone = "dddddddddddddddddddddddddddddddddddddddd";
    let tenant = inventory([
        merged(A, "old-name", B),
        machine(B, "dc-1"),
        merged(C, "dc-2", gone),
    ]);
    for text in [A, B, "old-name", "dc-1"] {
        assert_eq!(tenant.every_id(text), [A, B], "{text}");
    }
    // What it was merged into need not be listed.
    for text in [C, "DC-2", gone] {
        let found = tenant.every_id(text);
        assert!(found.iter().any(|id| id == C), "{text}: {found:?}");
    }
    assert!(tenant.every_id("dc-3").is_empty());
}
