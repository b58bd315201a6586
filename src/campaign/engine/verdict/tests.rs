//! Tables of replies, and what no reply may ever mean.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::defender::Lost;

const MACHINE: &str = "0a1b2c3d4e0a1b2c3d4e0a1b2c3d4e0a1b2c3d4e";
const COMMENT: &str = "[fleetsweep:ab12cd34ef:7] weekly sweep";

fn judged(reply: &Reply) -> Judgement {
    let campaign = CampaignId::known("ab12cd34ef");
    let sent = Sent {
        campaign: &campaign,
        n: 7,
        comment: COMMENT,
        machine: MACHINE,
        took: Duration::from_secs(2),
    };
    judge(reply, &sent)
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "what is judged is a reply: an answer, or none"
)]
fn answer(status: u16, body: impl Into<Bytes>) -> Reply {
    let date = Some("2026-11-23T10:00:00Z".parse().unwrap());
    Ok(Answer {
        status,
        date,
        retry_after: None,
        body: body.into(),
    })
}

fn error(status: u16, code: &str) -> Reply {
    answer(
        status,
        format!(r#"{{"error":{{"code":"{code}","message":"words","target":"c-1"}}}}"#),
    )
}

fn action(status: u16, comment: &str, created: &str) -> Reply {
    let scan = r#""id":"a-1","type":"RunAntiVirusScan","status":"Pending""#;
    let body = format!(
        r#"{{{scan},"requestorComment":{comment},"machineId":"{MACHINE}","creationDateTimeUtc":"{created}"}}"#
    );
    answer(status, body)
}

fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted(_) => "accepted",
        Verdict::AlreadyPending(_) => "pending",
        Verdict::NotFound => "not found",
        Verdict::Unsupported => "unsupported",
        Verdict::Refused => "refused",
        Verdict::Throttled(_) => "throttled",
        Verdict::Unauthorized => "unauthorized",
        Verdict::Stop(_) => "stop",
        Verdict::Unsure(_) => "unsure",
        Verdict::NotSent(_) => "not sent",
        Verdict::Forbidden(_) => "forbidden",
    }
}

#[test]
fn errors_are_judged_by_status_and_code() {
    let table = [
        (400, "ActiveRequestAlreadyExists", "pending"),
        (400, "OsPlatformNotSupported", "unsupported"),
        (400, "ClientVersionNotSupported", "unsupported"),
        (400, "InvalidInput", "refused"),
        (400, "BadRequest", "refused"),
        (400, "NeverHeardOf", "refused"),
        (400, "InvalidRequestBody", "stop"),
        (400, "MissingRequiredParameter", "stop"),
        (401, "Unauthorized", "unauthorized"),
        (403, "Forbidden", "forbidden"),
        (403, "DisabledFeature", "stop"),
        (403, "DisallowedOperation", "refused"),
        (403, "NeverHeardOf", "forbidden"),
        (410, "Gone", "stop"),
        (404, "ResourceNotFound", "not found"),
        (404, "NotFound", "not found"),
        (405, "", "refused"),
        (409, "Conflict", "refused"),
        (428, "", "refused"),
        (429, "429", "throttled"),
        (429, "TooManyRequests", "throttled"),
        (500, "InternalServerError", "unsure"),
        (503, "", "unsure"),
    ];
    for (status, code, expected) in table {
        let judgement = judged(&error(status, code));
        assert_eq!(name(&judgement.verdict), expected, "{status} {code}");
        let is_own = matches!(judgement.class, Class::Own(_));
        assert_eq!(is_own, status < 500, "{status} {code}");
        assert_eq!(judgement.correlation_id, "c-1");
        assert_eq!(judgement.error_code, code);
    }
}

#[test]
fn codes_are_known_in_any_case_and_a_body_may_begin_with_a_mark() {
    for (status, code, expected) in [
        (400, "activerequestalreadyexists", "pending"),
        (400, "OSPLATFORMNOTSUPPORTED", "unsupported"),
        (403, "disabledfeature", "stop"),
    ] {
        assert_eq!(name(&judged(&error(status, code)).verdict), expected);
    }
    let marked = "\u{feff}{\"error\":{\"code\":\"ActiveRequestAlreadyExists\"}}";
    assert_eq!(name(&judged(&answer(400, marked)).verdict), "pending");
}

#[test]
fn words_tell_only_where_the_code_says_nothing() {
    let said = |code: &str| {
        let body = format!(r#"{{"error":{{{code}"message":"Action is already in progress"}}}}"#);
        name(&judged(&answer(400, body)).verdict)
    };
    assert_eq!(said(""), "pending");
    assert_eq!(said(r#""code":"BadRequest","#), "pending");
    assert_eq!(said(r#""code":"InvalidInput","#), "refused");
    let words = "Missing application roles. API required roles: Machine.Scan, application roles: .";
    let roles = format!(r#"{{"error":{{"code":"Forbidden","message":"{words}"}}}}"#);
    assert_eq!(name(&judged(&answer(403, roles)).verdict), "stop");
}

#[test]
fn answers_that_are_not_the_services_own_are_known_as_such() {
    for (status, expected) in [
        (200, "unsure"),
        (301, "unsure"),
        (400, "unsure"),
        (401, "unauthorized"),
        (403, "unsure"),
        (404, "unsure"),
        (407, "unsure"),
        (410, "unsure"),
        (429, "throttled"),
        (502, "unsure"),
    ] {
        let judgement = judged(&answer(status, "<html>gateway</html>"));
        assert_eq!(name(&judgement.verdict), expected, "{status}");
    }
}

#[test]
fn a_success_is_judged_by_its_comment_however_old_the_action() {
    for status in [200, 201] {
        for created in ["2026-11-23T10:00:00.1234567Z", "2026-11-20T10:00:00Z"] {
            let ours = judged(&action(status, &format!("{COMMENT:?}"), created));
            assert_eq!(name(&ours.verdict), "accepted");
            let other = judged(&action(
                status,
                r#""[fleetsweep:ab12cd34ef:8] weekly sweep""#,
                created,
            ));
            assert_eq!(name(&other.verdict), "pending");
            let foreign = judged(&action(status, r#""patch day""#, created));
            assert_eq!(name(&foreign.verdict), "pending");
            assert!(!foreign.comment_lost);
        }
    }
}

#[test]
fn a_comment_that_kept_its_tag_is_ours_though_the_rest_is_cut() {
    let cut = judged(&action(
        201,
        r#""[fleetsweep:ab12cd34ef:7] we""#,
        "2026-11-20T10:00:00Z",
    ));
    assert_eq!(name(&cut.verdict), "accepted");
}

#[test]
fn an_action_whose_comment_is_lost_is_judged_by_the_servers_clock() {
    for comment in ["null", r#""""#, r#""[fleetsweep:ab1""#] {
        let young = judged(&action(201, comment, "2026-11-23T09:59:48Z"));
        assert_eq!(name(&young.verdict), "accepted", "{comment}");
        assert!(young.comment_lost);
        let old = judged(&action(201, comment, "2026-11-23T09:59:47Z"));
        assert_eq!(name(&old.verdict), "pending", "{comment}");
        let ageless = judged(&action(201, comment, ""));
        assert_eq!(name(&ageless.verdict), "unsure", "{comment}");
    }
}

#[test]
fn a_success_without_a_readable_action_is_unsure() {
    for body in [
        "",
        "{}",
        "[]",
        "<html>",
        r#"{"id":""}"#,
        r#"{"id":"a","machineId":"another"}"#,
    ] {
        let judgement = judged(&answer(200, body));
        assert_eq!(name(&judgement.verdict), "unsure", "{body}");
        assert!(matches!(judgement.class, Class::Perhaps(_)));
    }
}

#[test]
fn a_lost_call_is_unsure_unless_it_was_never_sent() {
    for lost in [
        Lost::NotSent("refused".into()),
        Lost::Blocked("a certificate".into()),
    ] {
        assert_eq!(name(&judged(&Err(lost)).verdict), "not sent");
    }
    let unsendable = judged(&Err(Lost::Unsendable("no id".into())));
    assert_eq!(name(&unsendable.verdict), "refused");
    for lost in [
        Lost::Unknown("reset".into()),
        Lost::TimedOut(Duration::from_secs(30)),
    ] {
        assert_eq!(name(&judged(&Err(lost)).verdict), "unsure");
    }
}

proptest! {
    #[test]
    fn no_answer_is_taken_for_a_scan_of_ours_without_our_tag(status in 100..600_u16, body in ".{0,80}") {
        prop_assert!(!matches!(judged(&answer(status, body)).verdict, Verdict::Accepted(_)));
    }
}
