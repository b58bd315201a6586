//! Starts that are refused although their calls are valid.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_poison_machine_fails_every_time_and_a_restricted_one_is_forbidden() {
    let tenant = Tenant::new(MockConfig {
        poison: vec!["AA".to_owned()],
        restricted: vec!["bb".to_owned()],
        ..MockConfig::default()
    });
    for _ in 0..2 {
        let poison = start(&tenant, "aa").await;
        assert_eq!(code(&poison), (500, "InternalServerError"));
        let restricted = start(&tenant, "BB").await;
        assert_eq!(code(&restricted), (403, "Forbidden"));
        let words = "The action is not permitted on this device.";
        assert_eq!(restricted.1["error"]["message"], words);
    }
    assert_eq!(start(&tenant, "cc").await.0, 201);
    assert_eq!(tenant.recorder().scans(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_consent_forbids_starts_and_nothing_else() {
    for (forbid_words, names_roles) in [(ForbidWords::Roles, true), (ForbidWords::Plain, false)] {
        let tenant = Tenant::new(MockConfig {
            forbid_starts_from: Some(s(60)),
            forbid_words,
            ..MockConfig::default()
        });
        assert_eq!(start(&tenant, "aa").await.0, 201);
        tokio::time::sleep(s(60)).await;
        let forbidden = start(&tenant, "bb").await;
        assert_eq!(code(&forbidden), (403, "Forbidden"));
        let message = forbidden.1["error"]["message"].as_str().unwrap();
        assert_eq!(message.contains("roles"), names_roles, "{message}");
        assert_eq!(get(&tenant, "/api/machineactions").await.0, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_machine_says_so_in_three_more_ways() {
    for (busy_shape, expected, marked) in [
        (
            BusyShape::ErrorWithMark,
            (400, "ActiveRequestAlreadyExists"),
            true,
        ),
        (
            BusyShape::ErrorInLowerCase,
            (400, "activerequestalreadyexists"),
            false,
        ),
        (BusyShape::BadRequest, (400, "BadRequest"), false),
    ] {
        let tenant = Tenant::new(MockConfig {
            busy_shape,
            ..MockConfig::default()
        });
        start(&tenant, "ab").await;
        let mut response = call(&tenant, start_request("ab")).await;
        let mark = "\u{feff}".as_bytes();
        assert_eq!(response.body.starts_with(mark), marked);
        if marked {
            response.body = response.body.slice(mark.len()..);
        }
        let answer = read(&response);
        assert_eq!(code(&answer), expected);
        let message = &answer.1["error"]["message"];
        assert_eq!(message, "Action is already in progress");
    }
}
