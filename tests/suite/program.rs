//! The program and the mock tenant as processes of their own.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
};

pub(super) const BINARY: &str = env!("CARGO_BIN_EXE_fleetsweep");

/// The program in `folder`, with none of the caller's settings.
pub(super) fn fleetsweep(folder: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command
        .current_dir(folder)
        .env_remove("FLEETSWEEP_TOKEN")
        .env_remove("FLEETSWEEP_NOTIFY")
        .env_remove("RUST_LOG")
        .env("XDG_STATE_HOME", state_home(folder))
        .stdin(Stdio::null());
    command
}

/// Where the quota ledger goes, in place of the folder of whoever runs the tests.
pub(super) fn state_home(folder: &Path) -> PathBuf {
    folder.join("state-home")
}

/// Makes a quota ledger, `quota.db`, in `folder`, if there is none, for who names it by `--quota-file`.
pub(super) fn quota_file(folder: &Path) -> &'static str {
    const NAME: &str = "quota.db";
    if !folder.join(NAME).exists() {
        let made = fleetsweep(folder).args(["quota", "create", NAME]).output();
        let made = made.unwrap();
        assert!(made.status.success(), "{made:?}");
    }
    NAME
}

/// So many machines.
pub(super) fn fleet(size: u32) -> String {
    let mut list = "machine_id\n".to_owned();
    for n in 0..size {
        writeln!(list, "{n:040x}").unwrap();
    }
    list
}

/// A mock tenant in a process of its own, which ends with this.
pub(super) struct Server {
    child: Child,
    // Unread outside of unix, where nobody can interrupt the mock.
    #[cfg_attr(
        not(unix),
        expect(dead_code, reason = "kept open, so that the mock can write to it")
    )]
    report: BufReader<ChildStderr>,
    url: String,
}

impl Server {
    /// Starts `fleetsweep mock`; without `--listen` in `options` it takes any free port.
    pub(super) fn start(options: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command.arg("mock");
        if !options.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let mut child = command
            .args(options)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut report = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        report.read_line(&mut line).unwrap();
        let url = line
            .split_once("mock tenant at ")
            .and_then(|(_, rest)| rest.split_once(','))
            .map_or_else(
                || panic!("the mock said {line:?}"),
                |(url, _)| url.to_owned(),
            );
        Self { child, report, url }
    }

    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// What it has seen so far: the answer to a GET of `path`, which costs no quota.
    pub(super) fn saw(&self, path: &str) -> serde_json::Value {
        let address = self.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: mock\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {answer}"))
    }

    /// Promise 1 as it saw it: nothing was refused, and no window of a limit held more.
    #[cfg(unix)]
    pub(super) fn assert_never_over(&self) {
        let recorder = self.saw("/mock/witness");
        for (kind, saw) in recorder["kinds"].as_object().unwrap() {
            assert_eq!(saw["throttled"], 0, "{kind}: {recorder:#}");
            assert_eq!(saw["early"], 0, "{kind}: {recorder:#}");
            for window in saw["busiest"].as_array().unwrap() {
                let number = |name: &str| window[name].as_u64().unwrap();
                assert!(number("calls") <= number("limit"), "{kind}: {recorder:#}");
            }
        }
    }

    /// Promise 3 as it saw it: so many machines were scanned, each once.
    #[cfg(unix)]
    pub(super) fn assert_one_scan_each(&self, machines: u32) {
        let scans = &self.saw("/mock/witness")["scans"];
        assert_eq!(scans["machines_scanned_more_than_once"], 0, "{scans:#}");
        assert_eq!(scans["machines"], machines, "{scans:#}");
        assert_eq!(scans["total"], machines, "{scans:#}");
    }

    /// Ends the mock by Ctrl-C and gives what it says that it saw.
    #[cfg(unix)]
    pub(super) fn stop(self) -> String {
        let (summary, code) = self.end();
        assert_eq!(code, Some(0), "{summary}");
        summary
    }

    /// The same, and the exit code.
    #[cfg(unix)]
    pub(super) fn end(mut self) -> (String, Option<i32>) {
        interrupt(&self.child);
        let mut summary = String::new();
        self.report.read_to_string(&mut summary).unwrap();
        (summary, self.child.wait().unwrap().code())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets another process get on, which is looked at in a loop. Without a pause the loop would take a core from it.
#[expect(
    clippy::disallowed_methods,
    reason = "processes have no virtual time, and somebody has to wait for them"
)]
pub(super) fn look_again() {
    std::thread::sleep(std::time::Duration::from_millis(2));
}

#[cfg(unix)]
pub(super) fn interrupt(child: &Child) {
    signal(child, "-INT");
}

/// Sends a signal by its name as `kill` has it.
#[cfg(unix)]
pub(super) fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let sent = Command::new("kill").args([name, &id]).status().unwrap();
    assert!(sent.success());
}
