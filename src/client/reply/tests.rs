use bytes::Bytes;

use super::*;
use crate::defender::wire::MachineAction;

const FORBIDDEN: &str = r#"{"error":{"code":"Forbidden","message":"no","target":"c-1"}}"#;
const ACTION: &str = r#"{"id":"a-1"}"#;
const PAGE: &str = "<html>sign in</html>";

#[expect(
    clippy::unnecessary_wraps,
    reason = "what is classified is a reply: an answer, or none"
)]
fn answer(status: u16, body: &'static str, retry_after: Option<&str>) -> Reply {
    Ok(Answer {
        status,
        date: None,
        retry_after: retry_after.map(str::to_owned),
        body: Bytes::from_static(body.as_bytes()),
    })
}

/// Its class, and what a person must remove.
fn class_of(reply: &Reply) -> (&'static str, Option<Obstacle>) {
    let is_action = |answer: &Answer| wire::json::<MachineAction>(&answer.body).is_some();
    match classify(reply, is_action) {
        Class::Own(_) => ("own", None),
        Class::NeverSent(trouble) => ("never sent", trouble.obstacle),
        Class::Perhaps(trouble) => ("perhaps", trouble.obstacle),
        Class::Unsendable(_) => ("unsendable", None),
    }
}

#[test]
fn every_reply_has_the_class_of_the_table() {
    let lost = |lost| Err::<Answer, Lost>(lost);
    let refusal = |status| Some(Obstacle::Refusal(status));
    let page = Some(Obstacle::Page);
    let blocked = Some(Obstacle::Connection);
    #[rustfmt::skip]
    let table = [
        ("a scan",                       answer(201, ACTION, None),                    "own", None),
        ("a scan behind a mark",         answer(201, "\u{feff}{\"id\":\"a\"}", None),   "own", None),
        ("the API's 400",                answer(400, FORBIDDEN, None),                 "own", None),
        ("the API's 403",                answer(403, FORBIDDEN, None),                 "own", None),
        ("an error without a code",      answer(400, r#"{"error":{"message":"no"}}"#, None), "own", None),
        ("the API's 404",                answer(404, FORBIDDEN, None),                 "own", None),
        ("any 401",                      answer(401, "", None),                        "own", None),
        ("any 429",                      answer(429, PAGE, None),                      "own", None),
        ("no name, no route, refused",   lost(Lost::NotSent("x".into())),              "never sent", None),
        ("a certificate",                lost(Lost::Blocked("x".into())),              "never sent", blocked),
        ("timed out",                    lost(Lost::TimedOut(Duration::from_secs(9))), "perhaps", None),
        ("reset",                        lost(Lost::Unknown("x".into())),              "perhaps", None),
        ("no id",                        lost(Lost::Unsendable("x".into())),           "unsendable", None),
        ("the API's 500",                answer(500, FORBIDDEN, None),                 "perhaps", None),
        ("a gateway's 502",              answer(502, PAGE, None),                      "perhaps", None),
        ("a gateway's 503",              answer(503, "", Some("60")),                  "perhaps", None),
        ("a redirect",                   answer(302, "", None),                        "perhaps", page),
        ("a portal",                     answer(200, PAGE, None),                      "perhaps", page),
        ("a scan cut off",               answer(201, r#"{"id":"a"#, None),             "perhaps", None),
        ("something else as JSON",       answer(200, r#"{"ok":true}"#, None),          "perhaps", None),
        ("an empty 200",                 answer(200, "", None),                        "perhaps", None),
        ("another's 403",                answer(403, PAGE, None),                      "perhaps", refusal(403)),
        ("another's 403 in JSON",        answer(403, r#"{"error":"denied"}"#, None),   "perhaps", refusal(403)),
        ("another's 404",                answer(404, PAGE, None),                      "perhaps", refusal(404)),
        ("an empty 400",                 answer(400, "", None),                        "perhaps", None),
        ("an empty 403",                 answer(403, "", None),                        "perhaps", refusal(403)),
        ("a gateway's 404 in JSON",      answer(404, r#"{"statusCode":404}"#, None),   "perhaps", None),
        ("a proxy's 407",                answer(407, PAGE, None),                      "perhaps", refusal(407)),
    ];
    for (name, reply, class, obstacle) in table {
        assert_eq!(class_of(&reply), (class, obstacle), "{name}");
    }
}

#[test]
fn what_was_said_and_when_to_come_again_are_read_whatever_the_status() {
    let reply = answer(503, FORBIDDEN, Some("7200"));
    let Class::Perhaps(trouble) = classify(&reply, |_| false) else {
        panic!("a 503 is no answer of the service's own");
    };
    assert_eq!(trouble.retry_after, Some(LONGEST_PACE), "at most an hour");
    for (status, header) in [(503, "soon"), (502, "60"), (200, "60")] {
        let Class::Perhaps(other) = classify(&answer(status, PAGE, Some(header)), |_| false) else {
            panic!("{status}");
        };
        assert_eq!(other.retry_after, None, "{status} {header}");
    }
    assert_eq!(trouble.said.correlation_id, "c-1");
    assert_eq!(trouble.why, "HTTP 503: no");
    assert!(trouble.said.is("FORBIDDEN"));
}

#[test]
fn each_obstacle_has_its_cure_in_its_words() {
    for (status, body, cure) in [
        (407, PAGE, "HTTPS_PROXY"),
        (403, PAGE, "firewall"),
        (200, PAGE, "sign in to the network"),
        (302, "", "--api-url"),
    ] {
        let Class::Perhaps(trouble) = classify(&answer(status, body, None), |_| false) else {
            panic!("{status}");
        };
        assert!(trouble.why.contains(cure), "{}", trouble.why);
    }
}
