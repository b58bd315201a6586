//! Whether the others may start once the canaries are accepted: their scans may have to succeed first, and a person at a
//! terminal may have to say so.

use std::{pin::Pin, sync::Arc};

use super::{
    brakes::Passed,
    follow::{FollowError, Follower},
    stop::StopReason,
};
use crate::{defender::Defender, monitor::Monitor};

/// What the engine awaits.
type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Says whether the others may start. What it takes time for ends with its future, which the engine drops when the campaign
/// stops.
pub trait CanaryJudge: Send + Sync {
    /// So many canaries have been accepted.
    fn judge(&self, passed: Passed) -> Boxed<Result<(), StopReason>>;
}

/// A person who can be asked. The answer may take its time; the asking must not block the thread.
pub trait Asker: Send + Sync {
    /// Puts the question, and gives the answer: yes, or anything else.
    fn ask(&self, question: &str) -> Boxed<bool>;
}

/// The judge of a run.
pub struct Jury<D> {
    /// Follows the canaries' scans until they have succeeded, if they must.
    pub follower: Option<Arc<Follower<D>>>,
    /// Whom to ask; if nobody, the others start by themselves.
    pub asker: Option<Arc<dyn Asker>>,
    /// Who is told.
    pub monitor: Arc<dyn Monitor>,
}

impl<D: Defender> CanaryJudge for Jury<D> {
    fn judge(&self, passed: Passed) -> Boxed<Result<(), StopReason>> {
        let (follower, asker) = (self.follower.clone(), self.asker.clone());
        let monitor = Arc::clone(&self.monitor);
        Box::pin(async move {
            let Passed { canaries, others } = passed;
            let succeeded = follower.is_some();
            if let Some(follower) = follower {
                monitor.note(&format!(
                    "{canaries} canaries were accepted; their scans are followed before the others start"
                ));
                follow(&follower, canaries).await?;
            }
            let how = if succeeded {
                "succeeded"
            } else {
                "were accepted"
            };
            let Some(asker) = asker else {
                monitor.note(&format!(
                    "{canaries} canaries {how}; the other {others} start now"
                ));
                return Ok(());
            };
            let question = format!("{canaries} canaries {how}: start the other {others}? [y/N] ");
            if asker.ask(&question).await {
                Ok(())
            } else {
                Err(StopReason::Brake(format!(
                    "--canary {canaries}: {canaries} canaries {how}, and the other {others} were not to start; the same command \
                     asks again"
                )))
            }
        })
    }
}

async fn follow<D: Defender>(follower: &Follower<D>, canaries: u64) -> Result<(), StopReason> {
    match follower.until_succeeded().await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(StopReason::Brake(format!(
            "--canary {canaries} --follow: of the canaries' scans {why}; look at these machines; the same command goes on with a \
             --canary below {canaries}, or without it"
        ))),
        Err(e @ FollowError::Tenant(_)) => Err(StopReason::Tenant(e.to_string())),
        Err(FollowError::Disk(why)) => Err(StopReason::Disk(why)),
    }
}
