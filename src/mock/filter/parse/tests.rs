use super::*;

const GUID: &str = "11111111-2222-3333-4444-555555555555";

struct Sample {
    tags: Vec<String>,
}

impl Row for Sample {
    const FIELDS: &'static [(&'static str, Type)] = &[
        ("id", Type::Text),
        ("status", Type::Text),
        ("requestor", Type::Text),
        ("creationDateTimeUtc", Type::Time),
        ("machineTags", Type::Texts),
        ("aadDeviceId", Type::Text),
        ("rbacGroupId", Type::Number),
    ];

    fn value(&self, field: &str) -> Value<'_> {
        match field {
            "id" => Value::Text("ab".into()),
            "status" => Value::Text("Pending".into()),
            "creationDateTimeUtc" => Value::Time("2024-10-21T11:26:49.6894208Z".parse().unwrap()),
            "aadDeviceId" => Value::Text(GUID.into()),
            "rbacGroupId" => Value::Number(140),
            "machineTags" => Value::Texts(&self.tags),
            _ => Value::Null,
        }
    }
}

#[test]
fn filters_mean_what_odata_says() {
    let table = [
        ("id eq 'ab'", true),
        ("id ne 'ab'", false),
        ("id in ('x','ab')", true),
        ("id in ('x')", false),
        ("id gt 'aa' and id lt 'ac'", true),
        ("requestor eq null", true),
        ("requestor ne 'it''s me'", true),
        ("requestor gt 'a'", false),
        ("creationDateTimeUtc ge 2024-10-21T11:26:49.6894208Z", true),
        ("creationDateTimeUtc gt 2024-10-21T11:26:49.6894208Z", false),
        (
            "creationDateTimeUtc eq '2024-10-21T13:26:49.6894208+02:00'",
            true,
        ),
        ("creationDateTimeUtc lt 2024-10-22", true),
        ("creationDateTimeUtc le 2024-10-21", false),
        // `and` binds tighter than `or`, `not` tighter than both.
        ("id eq 'ab' or id eq 'x' and status eq 'x'", true),
        ("(id eq 'ab' or id eq 'x') and status eq 'x'", false),
        ("not id eq 'x' and status eq 'Pending'", true),
        ("not (id eq 'ab' or status eq 'x')", false),
        ("  ( ( not(id eq 'x') ) )  ", true),
        (
            "startswith(id,'a') and endswith(id,'b') and contains(status,'end')",
            true,
        ),
        ("machineTags/any(tag: tag eq 'kiosk')", true),
        ("machineTags/any(t:t in ('x','y'))", false),
        // As real clients write them.
        ("ID EQ 'ab' AND Status Ne 'x'", true),
        (
            "tolower(status) eq 'pending' and contains(tolower(status),'pend')",
            true,
        ),
        ("creationDateTimeUtc gt 2024-10-21Z", true),
        ("aadDeviceId eq 11111111-2222-3333-4444-555555555555", true),
        ("rbacGroupId eq 140 and rbacGroupId lt 141", true),
        ("rbacGroupId in (1,2)", false),
    ];
    let sample = Sample {
        tags: vec!["pilot".to_owned(), "kiosk".to_owned()],
    };
    for (text, admitted) in table {
        let filter =
            Filter::parse::<Sample>(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(filter.admits(&sample), admitted, "{text}");
    }
}

#[test]
fn a_filter_that_cannot_be_read_is_an_error() {
    let deep = format!("{}id eq 'x'", "(".repeat(100_000));
    let knotted = format!("{}id eq 'x'", "not ".repeat(100_000));
    let table = [
        "",
        "id",
        "id eq",
        "id eq ab",
        "id eq 'ab",
        "id like 'ab'",
        "id eq 'ab' and",
        "id eq 'ab' id eq 'x'",
        "(id eq 'ab'",
        "id in ()",
        "id in ('a'",
        "color eq 'red'",
        "creationDateTimeUtc ge 'yesterday'",
        "creationDateTimeUtc ge 2024-13-21T11:26:49Z",
        "startswith(creationDateTimeUtc,'2')",
        "machineTags eq 'x'",
        "machineTags/all(t: t eq 'x')",
        "id eq 'a' ; drop",
        "rbacGroupId eq 'many'",
        "tolower(creationDateTimeUtc) eq 'x'",
        "id/any(t: t eq 'x')",
        "machineTags/any(t: u eq 'x')",
        &deep,
        &knotted,
    ];
    for text in table {
        assert!(Filter::parse::<Sample>(text).is_err(), "{text}");
    }
}
