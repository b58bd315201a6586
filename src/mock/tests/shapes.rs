//! Requests as real clients of the API write them (MDE-API.md, section 9).

use super::*;

const AUDIENCE: &str = "https://api.securitycenter.microsoft.com";

async fn machines(tenant: &Arc<Tenant>, query: &str) -> Vec<Value> {
    let (status, page) = get(tenant, &format!("/api/machines?{query}")).await;
    assert_eq!(status, 200, "{query}: {page}");
    page["value"].as_array().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn either_version_of_the_token_endpoint_is_found_and_answers() {
    let tenant = Tenant::new(MockConfig {
        sign_in: SignIn {
            tokens: Tokens::Issued,
            ..SignIn::default()
        },
        ..MockConfig::default()
    });
    for (discovery, field) in [
        (
            "/acme/.well-known/openid-configuration",
            format!("resource={AUDIENCE}/"),
        ),
        (
            "/acme/v2.0/.well-known/openid-configuration",
            format!("scope={AUDIENCE}/.default"),
        ),
    ] {
        let (status, found) = get(&tenant, discovery).await;
        assert_eq!(status, 200);
        let endpoint = found["token_endpoint"].as_str().unwrap();
        let endpoint = endpoint.strip_prefix("http://mock").unwrap();
        let form = format!("grant_type=client_credentials&client_id=a&client_secret=b&{field}");
        let (status, issued) = read(&call(&tenant, Request::post(endpoint, "", form)).await);
        assert_eq!(status, 200, "{issued}");
        let token = issued["access_token"].as_str().unwrap();

        let mut listing = Request::get("/api/machineactions", token);
        assert_eq!(call(&tenant, listing.clone()).await.status, 200);
        listing.authorization = Some(format!("bearer {token}"));
        assert_eq!(call(&tenant, listing).await.status, 200);
    }
    let form = "grant_type=client_credentials&client_id=a&client_secret=b";
    let (status, refused) =
        read(&call(&tenant, Request::post("/acme/oauth2/token", "", form)).await);
    assert_eq!(
        (status, refused["error"].as_str()),
        (400, Some("invalid_resource"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_machine_is_found_by_id_name_tag_and_address() {
    let mut config = MockConfig::default();
    config
        .sign_in
        .roles
        .push("Machine.ReadWrite.All".to_owned());
    let tenant = Tenant::new(config);
    let first = machines(&tenant, "$top=1").await.remove(0);
    let text = |field: &str| first[field].as_str().unwrap().to_owned();
    let id = text("id");
    for key in [
        id.clone(),
        id.to_uppercase(),
        text("computerDnsName").to_uppercase(),
    ] {
        let (status, machine) = get(&tenant, &format!("/api/machines/{key}")).await;
        assert_eq!((status, &machine["id"]), (200, &first["id"]));
    }
    let (ip, time) = (text("lastIpAddress"), text("lastSeen"));
    let by_ip = format!("/api/machines/findbyip(ip='{ip}',timestamp={time})");
    assert_eq!(get(&tenant, &by_ip).await.1["value"][0]["id"], first["id"]);
    assert_eq!(
        get(&tenant, &format!("/api/machines/findbyip(ip='{ip}')"))
            .await
            .0,
        400
    );

    let tags = format!("/api/machines/{id}/tags");
    let change = |body: &'static str| Request::post(&tags, "t", body);
    let added = change(r#"{"Value":"ring 1","Action":"Add"}"#);
    assert_eq!(call(&tenant, added).await.status, 200);
    for (query, found) in [
        ("tag=ring%201", 1),
        ("tag=ring", 0),
        ("tag=ring&useStartsWithFilter=true", 1),
    ] {
        let (_, page) = get(&tenant, &format!("/api/machines/findbytag?{query}")).await;
        assert_eq!(page["value"].as_array().unwrap().len(), found, "{query}");
    }
    let tagged = machines(&tenant, "$filter=machineTags/any(t: t eq 'ring 1')").await;
    assert_eq!(
        tagged,
        [get(&tenant, &format!("/api/machines/{id}")).await.1].map(|mut machine| {
            machine.as_object_mut().unwrap().remove("@odata.context");
            machine
        })
    );
    let removed = change(r#"{"Value":"ring 1","Action":"Remove"}"#);
    assert_eq!(call(&tenant, removed).await.status, 200);
    assert!(
        machines(&tenant, "$filter=machineTags/any(t: t eq 'ring 1')")
            .await
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn lists_are_ordered_and_show_the_fields_that_are_selected() {
    let tenant = Tenant::new(MockConfig::default());
    let seen = |rows: Vec<Value>| -> Vec<String> {
        let seen = rows
            .iter()
            .map(|row| row["lastSeen"].as_str().unwrap().to_owned());
        seen.collect()
    };
    let oldest = seen(machines(&tenant, "$orderby=LastSeen").await);
    let mut newest = seen(machines(&tenant, "$orderby=lastSeen DESC").await);
    assert!(oldest.is_sorted());
    newest.reverse();
    assert_eq!(newest, oldest);

    let chosen = machines(&tenant, "$select=id,computerDNSName&pageSize=3").await;
    assert_eq!(chosen.len(), 3);
    assert!(chosen.iter().all(|row| row.as_object().unwrap().len() == 2));
    for refused in [
        "$filter=rbacGroupName eq 'Servers'",
        "$orderby=lastSeen down",
        "$expand=all",
    ] {
        let answer = get(&tenant, &format!("/api/machines?{refused}")).await;
        assert_eq!(code(&answer), (400, "ODataError"), "{refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_actions_of_a_machine_are_listed_and_only_scans_are_carried_out() {
    let tenant = Tenant::new(MockConfig::default());
    for machine in ["aa", "bb"] {
        assert_eq!(start(&tenant, machine).await.0, 201);
    }
    let (_, actions) = get(&tenant, "/api/machines/AA/machineactions").await;
    let rows = actions["value"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["machineId"]), (1, &Value::from("aa")));

    let isolate = r#"{"Comment":"c","IsolationType":"Full"}"#;
    let isolate = Request::post("/api/machines/aa/isolate", "t", isolate);
    assert_eq!(
        code(&read(&call(&tenant, isolate).await)),
        (400, "InvalidInput")
    );
    let (_, available) = get(&tenant, "/api/machines/aa/availableMachineActions").await;
    let available = available["value"].as_array().unwrap();
    let possible = available
        .iter()
        .filter(|action| action["isAvailable"] == true);
    let possible: Vec<_> = possible.map(|action| action["action"].clone()).collect();
    assert_eq!(possible, ["RunAntiVirusScan"]);
}

#[tokio::test(start_paused = true)]
async fn a_start_needs_a_comment_and_a_cancel_does_not() {
    let tenant = Tenant::new(MockConfig::default());
    let path = "/api/machines/aa/runAntiVirusScan";
    let empty = Request::post(path, "t", r#"{"Comment":" ","ScanType":"Quick"}"#);
    assert_eq!(
        code(&read(&call(&tenant, empty).await)),
        (400, "InvalidInput")
    );
    assert_eq!(tenant.recorder().scans(), 0);
    let (_, started) = start(&tenant, "aa").await;
    let cancel = format!(
        "/api/machineactions/{}/cancel",
        started["id"].as_str().unwrap()
    );
    let (status, cancelled) = read(&call(&tenant, Request::post(&cancel, "t", "")).await);
    assert_eq!(
        (status, &cancelled["status"]),
        (200, &Value::from("Cancelled"))
    );
}

#[tokio::test(start_paused = true)]
async fn the_verdict_names_what_no_client_may_do() {
    let tenant = Tenant::new(MockConfig {
        sign_in: SignIn {
            tokens: Tokens::Issued,
            ..SignIn::default()
        },
        ..MockConfig::default()
    });
    assert_eq!(tenant.summary().faults, Vec::<String>::new());
    get(&tenant, "/api/machineactions").await;
    get(&tenant, "/api/nothing").await;
    assert_eq!(
        tenant.summary().faults,
        ["1 call malformed", "1 call with a wrong token"]
    );

    let tenant = Tenant::new(MockConfig::default());
    let body = r#"{"comment":"in lower case"}"#;
    call(
        &tenant,
        Request::post("/api/machines/aa/runAntiVirusScan", "t", body),
    )
    .await;
    for n in 0..101 {
        start(&tenant, &format!("m{n}")).await;
    }
    // The malformed call took a place in the window too.
    assert_eq!(
        tenant.summary().faults,
        ["2 calls over the limit", "1 call malformed"]
    );
}
