//! `--notify`, and what it never tells.

use super::*;

fn notify(receiver: &Receiver) -> String {
    format!("http://{}/hook", receiver.url)
}

fn events(notices: &[Value]) -> Vec<&str> {
    let events = notices.iter().map(|notice| notice["event"].as_str());
    events.map(Option::unwrap).collect()
}

#[test]
fn a_notice_is_posted_until_it_is_taken() {
    let place = folder(5);
    let receiver = Receiver::start(&[500, 503, 200]);
    let words = [
        "--mock",
        "--summary",
        "s.json",
        "--notify",
        &notify(&receiver),
    ];
    let done = run(place.path(), &words).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(!said.contains("--notify"), "{said}");
    let notices = receiver.notices();
    assert_eq!(events(&notices), ["end", "end", "end"]);
    assert_eq!(notices[0], notices[2]);
    let summary = fs::read_to_string(place.path().join("s.json")).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(notices[2]["summary"], summary);
    let (head, _) = &receiver.posts()[0];
    assert!(head.starts_with("POST /hook HTTP/1.1\r\n"), "{head}");
    assert!(
        head.contains("content-type: application/json\r\n"),
        "{head}"
    );
}

#[test]
fn a_brake_is_told_when_it_stops_the_run_and_the_environment_may_name_the_receiver() {
    let server = Server::start(&["--limit", "none"]);
    let place = folder(20);
    let receiver = Receiver::start(&[200]);
    let url = server.url();
    let words = [
        "--api-url",
        &url,
        "--limit",
        "none",
        "--max-machines",
        "5",
        "--progress",
        "json",
    ];
    let mut command = run(place.path(), &words);
    command.env("FLEETSWEEP_NOTIFY", notify(&receiver));
    let done = command.output().unwrap();
    assert_eq!(done.status.code(), Some(3), "{done:?}");
    let notices = receiver.notices();
    assert_eq!(events(&notices), ["brake", "end"]);
    for notice in &notices {
        assert_eq!(notice["targets"], 20);
        let why = notice["stopped"].as_str().unwrap();
        assert!(why.starts_with("--max-machines 5: "), "{why}");
        assert!(notice["text"].as_str().unwrap().contains(why), "{notice}");
    }
    assert_eq!(notices[1]["exit_code"], 3);
    assert_eq!(notices[1]["outcomes"]["accepted"], 5);
    assert_eq!(notices[1]["ended"], 5);
}

#[test]
fn a_wait_of_two_hours_that_the_service_asks_for_is_told_at_once() {
    let scenario = "[quota]\nlimits = [\"2/2h\"]\n";
    let place = folder(5);
    fs::write(place.path().join("held.toml"), scenario).unwrap();
    let receiver = Receiver::start(&[200]);
    let words = [
        "--mock",
        "--scenario",
        "held.toml",
        "--limit",
        "5/1s",
        "--metrics",
        "127.0.0.1:0",
        "--notify",
        &notify(&receiver),
    ];
    let mut running = Running::start(run(place.path(), &words));
    let address = running.address();
    receiver.until(1);
    let notice = &receiver.notices()[0];
    assert_eq!(notice["event"], "hold");
    let text = notice["text"].as_str().unwrap();
    assert!(
        text.contains("the service has asked for no calls for 2 h from now"),
        "{text}"
    );
    let held = Scrape::of(&address)
        .value("fleetsweep_hold_seconds")
        .unwrap();
    assert!(held > 7_100.0 && held <= 7_200.0, "{held}");
    interrupt(&running.child);
    let (code, rest) = running.end();
    assert_eq!(code, Some(130), "{rest}");
    assert_eq!(events(&receiver.notices()), ["hold", "end"]);
}

#[test]
fn a_receiver_that_never_answers_holds_nothing_up_but_the_processs_end() {
    let server = Server::start(&["--limit", "none"]);
    let place = folder(20);
    let receiver = Receiver::start(&[NEVER]);
    let (url, notify) = (server.url(), notify(&receiver));
    let words = [
        "--api-url",
        &url,
        "--limit",
        "none",
        "--max-machines",
        "5",
        "--progress",
        "none",
        "--notify",
        &notify,
    ];
    let mut running = Running::start(run(place.path(), &words));
    // All is done and said, while the first notice is still on its way.
    running.line("stopped: --max-machines 5");
    running.line("to go on with --max-machines 10: ");
    running.line("--notify is left out there");
    receiver.until(1);
    let results = fs::read_to_string(place.path().join("fleet.results.csv")).unwrap();
    assert_eq!(results.lines().count(), 21);
    interrupt(&running.child);
    running.line("waiting for --on-end and --notify");
    interrupt(&running.child);
    let (code, rest) = running.end();
    assert_eq!(code, Some(3), "{rest}");
}

/// Everything under a folder, as it lies on the disk.
fn written(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(written(&path));
        } else {
            all.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    all
}

fn holds(bytes: &[u8], text: &str) -> bool {
    let mut windows = bytes.windows(text.len());
    windows.any(|window| window == text.as_bytes())
}

const SECRETS: [&str; 4] = ["u5er", "pa55word", "T0KEN", "5ignature"];

/// A run that logs all there is and notifies this receiver of its brake and its end, in vain. None of what it writes
/// holds a secret.
fn tells_no_secret(server: &Server, scheme: &str, host: &str, by_option: bool) {
    let place = folder(20);
    let [user, password, path, query] = SECRETS;
    let notify = format!("{scheme}://{user}:{password}@{host}/{path}?sig={query}");
    let (url, option) = (server.url(), format!("--notify={notify}"));
    let mut words = vec![
        "--api-url",
        &url,
        "--limit",
        "none",
        "-vvv",
        "--log-file",
        "log.txt",
    ];
    words.extend(["--max-machines", "5", "--summary", "s.json", "--progress"]);
    words.push(if by_option { "json" } else { "lines" });
    words.extend(by_option.then_some(option.as_str()));
    let mut command = run(place.path(), &words);
    command.env("RUST_LOG", "trace");
    if !by_option {
        command.env("FLEETSWEEP_NOTIFY", &notify);
    }
    let done = command.output().unwrap();
    assert_eq!(done.status.code(), Some(3), "{done:?}");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    let told = "--notify: 127.0.0.1 did not take the notice of a brake: ";
    assert!(said.contains(told), "{said}");
    let mut all = written(place.path());
    all.push(("stdout".to_owned(), done.stdout));
    all.push(("stderr".to_owned(), done.stderr));
    let has = |end: &str, text: &str| {
        let mut files = all.iter().filter(|(name, _)| name.ends_with(end));
        files.any(|(_, bytes)| holds(bytes, text))
    };
    assert!(has("log.txt", "TRACE") && has("fleet.campaign.db", "fleet.csv"));
    for (name, bytes) in &all {
        // As they are, and user and password as a header carries them.
        for secret in SECRETS.into_iter().chain(["dTVlcjpwYTU1d29yZA"]) {
            let where_to = format!("{scheme} {host}: {name} holds {secret}");
            assert!(!holds(bytes, secret), "{where_to}");
        }
    }
}

#[test]
fn the_address_is_written_nowhere_but_its_host() {
    let server = &Server::start(&["--limit", "none"]);
    let refusing = &Receiver::start(&[404]);
    // It speaks no TLS.
    let broken = &Receiver::start(&[500]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let nobody = nobody.unwrap().to_string();
    std::thread::scope(|scope| {
        scope.spawn(|| tells_no_secret(server, "http", &refusing.url, true));
        scope.spawn(|| tells_no_secret(server, "http", &refusing.url, false));
        scope.spawn(|| tells_no_secret(server, "https", &broken.url, true));
        scope.spawn(|| tells_no_secret(server, "http", &nobody, true));
    });
    let (head, _) = &refusing.posts()[0];
    let line = "POST /T0KEN?sig=5ignature HTTP/1.1";
    assert!(head.starts_with(line), "{head}");
    assert!(
        head.contains("authorization: Basic dTVlcjpwYTU1d29yZA=="),
        "{head}"
    );
}

#[test]
fn an_address_that_would_give_its_secret_away_is_refused_without_being_quoted() {
    let place = folder(2);
    for address in [
        "http://hooks.example.com/s3cret",
        "s3cret",
        "ftp://127.0.0.1/s3cret",
        "https://:s3cret@",
    ] {
        for by_option in [true, false] {
            let mut words = vec!["--mock"];
            words.extend(
                by_option
                    .then_some(["--notify", address])
                    .into_iter()
                    .flatten(),
            );
            let mut command = run(place.path(), &words);
            if !by_option {
                command.env("FLEETSWEEP_NOTIFY", address);
            }
            let done = command.output().unwrap();
            assert_eq!(done.status.code(), Some(2), "{done:?}");
            let said = String::from_utf8(done.stderr).unwrap();
            assert!(
                said.contains("the address of --notify") && !said.contains("s3cret"),
                "{said}"
            );
        }
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}
