use super::*;

#[test]
fn every_path_of_the_api_finds_its_route_with_and_without_a_version() {
    let get = |path: &str| Request::get(path, "t").route();
    let post = |path: &str| Request::post(path, "t", "").route();
    let start = Some(Route::Start {
        machine: "ab 1".into(),
    });
    assert_eq!(post("/api/machines/AB%201/runAntiVirusScan"), start);
    assert_eq!(post("/api/v1.0/machines/ab%201/runAntiVirusScan"), start);
    assert_eq!(get("/api/machineactions?$top=1"), Some(Route::List));
    assert_eq!(
        get("/api/machineactions/7"),
        Some(Route::Get { id: "7".into() })
    );
    assert_eq!(
        post("/api/machineactions/7/cancel"),
        Some(Route::Cancel { id: "7".into() })
    );
    assert_eq!(get("/api/v1.0/machines"), Some(Route::Machines));
    let token = Some(Route::Token {
        tenant: "acme".into(),
        version: TokenVersion::V2,
    });
    assert_eq!(post("/acme/oauth2/v2.0/token"), token);
    let machine = |id: &str| Some(Route::Machine { id: id.into() });
    assert_eq!(get("/api/machines/PC-1.corp"), machine("pc-1.corp"));
    assert_eq!(get("/api/machines/findbytag?tag=x"), Some(Route::FindByTag));
    assert_eq!(post("/api/machines/1/isolate"), Some(Route::OtherAction));
    let identity = get("/metadata/identity/oauth2/token?resource=x");
    assert_eq!(identity, Some(Route::Identity));
    for wrong in [
        "/",
        "",
        "/api",
        "/api/machines/1/2/3",
        "/acme/oauth2/v2.0/token",
    ] {
        assert_eq!(get(wrong), None, "{wrong}");
    }
}
