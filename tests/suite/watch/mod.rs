//! Machines that watch the real program: metrics, a command at the end, notices to a URL.

mod agreement_in_virtual_time;
mod commands;
mod events;
mod metrics;
mod notices;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    sync::{Arc, Mutex},
};

use serde_json::Value;

use super::program::{Server, fleet, fleetsweep, interrupt, look_again};

/// Counts by name.
pub(super) type Counts = BTreeMap<String, u64>;

pub(super) fn folder(machines: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("fleet.csv"), fleet(machines)).unwrap();
    folder
}

/// `run fleet.csv` with these words, a token, and a mock of its own unless they name another API.
pub(super) fn run(folder: &Path, words: &[&str]) -> Command {
    let mut command = fleetsweep(folder);
    command.env("FLEETSWEEP_TOKEN", "mock");
    command.args(["run", "fleet.csv"]).args(words);
    command
}

/// A run whose stderr is read as it comes.
pub(super) struct Running {
    pub(super) child: Child,
    lines: BufReader<ChildStderr>,
}

impl Running {
    pub(super) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        Self { child, lines }
    }

    /// Reads on to the line that contains this.
    pub(super) fn line(&mut self, words: &str) -> String {
        let mut read = String::new();
        loop {
            let before = read.len();
            assert!(
                self.lines.read_line(&mut read).unwrap() > 0,
                "{words}: {read}"
            );
            if read[before..].contains(words) {
                return read[before..].trim_end().to_owned();
            }
        }
    }

    /// Where the metrics are.
    pub(super) fn address(&mut self) -> String {
        let line = self.line("metrics are at http://");
        let (_, rest) = line.split_once("http://").unwrap();
        rest.split_once('/').unwrap().0.to_owned()
    }

    /// The exit code, and what else it said.
    pub(super) fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What an HTTP server answers: the head, and the body.
fn ask(address: &str, method: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// The samples of a scrape.
pub(super) struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    pub(super) fn of(address: &str) -> Self {
        let (head, text) = ask(address, "GET", "/metrics");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(
            head.contains(
                "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"
            ),
            "{head}"
        );
        Self::read(&text)
    }

    fn read(text: &str) -> Self {
        assert!(text.ends_with("# EOF\n"), "{text}");
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        });
        Self(samples.collect())
    }

    /// The counts of a metric by the values of its labels, with a blank between those.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are small"
    )]
    pub(super) fn counts(&self, name: &str) -> Counts {
        let of = self.0.iter().filter_map(|(sample, value)| {
            let labels = sample.strip_prefix(name)?.strip_prefix('{')?;
            let values: Vec<_> = labels.split('"').skip(1).step_by(2).collect();
            Some((values.join(" "), *value as u64))
        });
        of.collect()
    }

    fn value(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }
}

/// Somebody who is notified.
struct Receiver {
    url: String,
    posts: Arc<Mutex<Vec<(String, String)>>>,
}

/// In place of a status: there is never an answer.
const NEVER: u16 = 0;

impl Receiver {
    /// Answers with these statuses in turn, and with the last one from then on.
    fn start(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = listener.local_addr().unwrap().to_string();
        let posts = Arc::<Mutex<Vec<(String, String)>>>::default();
        let seen = Arc::clone(&posts);
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for (n, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                // Whoever speaks TLS to it is not understood.
                let Some(post) = post(&stream) else {
                    continue;
                };
                seen.lock().unwrap().push(post);
                match statuses[n.min(statuses.len() - 1)] {
                    NEVER => kept.push(stream),
                    status => {
                        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
                        // Whoever does not wait for it is no trouble here.
                        let _ = stream.write_all(answer.as_bytes());
                    }
                }
            }
        });
        Self { url, posts }
    }

    /// Heads and bodies of the requests so far.
    fn posts(&self) -> Vec<(String, String)> {
        self.posts.lock().unwrap().clone()
    }

    /// The notices so far.
    fn notices(&self) -> Vec<Value> {
        let posts = self.posts();
        let bodies = posts.iter().map(|(_, body)| body);
        bodies
            .map(|body| serde_json::from_str(body).unwrap())
            .collect()
    }

    /// Waits until so many have come.
    fn until(&self, count: usize) {
        while self.posts().len() < count {
            look_again();
        }
    }
}

fn post(stream: &TcpStream) -> Option<(String, String)> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let read = reader.read_line(&mut head);
        read.ok().filter(|read| *read > 0)?;
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_it = name.eq_ignore_ascii_case("content-length");
        is_it.then(|| value.trim().parse::<usize>().unwrap())
    });
    let mut body = vec![0; length.unwrap()];
    reader.read_exact(&mut body).unwrap();
    Some((head, String::from_utf8(body).unwrap()))
}

/// A command for `--on-end` that writes its facts to `facts.json` and ends when there is a file `go`.
pub(super) const UNTIL_GO: &str =
    "sh -c 'cat > facts.part; mv facts.part facts.json; until [ -e go ]; do sleep 0.02; done'";

pub(super) fn sum(counts: &Counts) -> u64 {
    counts.values().sum()
}

pub(super) fn counts(json: &Value) -> Counts {
    serde_json::from_value(json.clone()).unwrap()
}
