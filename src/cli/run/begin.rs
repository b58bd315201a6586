//! What happens before the first call of a run: a damaged state is recovered, questions are asked, the disk is checked
//! for room, and the engine, the dispatcher and the journal are created.

use std::{
    ffi::OsString,
    path::{Path, absolute},
    sync::Arc,
};

use tokio::sync::mpsc;

use super::{ask::Questions, context::RunContext, record};
use crate::{
    campaign::{
        away::Away,
        brakes::{Baseline, BrakeOptions, night},
        counts::Counts,
        engine::dispatcher::Dispatcher,
        journal::{self, Journal},
        open::{Marks, Opened},
        recover::{self, Evidence, RecoverError, Recovered, witness::Ledger},
        stop::Signal,
        tag::CampaignId,
    },
    cli::{ExitCode, Failure, ledger, run_bounds::RunBounds, yes},
    client::scans::{ListingError, ScanList},
    defender::cloud::quota_realm,
    monitor::count,
    quota::{self, Mark, MarkRow, Moment},
    store::Store,
};

impl RunContext {
    /// Makes the state whole if `--recover` asks for it, asks the questions that have to be asked, and checks that the
    /// disk has room. If the campaign may not start or go on, what this command has created is removed again.
    ///
    /// # Errors
    /// The state cannot be made whole, the answer to a question is no, or nobody can be asked. Nothing was sent.
    pub(super) async fn admit(
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
        let columns = &opened.store.identity().columns;
        let found = self.args.running.limits().find(columns);
        found.map_err(Failure::usage)?;
        if opened.recovers {
            self.recover(opened, signals).await?;
        }
        opened.reach = opened.store.reach()?;
        if self.args.resume.is_nightly() {
            let runs = ledger::run_starts(opened.store.run_starts()?);
            let now = self.api.clock.wall();
            let standing = Baseline::of(&opened.reach, &opened.tally);
            brakes.before_tonight = Some(night::before(&runs, now, standing));
        }
        let open = opened.targets - opened.tally.total();
        let machines = brakes.most(&opened.reach).min(open);
        let ended = opened.reach.sent_to.saturating_sub(opened.reach.open);
        let in_all = ended.saturating_add(machines);
        let mut questions = Questions { run: self, signals };
        if !self.args.connect.mock {
            questions.overlap(opened).await?;
            questions
                .machines(&mut opened.store, machines, in_all, brakes)
                .await?;
        } else if let Some(refused) = yes::refused(self.args.yes, machines) {
            return Err(refused);
        }
        questions
            .canaries(&mut opened.store, brakes, in_all)
            .await?;
        opened.store.prove_room()?;
        self.api.pacer.prove_room().await?;
        self.check_workbook(opened)?;
        self.give_up_abandoned()
    }

    /// Records that the campaign of `--abandon` is given up. Until here the run may be refused, and it is not.
    fn give_up_abandoned(&self) -> Result<(), Failure> {
        let (Some(id), Some(ledger)) = (&self.args.resume.abandon, self.setup.note.file()) else {
            return Ok(());
        };
        quota::abandon(ledger, id, self.api.clock.as_ref())?;
        tracing::warn!("campaign {id} is given up by --abandon");
        Ok(())
    }

    /// The dispatcher, which decides what is sent next, with the targets that are left. Those whose machines are `away`
    /// are set aside. `now` is when the run starts; `seed` is for its random choices.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn dispatcher(
        &self,
        opened: &Opened,
        brakes: BrakeOptions,
        away: Option<&Away>,
        now: Moment,
        seed: u64,
    ) -> Result<Dispatcher, Failure> {
        let store = &opened.store;
        let settings = self.setup.settings(&self.args, store.identity(), seed);
        let mut dispatcher = Dispatcher::new(settings, opened.targets, opened.tally)
            .with_brakes(brakes, opened.reach)
            .giving_up_after(self.args.retry.give_up_after);
        let wall = || self.api.clock.wall();
        let running = self.args.running.limits();
        let start = running.at_start(store, wall())?;
        dispatcher = dispatcher.with_running(&running, start, now, wall());
        if let Some(away) = away {
            dispatcher = dispatcher.with_away(away.at_start(store)?, now);
        }
        store.each_left(|left| dispatcher.left(left, now, wall()))?;
        if self.args.retry.skip_busy {
            dispatcher.skip_busy(wall());
        }
        Ok(dispatcher)
    }

    /// Recovers a state that has lost its end. The results file is not changed before that is done.
    async fn recover(
        &self,
        opened: &mut Opened,
        signals: &mut mpsc::Receiver<Signal>,
    ) -> Result<(), Failure> {
        let list = ScanList::new(self.api.caller(self.args.retry.give_up_after));
        let marks = Marks::read(self.setup.note.file().cloned())?;
        let mark = marks.of(opened.campaign.as_str());
        let evidence = Evidence {
            results: &self.setup.places.results,
            ledger: mark.map_or(Ledger::None, |mark| Ledger::Marked(mark.committed)),
            // Every send is in the ledger before it leaves, and leaves within seconds.
            last_sent: mark.map_or(self.api.clock.wall(), |mark| {
                mark.touched + quota::PERMIT_LIFE
            }),
            request_timeout: self.args.retry.request_timeout,
        };
        let recovering = recover::recover(
            &mut opened.store,
            &list,
            &evidence,
            self.api.clock.as_ref(),
            self.api.monitor.as_ref(),
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
        self.api.monitor.note(&format!(
            "recovered: {} found in the list of scans, {by_results} known by the results, {unsure} unsure, {open} \
             still to be scanned",
            count::of(by_list, "machine")
        ));
        // The recovered state stays, whatever the answers to the questions that follow.
        opened.begun = None;
        Ok(())
    }

    /// Records the run in the state, and opens what it writes to: the ledger's mark, the disk reserve and the results.
    ///
    /// # Errors
    /// One of the files cannot be written. Nothing was sent.
    pub(super) async fn journal(
        &self,
        mut store: Store,
        targets: u64,
        command: &[OsString],
        bounds: RunBounds,
    ) -> Result<Journal, Failure> {
        let this_run = record::this_run(
            &self.setup.connection,
            self.api.clock.as_ref(),
            command,
            self.setup.note.with_bounds(bounds).to_json(),
        );
        let this_run = store.begin_run(&this_run)?;
        if self.args.following.verify {
            store.begin_verifying(self.api.clock.wall())?;
        }
        let layout = journal::layout(&store, self.args.output.excel)?;
        let mark = self.keep_mark(&store, targets).await?;
        let journal = Journal::begin(store, this_run, &self.setup.places.results, &layout);
        Ok(journal.map_err(Failure::storage)?.with_ledger(mark))
    }

    /// Adds the campaign to the ledger, which from here on remembers how far its state is.
    ///
    /// # Errors
    /// The ledger cannot be written.
    async fn keep_mark(&self, store: &Store, targets: u64) -> Result<Arc<Mark>, Failure> {
        let identity = store.identity();
        let committed = store.committed()?;
        let mark = Mark::new(identity.campaign.as_str(), committed);
        if self.args.connect.mock {
            // The ledger does not remember rehearsals.
            return Ok(mark);
        }
        let whole = |path: &Path| absolute(path).unwrap_or_else(|_| path.to_owned());
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
            touched: self.api.clock.wall(),
            ended: None,
            abandoned: false,
        };
        self.api.pacer.keep_mark(Arc::clone(&mark), row).await?;
        Ok(mark)
    }

    /// Records in the ledger that every row of the campaign has ended.
    pub(super) async fn end_mark(&self, campaign: &CampaignId) {
        if let Err(e) = self.api.pacer.end_mark(campaign.as_str(), false).await {
            // The ledger still lists it as unfinished, so whoever starts another campaign on its machines is asked.
            tracing::warn!("{e}");
        }
    }
}

fn failure(e: RecoverError) -> Failure {
    match e {
        e @ (RecoverError::Forbidden(_) | RecoverError::SignIn(_)) => {
            Failure::new(ExitCode::Tenant, e)
        }
        e @ (RecoverError::Input { .. } | RecoverError::Scanned { .. }) => Failure::usage(e),
        // `--give-up-after` has ended the outage.
        e @ RecoverError::List(ListingError::Unanswered { .. }) => Failure::new(ExitCode::Brake, e),
        e @ RecoverError::List(_) => Failure::new(ExitCode::Tenant, e),
        e @ (RecoverError::Ledger(_) | RecoverError::Store(_) | RecoverError::Results(_)) => {
            Failure::storage(e)
        }
    }
}
