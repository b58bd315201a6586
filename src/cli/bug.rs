//! A panic in any task or thread ends the process with a message and exit code 5.
//!
//! If only the task or thread ended, others could wait for it for ever, or go on although it has not written what it
//! should have. The process ends as if it had been killed, which is safe: state, results and ledger are consistent at
//! every moment, and the same command goes on.

use std::{
    any::Any,
    backtrace::{Backtrace, BacktraceStatus},
    io::{IsTerminal as _, Write as _, stderr},
    panic,
};

use super::{ExitCode, screen};
use crate::{
    monitor::{JsonEvent, keys},
    plain_text::one_line,
};

/// Installs the panic hook. It holds for the whole process, so only `main` should call it.
pub fn exit_on_panic() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let message = message(panic.payload(), place.as_deref());
        let mut out = stderr().lock();
        // If there is a progress bar, the cursor is at its end. If stderr is closed, there is nowhere to report it.
        let bar_ends = if out.is_terminal() { "\n" } else { "" };
        keys::show();
        if screen::is_in_json() {
            let exit_code = ExitCode::Storage.number();
            let why = Some(message.as_str());
            let _ = writeln!(out, "{}", JsonEvent::End { exit_code, why }.line());
        } else {
            let _ = writeln!(out, "{bar_ends}{message}");
        }
        // The log may wait for a thread that draws, and that one for this lock.
        drop(out);
        // Somebody may read the log later, and this is its last line.
        tracing::error!(target: "fleetsweep::bug", event = "bug", "{message}");
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured && !screen::is_in_json() {
            let _ = writeln!(stderr(), "{trace}");
        }
        #[expect(
            clippy::exit,
            clippy::disallowed_methods,
            reason = "main may not be waiting for the thread that panicked, so it cannot return the code"
        )]
        std::process::exit(ExitCode::Storage.number().into());
    }));
}

/// The message for a panic.
fn message(payload: &(dyn Any + Send), place: Option<&str>) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message");
    let text = one_line(text);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let place = place.unwrap_or("an unknown place");
    format!(
        "fleetsweep met a bug: {text}, at {place}. What has been reported is on disk; the same command goes on with \
         the campaign. Please report this."
    )
}

#[cfg(test)]
mod tests {
    use std::{env, future, process::Command, thread};

    use super::*;
    use crate::monitor::logs::{self, LogFormat, LogOptions, LogTarget};

    /// Tells the child below what to do.
    const DEED: &str = "FLEETSWEEP_TEST_PANIC";
    /// Names its log.
    const LOG: &str = "FLEETSWEEP_TEST_LOG";

    #[test]
    #[ignore = "the child of the test below: it ends its process"]
    fn child() {
        let Ok(deed) = env::var(DEED) else { return };
        exit_on_panic();
        let log = LogOptions {
            filter: None,
            verbosity: -1,
            format: LogFormat::Json,
            colour: false,
            target: LogTarget::Stderr,
            file: Some(env::var(LOG).unwrap().into()),
            now: None,
        };
        logs::start(&log).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            match deed.as_str() {
                "main" => panic!("a slip\nin {}", "two lines"),
                "task" => drop(tokio::spawn(async { panic!("a slip in a task") })),
                "blocking" => drop(tokio::task::spawn_blocking(|| {
                    panic!("a slip in a task that blocks")
                })),
                "thread" => drop(thread::spawn(|| panic!("a slip in a thread"))),
                "payload" => panic::panic_any(5),
                "caught" => drop(panic::catch_unwind(|| panic!("a slip that is caught"))),
                other => panic!("what is {other}?"),
            }
            // Nobody waits for what panicked, and the rest would wait for ever.
            future::pending::<()>().await;
        });
    }

    #[test]
    fn a_panic_anywhere_exit_on_panic_in_words_with_5_and_is_in_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        for (deed, words) in [
            ("main", "a slip in two lines, at src/cli/bug.rs:"),
            ("task", "a slip in a task, at src/cli/bug.rs:"),
            ("blocking", "a slip in a task that blocks, at src/"),
            ("thread", "a slip in a thread, at src/cli/bug.rs:"),
            ("payload", "without a message, at src/"),
            ("caught", "a slip that is caught, at src/"),
        ] {
            let done = Command::new(env::current_exe().unwrap())
                .args([
                    "--exact",
                    "cli::bug::tests::child",
                    "--ignored",
                    "--nocapture",
                ])
                .env(DEED, deed)
                .env(LOG, &log)
                .env_remove("RUST_BACKTRACE")
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&done.stderr);
            assert_eq!(done.status.code(), Some(5), "{deed}: {told}");
            let line = told.trim_end();
            assert!(!line.contains('\n'), "{deed}: {told}");
            let begins = line.starts_with("fleetsweep met a bug: ");
            assert!(begins && line.contains(words), "{deed}: {told}");
            assert!(line.ends_with("Please report this."), "{deed}: {told}");
            let logged = std::fs::read_to_string(&log).unwrap();
            let last = logged.lines().last().unwrap();
            assert!(last.contains(words), "{deed}: {logged}");
            assert!(last.contains("fleetsweep::bug"), "{deed}: {logged}");
        }
    }
}
