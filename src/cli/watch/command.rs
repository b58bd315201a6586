//! The command of `--on-end`: a program that is started once, when all is over.

use std::{
    io,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    time::timeout,
};

use crate::{cli::Failure, plain_text::kept};

/// How long it may run.
const AT_MOST: Duration = Duration::from_mins(1);

/// How long its last words are waited for once it has ended: a program that it has started may hold its stderr open.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// So many bytes at the end of its stderr are kept.
const KEPT: usize = 1024;

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EndCommand {
    program: String,
    arguments: Vec<String>,
}

impl EndCommand {
    /// Splits a command line into words, as a POSIX shell splits them.
    ///
    /// # Errors
    /// A quote is not closed, there is no word, or there is no such program.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| Failure::usage(format!("--on-end {why}"));
        let words = shlex::split(text);
        let words = words.ok_or_else(|| wrong("has a quote that is not closed"))?;
        let mut words = words.into_iter();
        let program = words.next().filter(|program| !program.is_empty());
        let program = program.ok_or_else(|| wrong("names no program"))?;
        if !is_there(&program) {
            return Err(wrong(&format!(
                "names a program that is not there: {program}"
            )));
        }
        Ok(Self {
            program,
            arguments: words.collect(),
        })
    }

    /// Starts the program, gives it the facts, and waits until it ends, or has to be killed.
    ///
    /// # Errors
    /// It could not be started, it failed, or it was killed: in words.
    pub(super) async fn run(&self, facts: &str) -> Result<(), String> {
        let program = &self.program;
        let mut command = Command::new(program);
        command
            .args(&self.arguments)
            .stdin(Stdio::piped())
            // Our stdout is for data, and our stderr may be events.
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command
            .spawn()
            .map_err(|e| format!("{program} cannot be started: {e}"))?;
        let group = Group::of(&child);
        let attended = timeout(AT_MOST, attend(&mut child, format!("{facts}\n"))).await;
        let Ok(attended) = attended else {
            let secs = AT_MOST.as_secs();
            return Err(format!(
                "{program} was still running after {secs} s and was killed"
            ));
        };
        group.leave();
        match attended {
            Ok((status, _)) if status.success() => Ok(()),
            Ok((status, words)) if words.is_empty() => {
                Err(format!("{program} ended with {status}"))
            }
            Ok((status, words)) => Err(format!("{program} ended with {status}: {words}")),
            Err(e) => Err(format!("{program} cannot be waited for: {e}")),
        }
    }
}

/// Gives the program the facts, and returns how it ended and the last line of its stderr.
async fn attend(child: &mut Child, facts: String) -> io::Result<(ExitStatus, String)> {
    if let Some(mut stdin) = child.stdin.take() {
        tokio::spawn(async move {
            // A program need not read them.
            let _ = stdin.write_all(facts.as_bytes()).await;
        });
    }
    let stderr = child.stderr.take();
    let listening = tokio::spawn(async move {
        match stderr {
            Some(stderr) => last_line(stderr).await,
            None => String::new(),
        }
    });
    let status = child.wait().await?;
    let words = timeout(LAST_WORDS, listening).await;
    Ok((status, words.ok().and_then(Result::ok).unwrap_or_default()))
}

/// Reads to the end, so that the writer is not held up, and returns the last line.
async fn last_line(mut from: impl AsyncRead + Unpin) -> String {
    let mut end = Vec::new();
    let mut some = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut some).await {
        end.extend_from_slice(&some[..read]);
        end.drain(..end.len().saturating_sub(KEPT));
    }
    let end = String::from_utf8_lossy(&end);
    kept(end.trim().lines().last().unwrap_or_default())
}

/// Whether a program can be started by this name, as far as that is known beforehand.
fn is_there(program: &str) -> bool {
    // Windows completes names in ways of its own, and so does whoever starts it there.
    if cfg!(windows) {
        return true;
    }
    let path = Path::new(program);
    if path.components().count() > 1 {
        return path.is_file();
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(path).is_file())
}

/// A process group.
#[cfg(unix)]
type GroupId = rustix::process::Pid;

/// There are none there. The program alone is killed, when its [`Child`] is dropped.
#[cfg(not(unix))]
type GroupId = std::convert::Infallible;

/// The process group of a program, so that what it has started is killed with it. Killed on drop, unless it is over.
struct Group(Option<GroupId>);

impl Group {
    #[cfg(unix)]
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(GroupId::from_raw))
    }

    #[cfg(not(unix))]
    fn of(_: &Child) -> Self {
        Self(None)
    }

    /// The program has ended by itself. What it has left running stays.
    fn leave(mut self) {
        self.0 = None;
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            // It may have ended just now.
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::*;

    fn sh(script: &str) -> EndCommand {
        EndCommand {
            program: "sh".to_owned(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
        }
    }

    #[test]
    fn a_command_line_is_split_as_a_shell_does_it() {
        let command = EndCommand::parse(r#"sh -c 'a b' "c \"d" e\ f '$HOME'"#).unwrap();
        assert_eq!(command.program, "sh");
        assert_eq!(command.arguments, ["-c", "a b", "c \"d", "e f", "$HOME"]);
        for (text, words) in [
            ("sh 'a", "a quote that is not closed"),
            ("", "names no program"),
            ("''", "names no program"),
            ("./no-such-program a", "not there: ./no-such-program"),
            (
                "no-such-program-either",
                "not there: no-such-program-either",
            ),
            ("/", "not there: /"),
        ] {
            let refused = EndCommand::parse(text).unwrap_err();
            assert_eq!(refused.code, crate::cli::ExitCode::Usage);
            assert!(refused.why.contains(words), "{}", refused.why);
        }
    }

    #[tokio::test]
    async fn it_gets_the_facts_and_what_it_prints_goes_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("facts");
        let script = format!("cat > {}; echo out; echo err >&2", file.display());
        assert_eq!(sh(&script).run("{\"v\":1}").await, Ok(()));
        assert_eq!(fs::read_to_string(file).unwrap(), "{\"v\":1}\n");
    }

    #[tokio::test]
    async fn a_failure_is_told_with_its_last_words() {
        let failed = sh("echo one >&2; printf 'two\\033[2J\\n' >&2; exit 7")
            .run("")
            .await;
        assert_eq!(failed.unwrap_err(), "sh ended with exit status: 7: two [2J");
        let failed = sh("exit 1").run("").await;
        assert_eq!(failed.unwrap_err(), "sh ended with exit status: 1");
        let gone = EndCommand {
            program: "/no/such/program".to_owned(),
            arguments: Vec::new(),
        };
        let why = gone.run("").await.unwrap_err();
        assert!(
            why.starts_with("/no/such/program cannot be started: "),
            "{why}"
        );
    }

    #[tokio::test]
    async fn one_that_reads_nothing_and_writes_much_is_not_held_up() {
        let much = "x".repeat(1 << 20);
        let done = sh("yes | head -c 1000000 >&2").run(&much).await;
        assert_eq!(done, Ok(()));
    }

    #[tokio::test]
    async fn what_it_leaves_running_is_not_waited_for() {
        // It would hold stderr open for a minute.
        let script = "sleep 60 & echo gone >&2; exit 3";
        let why = sh(script).run("").await.unwrap_err();
        assert!(why.starts_with("sh ended with exit status: 3"), "{why}");
    }

    /// The clock jumps to the minute's end, since nothing else is waited for on it.
    #[tokio::test(start_paused = true)]
    async fn after_a_minute_it_is_killed_with_all_that_it_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("id");
        // A child of the shell's own, whose id is written before anything else happens.
        let fifo = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap();
        assert!(made.success());
        let script = format!(
            "sleep 1000 & echo $! > {}; cat {}; wait",
            file.display(),
            fifo.display()
        );
        // Writing to the pipe waits for its reader, and the paused clock waits for that.
        let reached = tokio::task::spawn_blocking(move || fs::write(fifo, ""));
        let command = sh(&script);
        let (done, reached) = tokio::join!(command.run(""), reached);
        reached.unwrap().unwrap();
        assert_eq!(
            done.unwrap_err(),
            "sh was still running after 60 s and was killed"
        );
        let id: i32 = fs::read_to_string(file).unwrap().trim().parse().unwrap();
        let id = rustix::process::Pid::from_raw(id).unwrap();
        // A killed process is there until its parent, by now init, has heard of it.
        while rustix::process::test_kill_process(id).is_ok() && !is_zombie(id) {
            std::thread::yield_now();
        }
    }

    fn is_zombie(id: rustix::process::Pid) -> bool {
        let id = id.as_raw_nonzero().to_string();
        let state = std::process::Command::new("ps")
            .args(["-o", "state=", "-p", &id])
            .output();
        state.is_ok_and(|state| state.stdout.first() == Some(&b'Z'))
    }
}
