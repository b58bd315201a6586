//! The server that is measured against.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStderr},
};

use super::{BenchArgs, this_program};
use crate::{cli::Failure, defender::ApiBase};

/// The server that is measured against. One that was started here ends with this.
pub(super) struct Server {
    url: String,
    ca: Option<PathBuf>,
    /// With its report, so that it can write to it until it is killed, which dropping it does.
    _child: Option<(Child, BufReader<ChildStderr>)>,
}

impl Server {
    /// A server that somebody has started.
    ///
    /// # Errors
    /// It is not on this computer: a real tenant is not to be measured.
    pub(super) fn elsewhere(url: &str) -> Result<Self, Failure> {
        let base = ApiBase::parse(url).map_err(|e| Failure::usage(format!("--url: {e}")))?;
        if !base.is_loopback() {
            return Err(Failure::usage(
                "--url: only a server on this computer is measured, such as `fleetsweep mock --limit none --no-record`",
            ));
        }
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            ca: None,
            _child: None,
        })
    }

    /// Starts a mock without limits.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) async fn start(args: &BenchArgs, ca: &Path) -> Result<Self, Failure> {
        let mut command = this_program()?;
        command.args(["mock", "--listen", "127.0.0.1:0", "--limit", "none"]);
        command.args(["--no-record", "--machines", "0"]);
        if args.tls {
            command.arg("--tls").arg("--ca-out").arg(ca);
        }
        if args.http1 {
            command.arg("--http1");
        }
        if let Some(scenario) = &args.scenario.scenario {
            command.arg("--scenario").arg(scenario);
        }
        let failed = |why: &dyn std::fmt::Display| {
            Failure::storage(format!("the mock could not be started: {why}"))
        };
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| failed(&e))?;
        let stderr = child.stderr.take();
        let mut report = BufReader::new(stderr.ok_or_else(|| failed(&"it has no stderr"))?);
        let mut first = String::new();
        report.read_line(&mut first).await.map_err(|e| failed(&e))?;
        let mut words = first.split([' ', ',']);
        let url = words.find(|word| word.starts_with("http"));
        let url = url.ok_or_else(|| failed(&first.trim_end()))?.to_owned();
        Ok(Self {
            url,
            ca: args.tls.then(|| ca.to_owned()),
            _child: Some((child, report)),
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The certificate of the authority to trust.
    pub(super) fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }
}
