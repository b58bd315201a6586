//! What a run writes to disk: attempts before their calls, results after them, and whatever is left at its
//! end.

use super::{Ending, drive::Drive, worker::Order};
use crate::{
    campaign::{
        journal::{Batch, Journal, JournalError, Reading, Written},
        stop::StopReason,
    },
    defender::Defender,
    store::Record,
};

impl<D: Defender> Drive<D> {
    /// Writes the waiting records, unless a batch is being written already. Then they join the next one.
    pub(super) fn write(&mut self) {
        if self.writing.is_some() {
            return;
        }
        let reading = self.dispatcher.wants_reading(self.engine.clock.now());
        if reading.is_empty() && !self.dispatcher.has_records() {
            return;
        }
        if let Some(mut journal) = self.journal.take() {
            let batch = Batch {
                records: self.dispatcher.take_records(),
                reading,
            };
            self.being_written = std::mem::take(&mut self.staged);
            self.writing = Some(self.engine.disk.begin(move || {
                let result = journal.write(&batch);
                (journal, batch, result)
            }));
        }
    }

    pub(super) fn written(&mut self, batch: Batch, result: Result<Written, JournalError>) {
        let orders = std::mem::take(&mut self.being_written);
        match result {
            Ok(written) => {
                self.workers.take(orders);
                self.report_ended(&written);
                let has_ended = !written.ended.is_empty();
                if let Some((page, next)) = written.fresh {
                    self.dispatcher.page_came(page, next);
                }
                self.dispatcher
                    .parked_read(&batch.reading.parked, written.parked);
                self.dispatcher.recalled(
                    &batch.reading,
                    written.retries,
                    written.unconfirmed,
                    self.engine.clock.now(),
                );
                if has_ended {
                    self.report_progress();
                }
                self.dispatch();
            }
            Err(JournalError::Store(e)) => {
                for Order {
                    attempt, permit, ..
                } in orders
                {
                    permit.give_back();
                    self.dispatcher.unwritten(attempt.n);
                }
                let records = batch
                    .records
                    .into_iter()
                    .filter(|record| !matches!(record, Record::Begun { .. }));
                self.unwritten.extend(records);
                self.dispatcher.stop(StopReason::Disk(e.to_string()));
            }
            Err(
                e @ (JournalError::Unread(_) | JournalError::Results(_) | JournalError::NoResults),
            ) => {
                // Their attempts are in the store. They are recalled, and that is written too.
                self.workers.take(orders);
                self.dispatcher.stop(StopReason::Disk(e.to_string()));
            }
        }
    }

    /// Waits for the batch that is being written, writes what is left, and says how the run ended.
    pub(super) async fn end(mut self) -> Ending {
        self.report_brake();
        if let Some(writing) = self.writing.take() {
            #[expect(
                clippy::expect_used,
                reason = "a panic of the writing thread is a bug; nothing can be promised after it"
            )]
            let (journal, batch, result) = writing.await.expect("writing a batch does not panic");
            self.journal = Some(journal);
            self.written(batch, result);
        }
        self.recall_queued();
        // Replies that have come by now are not unsure.
        let wall = self.engine.clock.wall();
        while let Some(report) = self.workers.try_report() {
            self.dispatcher.reported(report, wall);
        }
        let now = self.engine.clock.now();
        self.waits.at(now, None);
        self.dispatcher.note_waits(self.waits.noted(now));
        let journal = self.write_the_rest().await;
        self.report_progress();
        let finished = self.reported.total() >= self.dispatcher.targets();
        let unanswered = self.dispatcher.in_flight() as u64;
        let attempts = self.dispatcher.attempts() + unanswered;
        Ending {
            stop: self.final_stop_reason(finished),
            journal: *journal,
            tally: self.reported,
            unsettled: self.dispatcher.unsettled(),
            is_finished: finished,
            change: self.dispatcher.change(wall),
            unanswered,
            attempts,
            calls: attempts + self.lister.calls() + self.sightings.calls(),
            throttled: self.dispatcher.throttled(),
            overdue: self.dispatcher.overdue(),
            campaign: self.engine.campaign,
            signals: self.signals,
            is_aborted: self.is_aborted,
        }
    }

    async fn write_the_rest(&mut self) -> Box<Journal> {
        #[expect(
            clippy::expect_used,
            reason = "it is at home whenever nothing is being written"
        )]
        let mut journal = self.journal.take().expect("the journal is at home");
        let mut records = std::mem::take(&mut self.unwritten);
        records.extend(self.dispatcher.take_records());
        if records.is_empty() {
            return journal;
        }
        let batch = Batch {
            records,
            reading: Reading::default(),
        };
        #[expect(clippy::expect_used, reason = "a panic of the writing thread is a bug")]
        let (journal, result) = tokio::task::spawn_blocking(move || {
            let result = journal.write(&batch);
            (journal, result)
        })
        .await
        .expect("writing a batch does not panic");
        match result {
            Ok(written) => self.report_ended(&written),
            Err(e) => self.dispatcher.stop(StopReason::Disk(e.to_string())),
        }
        journal
    }

    /// A campaign that is complete was not interrupted, whoever wanted to interrupt it.
    fn final_stop_reason(&self, finished: bool) -> Option<StopReason> {
        match self.dispatcher.stop_reason().cloned() {
            Some(StopReason::Interrupted) if finished => None,
            Some(StopReason::Brake(_)) if finished && self.is_ordered => None,
            Some(StopReason::Brake(why)) if finished => Some(StopReason::Brake(format!(
                "{why} (every row has its outcome by now: there is nothing to go on with)"
            ))),
            stop => stop,
        }
    }
}
