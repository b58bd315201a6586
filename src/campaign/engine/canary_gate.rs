//! Decides whether the other machines may start once the canaries have been accepted: the canaries' scans may
//! have to succeed first, and a person at a terminal may have to agree.

use std::{pin::Pin, sync::Arc};

use crate::campaign::{brakes::Passed, follow::Follower, stop::StopReason};
use crate::{
    defender::Defender,
    monitor::{Monitor, count},
};

/// A future that the engine awaits.
pub(super) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Decides whether the other machines may start. The engine drops the future when the campaign stops.
pub trait CanaryGate: Send + Sync {
    /// Decides, after this many canaries have been accepted.
    fn decide(&self, passed: Passed) -> Boxed<Answer>;
}

/// Whether the other machines may start, and who decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// They may, by this person's or option's decision.
    Yes(String),
    /// They may not, and that stands until somebody decides otherwise.
    No(String, StopReason),
    /// The canaries themselves stop the campaign.
    Stop(StopReason),
}

/// A person who can be asked. The answer may take its time, but asking must not block the thread.
pub trait Confirm: Send + Sync {
    /// Asks the question. Anything but a yes is a no.
    fn ask(&self, question: &str) -> Boxed<bool>;
}

/// Who decided, if a person was asked.
pub const AT_A_TERMINAL: &str = "at a terminal";

/// The gate of a run: follows the canaries' scans if that is wanted, then asks.
pub struct FollowedCanaries<D> {
    /// Follows the canaries' scans until they have succeeded, if they have to.
    pub follower: Option<Arc<Follower<D>>>,
    /// Who decides whether the other machines may start.
    pub word: Word,
    /// Where progress is reported.
    pub monitor: Arc<dyn Monitor>,
}

/// Who decides whether the other machines may start.
#[derive(Clone)]
pub enum Word {
    /// A person at a terminal.
    Asked(Arc<dyn Confirm>),
    /// Decided beforehand: they may, and who decided.
    Yes(&'static str),
    /// Decided beforehand: they may not, and who decided.
    No(&'static str),
}

impl<D: Defender> CanaryGate for FollowedCanaries<D> {
    fn decide(&self, passed: Passed) -> Boxed<Answer> {
        let (follower, word) = (self.follower.clone(), self.word.clone());
        let monitor = Arc::clone(&self.monitor);
        Box::pin(async move {
            let Passed { canaries, others } = passed;
            let were = |verb: &str| format!("{} {verb}", count::of(canaries, "canary"));
            let was = count::word(canaries, "was", "were");
            let succeeded = follower.is_some();
            if let Some(follower) = follower {
                monitor.note(&format!(
                    "{}; {} followed before the others start",
                    were(&format!("{was} accepted")),
                    count::word(canaries, "its scan is", "their scans are")
                ));
                if let Err(stop) = follow(&follower, canaries).await {
                    return Answer::Stop(stop);
                }
            }
            let passed = if succeeded {
                were("succeeded")
            } else {
                were(&format!("{was} accepted"))
            };
            let starts = count::word(others, "starts", "start");
            let no = |who: &str| {
                let reason = StopReason::Brake(format!(
                    "--canary {canaries}: {passed}, and the answer was that the other {others} {} not to start; \
                     that holds until a yes at a terminal, or --canary-answer yes",
                    count::word(others, "is", "are")
                ));
                Answer::No(who.to_owned(), reason)
            };
            match word {
                Word::Yes(who) => {
                    monitor.note(&format!("{passed}; the other {others} {starts} now"));
                    Answer::Yes(who.to_owned())
                }
                Word::No(who) => no(who),
                Word::Asked(confirm) => {
                    let question = format!("{passed}: start the other {others}? [y/N] ");
                    if confirm.ask(&question).await {
                        Answer::Yes(AT_A_TERMINAL.to_owned())
                    } else {
                        no(AT_A_TERMINAL)
                    }
                }
            }
        })
    }
}

async fn follow<D: Defender>(follower: &Follower<D>, canaries: u64) -> Result<(), StopReason> {
    match follower.until_succeeded().await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(StopReason::Brake(format!(
            "--canary {canaries} --follow: of the canaries' scans {why}; look at these machines; the same \
             command goes on with a --canary below {canaries}, or without it"
        ))),
        Err(e) => Err(e.into()),
    }
}
