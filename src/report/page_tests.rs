//! Tests of the page: what is in it, how large it is, and that no text of others is more than text.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::{
    quota::Quota,
    report::{About, Setting},
    store::{
        ActionUpdate, AttemptEnd, DeviceWord, Finding, Identity, NewRow, Progress, Record, Run,
        Store,
    },
};

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

/// What others wrote, in all places where a report shows it.
#[derive(Debug, Clone)]
struct Words {
    name: String,
    message: String,
    status: String,
    title: String,
    file: String,
}

impl Words {
    fn plain() -> Self {
        Self {
            name: "ws-1".to_owned(),
            message: "the service said no".to_owned(),
            status: "Failed".to_owned(),
            title: "A threat".to_owned(),
            file: "fleet.results.csv".to_owned(),
        }
    }
}

/// A campaign of three machines: one with a scan, one that failed, and one that was not reached.
fn campaign(words: &Words, folder: &Path) -> Store {
    let identity = Identity {
        campaign: "ab12cd34ef".into(),
        created: NOW,
        tenant: words.title.clone(),
        api: "https://api.example".into(),
        scan_type: "quick".into(),
        comment: words.message.clone(),
        columns: vec!["Device name".to_owned(), words.title.clone()],
        id_rule: "hex40".to_owned(),
    };
    let mut extra = csv::Writer::from_writer(Vec::new());
    extra.write_record([&*words.name, ""]).unwrap();
    let extra = String::from_utf8(extra.into_inner().unwrap()).unwrap();
    let mut loader = Store::create(&folder.join("a.campaign.db"), &identity).unwrap();
    for n in 1..=3 {
        let row = NewRow {
            n,
            line: n + 1,
            machine_id: ["a1", &words.name, "c3"][usize::try_from(n).unwrap() - 1],
            scan_type: None,
            comment: None,
            priority: None,
            extra: extra.trim_end(),
            ended: None,
            error_code: "",
            left_out: false,
        };
        loader.insert(&row).unwrap();
    }
    let mut store = loader.finish().unwrap();
    let run = run_of(words);
    let run = store.begin_run(&run).unwrap();
    calls_and_waits(words, &mut store, run);
    what_came_after(words, &mut store);
    store
}

/// A run of the campaign.
fn run_of(words: &Words) -> Run {
    Run {
        os_user: words.name.clone(),
        host: words.name.clone(),
        version: "1".to_owned(),
        command: words.message.clone(),
        tenant: words.title.clone(),
        application: words.title.clone(),
        quota: "{}".to_owned(),
        started: NOW,
    }
}

/// Two calls, and how they ended.
fn calls_and_waits(words: &Words, store: &mut Store, run: i64) {
    let ended = |n, outcome| {
        let progress = Progress {
            outcome: Some(outcome),
            attempts: 1,
            http_status: Some(201),
            error_code: words.title.clone(),
            message: words.message.clone(),
            action_id: format!("action {n}"),
            ..Progress::default()
        };
        let end = AttemptEnd {
            number: 1,
            at: NOW,
            verdict: outcome,
            http_status: Some(201),
        };
        Record::Changed {
            n,
            attempt: Some(end),
            progress: Box::new(progress),
        }
    };
    let begun = |n| Record::Begun {
        n,
        number: 1,
        sent: NOW,
        sent_server: None,
    };
    let waited = Record::Waited([(words.title.clone(), 61_000)].into());
    let records = [
        begun(1),
        begun(2),
        ended(1, "accepted"),
        ended(2, "failed"),
        waited,
    ];
    store.commit(run, &records).unwrap();
}

/// The state of a scan, what its device says of it, and an alert.
fn what_came_after(words: &Words, store: &mut Store) {
    let update = ActionUpdate {
        n: 1,
        action_id: "action 1".to_owned(),
        status: words.status.clone(),
        created: String::new(),
    };
    store.update_actions(&[update]).unwrap();
    store.begin_verifying(NOW).unwrap();
    let word = DeviceWord {
        action_id: "action 1".to_owned(),
        result: words.title.clone(),
        verified: "not yet".to_owned(),
        ..DeviceWord::default()
    };
    store.put_device_words(&[(1, word)], NOW).unwrap();
    let finding = Finding {
        n: 1,
        key: "k".to_owned(),
        computer: words.name.clone(),
        severity: "High".to_owned(),
        family: words.title.clone(),
        threat: words.title.clone(),
        title: words.title.clone(),
        status: words.status.clone(),
        created: words.message.clone(),
        ..Finding::default()
    };
    store.put_findings(&[finding], NOW, &words.message).unwrap();
}

fn report(words: &Words) -> (Report, String) {
    let folder = tempfile::tempdir().unwrap();
    let store = campaign(words, folder.path());
    let setting = Setting {
        option: "--comment".to_owned(),
        value: words.message.clone(),
        given: true,
    };
    let again = |outcome: &str| Some(format!("{} --retry {outcome}", words.message));
    let about = About {
        made: NOW,
        results: Some(folder.path().join(&words.file)),
        limits: Quota::documented().limits().collect(),
        no_limits: "there was no limit",
        warning: None,
        names_commands: true,
        settings: vec![setting],
        again: &again,
    };
    let report = Report::of(&store, about).unwrap();
    let page = html(&report, Some(folder.path())).unwrap();
    (report, page)
}

/// The page without its texts and without the values of its attributes.
fn skeleton(page: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some((_, from)) = rest.split_once('<') {
        let (tag, after) = from.split_once('>').unwrap();
        // The second half of each piece between quotes is outside of them.
        tags.push(tag.split('"').step_by(2).collect());
        // What is in a style or a script is not markup.
        let raw = ["style", "script"]
            .iter()
            .find(|name| tag.starts_with(**name));
        rest = match raw {
            Some(name) => &after[after.find(&format!("</{name}")).unwrap()..],
            None => after,
        };
    }
    tags
}

#[test]
fn it_tells_what_the_state_tells() {
    let (report, page) = report(&Words::plain());
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["targets"], 3);
    assert_eq!(json["outcomes"]["accepted"], 1);
    assert_eq!(json["outcomes"]["not_attempted"], 1);
    assert_eq!(
        (&json["open"], &json["calls"]["count"]),
        (&1.into(), &2.into())
    );
    assert_eq!(json["waited_s"]["A threat"], 61.0);
    assert_eq!(json["findings"]["by_severity"]["high"], 1);
    assert_eq!(json["machines"]["rows"][1]["name"], "ws-1");
    for text in [
        "A scan was started on 1 of 3 rows. One row ended badly.",
        "The campaign is not finished: 1 row has not ended.",
        "the service said no --retry failed",
        "1 alert on 1 machine",
        "1 min 1 s",
        "href=\"./fleet.results.csv\"",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn it_refers_to_nothing_outside() {
    let (_, page) = report(&Words::plain());
    for attribute in ["src=", "href=", "action=", "url(", "@import"] {
        for (_, value) in page
            .match_indices(attribute)
            .map(|(at, _)| page.split_at(at))
        {
            let value = value[attribute.len()..].trim_start_matches('"');
            assert!(
                value.starts_with("./") || value.starts_with("data:,"),
                "{attribute}"
            );
        }
    }
}

#[test]
fn ten_thousand_machines_are_a_page_of_less_than_300_kb() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity {
        campaign: "ab12cd34ef".into(),
        columns: vec!["Device name".to_owned()],
        ..Identity::default()
    };
    let mut rng = fastrand::Rng::with_seed(1);
    let mut digit = || char::from_digit(rng.u32(..16), 16).unwrap();
    let mut loader = Store::create(&folder.path().join("a.db"), &identity).unwrap();
    for n in 1..=10_000 {
        let machine_id: String = (0..40).map(|_| digit()).collect();
        let row = NewRow {
            n,
            line: n + 1,
            machine_id: &machine_id,
            scan_type: None,
            comment: None,
            priority: None,
            extra: &format!("seoul-ws-{:06}.corp.example.com", n * 7),
            ended: (n % 11 == 0).then_some(("invalid", "Excel has turned this id into a number")),
            error_code: "",
            left_out: false,
        };
        loader.insert(&row).unwrap();
    }
    let about = About {
        made: NOW,
        results: None,
        limits: Vec::new(),
        no_limits: "there was no limit",
        warning: None,
        names_commands: true,
        settings: Vec::new(),
        again: &|_| None,
    };
    let report = Report::of(&loader.finish().unwrap(), about).unwrap();
    assert_eq!(report.machines.rows.len(), 10_000);
    let page = html(&report, None).unwrap();
    assert!(page.len() < 300_000, "{}", page.len());
}

/// Text that would be markup, a script, a style or a template if it were taken for one.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<script>alert(1)</script>".to_owned()),
        Just("</script><!--".to_owned()),
        Just("\"><img src=x onerror=alert(1)>".to_owned()),
        Just("' onclick='x".to_owned()),
        Just("</style></title></svg>".to_owned()),
        Just("{{ report }}{% raw %}".to_owned()),
        Just("&lt;b&gt;&#x3c;".to_owned()),
        Just("]]>".to_owned()),
        Just("\u{202e}\u{0}\n\r\t".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 1..6).prop_map(|pieces| format!("x{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_text_of_others_is_markup_or_script(
        name in hostile(), message in hostile(), status in hostile(), title in hostile(),
    ) {
        let words = Words { name, message, status, title, file: Words::plain().file };
        let (_, page) = report(&words);
        // A status that the service is not known to have.
        let odd = Words { status: "Odd".to_owned(), ..Words::plain() };
        let (_, expected) = report(&odd);
        prop_assert_eq!(skeleton(&page), skeleton(&expected));
        let is_unseen = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        prop_assert!(!page.contains(is_unseen));
    }
}

#[cfg(unix)]
#[test]
fn the_name_of_the_results_is_a_link_and_no_more() {
    let words = Words {
        file: "a\"><b>#1?x%41.csv".to_owned(),
        ..Words::plain()
    };
    let (_, page) = report(&words);
    assert_eq!(skeleton(&page), skeleton(&report(&Words::plain()).1));
    assert!(page.contains("%231%3Fx%2541.csv"));
}

#[test]
fn the_skeleton_has_what_a_text_would_add() {
    let skeleton = |text: &str| skeleton(&format!("<p class=\"a\">{text}</p>"));
    assert_eq!(skeleton("x"), ["p class=", "/p"]);
    assert_ne!(skeleton("<b>x"), skeleton("x"));
}
