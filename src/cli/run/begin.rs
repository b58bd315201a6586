//! What has to be so before the first call of a run: the state is whole, somebody means what is asked for, the disk has
//! room.

use std::{ffi::OsString, path::absolute, sync::Arc};

use tokio::sync::mpsc;

use super::{RunArgs, ask, record, setup::Setup};
use crate::{
    campaign::{
        brakes::{Baseline, BrakeOptions, night},
        counts::Counts,
        engine::{Engine, dispatcher::Dispatcher, trail},
        follow::Follower,
        journal::Journal,
        open::Opened,
        outcome::Tally,
        recover::{self, Evidence, RecoverError, Recovered, witness::Ledger},
        stop::Signal,
        tag::CampaignId,
    },
    cli::{ExitCode, Failure, ledger, terms::Terms, yes},
    client::{
        caller::{Caller, OnOutage},
        scans::ScanList,
    },
    defender::{HttpDefender, cloud::quota_realm},
    monitor::{Began, Monitor, count},
    quota::{self, Clock, Mark, MarkRow, Moment, Pacer},
    results::Layout,
    store::{Reach, Store},
};

/// What a run has of the world before its first call.
pub(super) struct World<'a> {
    pub(super) args: &'a RunArgs,
    pub(super) setup: &'a Setup,
    pub(super) defender: &'a Arc<HttpDefender>,
    pub(super) pacer: &'a Pacer,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) monitor: &'a Arc<dyn Monitor>,
}

impl World<'_> {
    /// Tells log and person that the campaign begins, or goes on.
    pub(super) fn announce(&self, campaign: &CampaignId, targets: u64, ended: &Tally) {
        let whose = &self.setup.connection;
        trail::began(
            campaign,
            targets,
            ended,
            [&whose.tenant, &whose.application],
        );
        self.monitor.began(&Began {
            campaign: &campaign.named(),
            targets,
            already_ended: ended.total(),
        });
    }

    /// What drives the run.
    pub(super) fn engine(
        &self,
        campaign: CampaignId,
        follower: Option<Arc<Follower<HttpDefender>>>,
    ) -> Engine<HttpDefender> {
        Engine {
            defender: Arc::clone(self.defender),
            tokens: Arc::clone(&self.setup.connection.tokens),
            pacer: self.pacer.clone(),
            clock: Arc::clone(self.clock),
            monitor: Arc::clone(self.monitor),
            workers: self.setup.workers,
            request_timeout: self.args.retry.request_timeout,
            campaign,
            canary_gate: Some(Arc::new(self.canary_gate(follower))),
        }
    }

    /// The campaign, once it may go on. What this command has begun is taken back where it may not.
    ///
    /// # Errors
    /// It may not: its state cannot be made whole, somebody says no, or nobody can be asked. Nothing was sent.
    pub(super) async fn allowed(
        &self,
        mut opened: Opened,
        brakes: &mut BrakeOptions,
        signals: &mut mpsc::Receiver<Signal>,
    ) -> Result<Opened, Failure> {
        let allowed = self.check(&mut opened, brakes, signals).await;
        if let Err(refused) = allowed {
            opened.withdraw()?;
            return Err(refused);
        }
        Ok(opened)
    }

    async fn check(
        &self,
        opened: &mut Opened,
        brakes: &mut BrakeOptions,
        signals: &mut mpsc::Receiver<Signal>,
    ) -> Result<(), Failure> {
        if opened.recovers {
            self.recover(opened, signals).await?;
        }
        opened.reach = opened.store.reach().map_err(Failure::storage)?;
        if self.args.resume.is_nightly() {
            let runs = ledger::stood(opened.store.run_starts()?);
            let standing = Baseline::of(&opened.reach, &opened.tally);
            brakes.before_tonight = Some(night::before(&runs, self.clock.wall(), standing));
        }
        let open = opened.targets - opened.tally.total();
        let machines = brakes.most(&opened.reach).min(open);
        let ended = opened.reach.sent_to.saturating_sub(opened.reach.open);
        let in_all = ended.saturating_add(machines);
        let mut asking = ask::Asking {
            args: self.args,
            pacer: self.pacer,
            clock: self.clock,
            monitor: self.monitor,
            signals,
        };
        if !self.args.connect.mock {
            asking.overlap(opened, self.setup).await?;
            let meant = asking.machines(&mut opened.store, machines, in_all, brakes, self.setup);
            meant.await?;
        } else if let Some(refused) = yes::refused(self.args.yes, machines) {
            return Err(refused);
        }
        asking.canaries(&mut opened.store, brakes, in_all).await?;
        opened.store.prove_room().map_err(Failure::storage)?;
        self.pacer.prove_room().await.map_err(Failure::storage)
    }

    /// What decides who is next, over the targets that are left; so many there are, and these have ended. It begins
    /// `now`, and draws lots by the seed.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn dispatcher(
        &self,
        store: &Store,
        (targets, tally): (u64, Tally),
        brakes: BrakeOptions,
        reach: Reach,
        (now, seed): (Moment, u64),
    ) -> Result<Dispatcher, Failure> {
        let settings = self.setup.settings(self.args, store.identity(), seed);
        let mut dispatcher = Dispatcher::new(settings, targets, tally)
            .with_brakes(brakes, reach)
            .giving_up_after(self.args.retry.give_up_after);
        let wall = || self.clock.wall();
        store
            .each_left(|left| dispatcher.left(left, now, wall()))
            .map_err(Failure::storage)?;
        if self.args.retry.skip_busy {
            dispatcher.skip_busy(wall());
        }
        Ok(dispatcher)
    }

    /// Makes the state whole. The results are as they were until that is done.
    async fn recover(
        &self,
        opened: &mut Opened,
        signals: &mut mpsc::Receiver<Signal>,
    ) -> Result<(), Failure> {
        let list = ScanList::new(Caller::new(
            Arc::clone(self.defender),
            Arc::clone(&self.setup.connection.tokens),
            self.pacer.clone(),
            Arc::clone(self.clock),
            OnOutage::Holds {
                at_most: self.args.retry.give_up_after,
                monitor: Arc::clone(self.monitor),
            },
        ));
        let now = self.clock.wall();
        let mark = self.mark_of(opened.campaign.as_str())?;
        let evidence = Evidence {
            results: &self.setup.places.results,
            ledger: mark
                .as_ref()
                .map_or(Ledger::None, |mark| Ledger::Marked(mark.committed)),
            // Every send is in the ledger before it leaves, and leaves within seconds.
            last_sent: mark.map_or(now, |mark| mark.touched + quota::PERMIT_LIFE),
            request_timeout: self.args.retry.request_timeout,
        };
        let recovering = recover::recover(
            &mut opened.store,
            &list,
            &evidence,
            self.clock.as_ref(),
            self.monitor.as_ref(),
        );
        let recovered = tokio::select! {
            biased;
            Some(_) = signals.recv() => {
                let why = "interrupted while the campaign was being recovered; nothing was sent. The same command \
                     goes on with it";
                return Err(Failure::new(ExitCode::Interrupted, why));
            }
            recovered = recovering => recovered.map_err(failure)?,
        };
        let Counts { tally, open } = Counts::of(&opened.store)?;
        opened.targets = tally.total() + open;
        opened.tally = tally;
        let Recovered {
            by_results,
            by_list,
            unsure,
            ..
        } = recovered;
        self.monitor.note(&format!(
            "recovered: {} found in the list of scans, {by_results} known by the results, {unsure} unsure, {open} \
             still to be scanned",
            count::of(by_list, "machine")
        ));
        // What was made whole stays, whatever is answered to the questions that come.
        opened.begun = None;
        Ok(())
    }

    fn mark_of(&self, campaign: &str) -> Result<Option<MarkRow>, Failure> {
        let Some(file) = self.setup.note.file() else {
            return Ok(None);
        };
        let marks = quota::marks(file).map_err(Failure::storage)?;
        Ok(marks.into_iter().find(|mark| mark.campaign == campaign))
    }

    /// Notes that the run begins, and begins to write: the ledger's mark, the reserve, the results.
    ///
    /// # Errors
    /// One of the files cannot be written. Nothing was sent.
    pub(super) async fn journal(
        &self,
        mut store: Store,
        targets: u64,
        command: &[OsString],
        terms: Terms,
    ) -> Result<Journal, Failure> {
        let layout = Layout::new(&store.identity().columns, self.args.output.excel);
        let this_run = record::of(
            &self.setup.connection,
            self.clock.as_ref(),
            command,
            self.setup.note.on(terms).to_json(),
        );
        let this_run = store.begin_run(&this_run).map_err(Failure::storage)?;
        let mark = self.keep_mark(&store, targets).await?;
        let journal = Journal::begin(store, this_run, &self.setup.places.results, &layout);
        Ok(journal.map_err(Failure::storage)?.with_ledger(mark))
    }

    /// Lets the ledger remember the campaign, and how far its state is, from here on.
    ///
    /// # Errors
    /// The ledger cannot be written.
    async fn keep_mark(&self, store: &Store, targets: u64) -> Result<Arc<Mark>, Failure> {
        let identity = store.identity();
        let committed = store.committed().map_err(Failure::storage)?;
        let mark = Mark::new(identity.campaign.as_str(), committed);
        if self.args.connect.mock {
            // A rehearsal is nobody's campaign.
            return Ok(mark);
        }
        let now = self.clock.wall();
        let whole = |path: &std::path::Path| absolute(path).unwrap_or_else(|_| path.to_owned());
        let connection = &self.setup.connection;
        let row = MarkRow {
            campaign: identity.campaign.clone(),
            committed,
            state: whole(&self.setup.places.state),
            results: whole(&self.setup.places.results),
            input: whole(&self.args.targets),
            cloud: quota_realm(&connection.base),
            tenant: connection.tenant.clone(),
            application: connection.application.clone(),
            targets,
            started: identity.created,
            touched: now,
            ended: None,
            abandoned: false,
        };
        self.pacer
            .keep_mark(Arc::clone(&mark), row)
            .await
            .map_err(Failure::storage)?;
        Ok(mark)
    }

    /// Notes in the ledger that every row of the campaign has ended.
    pub(super) async fn end_mark(&self, campaign: &CampaignId) {
        if let Err(e) = self.pacer.end_mark(campaign.as_str(), false).await {
            // It is taken for unfinished, and whoever begins another one over its machines is asked.
            tracing::warn!("{e}");
        }
    }
}

fn failure(e: RecoverError) -> Failure {
    match e {
        e @ (RecoverError::Forbidden(_) | RecoverError::SignIn(_)) => {
            Failure::new(ExitCode::Tenant, e)
        }
        e @ RecoverError::Input { .. } => Failure::usage(e),
        e => Failure::storage(e),
    }
}
