//! The report in a real browser: nothing overflows, everything can be read, the search works without a network, and
//! hostile names do nothing. Runs where `FLEETSWEEP_BROWSER` names a Chromium; `.ci/long` sets it.

use std::{
    fmt::Write as _,
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use super::{
    command_line::{Place, said},
    program::fleetsweep,
};

/// The widths of a desktop, a tablet and a phone, in CSS pixels.
const WIDTHS: [u64; 3] = [1280, 768, 390];

/// What a name would do if it were more than text.
const HOSTILE: &str = "<img src=x onerror='pwned=1'></script><script>pwned=1</script>";

/// Chromium, if the tests are to use it.
#[expect(clippy::print_stderr, reason = "a test that is passed over says so")]
fn browser() -> Option<PathBuf> {
    let named = std::env::var_os("FLEETSWEEP_BROWSER").map(PathBuf::from);
    if named.is_none() {
        eprintln!("skipped: FLEETSWEEP_BROWSER names no Chromium");
    }
    named
}

/// Shows a page. No network is reached, and nothing of the person's own browser is used.
fn show(browser: &Path, folder: &Path, words: &[&str], page: &str) -> Output {
    let profile = tempfile::tempdir().unwrap();
    let shown = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--enable-logging=stderr", "--timeout=60000"])
        .args(words)
        .arg(format!("file://{}", folder.join(page).display()))
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(shown.status.success(), "{}", said(&shown));
    let console = said(&shown);
    let console: Vec<_> = console
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .collect();
    assert!(console.is_empty(), "{console:?}");
    shown
}

/// A simulated campaign of this many machines, some of them with hostile names, and the id of the last one.
fn swept(machines: u64, scenario: &str) -> (Place, String) {
    let mut rng = fastrand::Rng::with_seed(machines);
    let mut csv = "device name,machine_id\n".to_owned();
    let mut last = String::new();
    for n in 1..=machines {
        last = (0..40)
            .map(|_| char::from_digit(rng.u32(..16), 16).unwrap())
            .collect();
        let name = match n % 50 {
            7 => HOSTILE.to_owned(),
            _ => format!("seoul-ws-{n:05}.corp.example.com"),
        };
        writeln!(csv, "\"{name}\",{last}").unwrap();
    }
    let place = Place::new(&csv);
    let scenario = format!(
        "{}/sample-inputs/scenarios/{scenario}",
        env!("CARGO_MANIFEST_DIR")
    );
    let mut simulated = fleetsweep(place.0.path());
    simulated.args([
        "simulate",
        "fleet.csv",
        "-q",
        "--yes",
        "--scenario",
        &scenario,
    ]);
    let simulated = simulated
        .args(["--report", "report.html"])
        .output()
        .unwrap();
    assert!(place.path("report.html").exists(), "{}", said(&simulated));
    (place, last)
}

/// Puts the page into frames of all widths, with a script that looks at it. The page with the frames is loaded once all
/// of them have been looked at: until then it waits for a picture that `never` comes from there.
fn frame(place: &Place, wanted: &str, never: SocketAddr) {
    let look = include_str!("look.js").replace("WANTED", &format!("\"{wanted}\""));
    let page = place.read("report.html");
    let page = page.replace("</body>", &format!("<script>{look}</script></body>"));
    fs::write(place.path("looked-at.html"), page).unwrap();
    let count = WIDTHS.len();
    let mut frames = format!(
        "<!DOCTYPE html><body><img id=never src=http://{never}/><pre id=seen></pre><script>
        const seen = [];
        addEventListener('message', (event) => {{
            seen.push(event.data);
            if (seen.length < {count}) return;
            document.getElementById('seen').textContent = JSON.stringify(seen);
            document.getElementById('never').src = 'data:,';
        }});</script>"
    );
    for width in WIDTHS {
        let style = format!("width:{width}px;height:900px;border:0");
        write!(
            frames,
            "<iframe src=looked-at.html style='{style}'></iframe>"
        )
        .unwrap();
    }
    fs::write(place.path("frames.html"), frames).unwrap();
}

/// What the script has seen in each frame.
fn seen(shown: &Output) -> Vec<Value> {
    let page = String::from_utf8(shown.stdout.clone()).unwrap();
    let (_, seen) = page.split_once("<pre id=\"seen\">").unwrap();
    let (seen, _) = seen.split_once("</pre>").unwrap();
    let seen = seen
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    serde_json::from_str(&seen).unwrap()
}

#[test]
fn it_can_be_read_and_searched_at_any_width_in_light_and_dark() {
    let Some(browser) = browser() else {
        return;
    };
    for (machines, scenario) in [(300, "hostile.toml"), (10_000, "busy-fleet.toml")] {
        let (place, last) = swept(machines, scenario);
        let size = place.read("report.html").len();
        assert!(size < 300_000, "{machines} machines: {size} bytes");
        // It accepts connections, and answers none.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        frame(&place, &last, silent.local_addr().unwrap());
        // 0 is dark, 1 is light.
        for scheme in [0, 1] {
            let scheme = format!("--blink-settings=preferredColorScheme={scheme}");
            let words = ["--window-size=1400,4000", &scheme, "--dump-dom"];
            let shown = show(&browser, place.0.path(), &words, "frames.html");
            let seen = seen(&shown);
            assert_eq!(seen.len(), WIDTHS.len(), "{seen:?}");
            for frame in seen {
                assert_eq!(frame["faults"], serde_json::json!([]), "{scheme} {frame}");
                assert_eq!(frame["pwned"], false);
                assert_eq!(frame["before"], 200);
            }
        }
    }
}

#[test]
fn it_is_printed_on_the_paper_of_each_continent() {
    let Some(browser) = browser() else {
        return;
    };
    let (place, _) = swept(300, "hostile.toml");
    for paper in ["A4", "letter"] {
        let size = format!("@page {{ size: {paper}; }}</style>");
        let page = place.read("report.html").replacen("</style>", &size, 1);
        fs::write(place.path("paper.html"), page).unwrap();
        let words = ["--no-pdf-header-footer", "--print-to-pdf=paper.pdf"];
        show(&browser, place.0.path(), &words, "paper.html");
        let pdf = fs::read(place.path("paper.pdf")).unwrap();
        assert!(pdf.starts_with(b"%PDF") && pdf.len() > 20_000, "{paper}");
    }
}
