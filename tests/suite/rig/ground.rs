//! What outlives a process, and what other commands make of it.

use fleetsweep::defender::wire::Machine;

use super::*;

impl Ground {
    /// The time since some moment that stays the same.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.now().since(quota::Moment::ZERO)
    }

    pub(crate) fn tenant(&self) -> &Arc<Tenant> {
        &self.tenant
    }

    pub(crate) fn pacer(&self) -> &Pacer {
        &self.pacer
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("r.db")
    }

    pub(crate) fn results(&self) -> PathBuf {
        self.dir.path().join("r.csv")
    }

    pub(super) fn ledger(&self) -> PathBuf {
        self.dir.path().join("quota.db")
    }

    /// As far as the ledger remembers a campaign.
    fn mark_of(&self, campaign: &CampaignId) -> Option<MarkRow> {
        let marks = quota::marks(&self.ledger()).unwrap();
        marks
            .into_iter()
            .find(|mark| mark.campaign == campaign.as_str())
    }

    pub(super) async fn keep_mark(
        &self,
        pacer: &Pacer,
        campaign: &CampaignId,
        targets: u64,
    ) -> Arc<Mark> {
        let committed = Store::open_read_only(&self.state())
            .unwrap()
            .committed()
            .unwrap();
        let mark = Mark::new(campaign.as_str(), committed);
        let now = self.clock.wall();
        let row = MarkRow {
            campaign: campaign.as_str().to_owned(),
            committed,
            state: self.state(),
            results: self.results(),
            input: PathBuf::new(),
            cloud: "commercial".into(),
            tenant: "a tenant".into(),
            application: "an application".into(),
            targets,
            started: now,
            touched: now,
            ended: None,
            abandoned: false,
        };
        pacer.keep_mark(Arc::clone(&mark), row).await.unwrap();
        mark
    }

    /// Whether the campaign's state is as far as its witnesses say, as a run asks before it sends anything. One that
    /// cannot be read, and one that is gone, is not.
    pub(crate) fn is_whole(&self, rig: &Rig) -> bool {
        let Ok(store) = Store::open_read_only(&self.state()) else {
            return false;
        };
        let mark = self.mark_of(&rig.campaign());
        witness::compare(&store, remembered(mark.as_ref()), &self.results()).is_ok()
    }

    /// Makes the campaign whole as `--recover` does, from whatever is there.
    pub(crate) async fn recover(&self, rig: &Rig, csv: &str) -> Recovered {
        let campaign = rig.campaign();
        let mark = self.mark_of(&campaign);
        let opened = Store::open(&self.state()).and_then(|mut store| {
            store.finish_check()?;
            Ok(store)
        });
        let mut store = if let Ok(store) = opened {
            store
        } else {
            for ending in ["", "-wal", "-shm", "-journal"] {
                let mut name = self.state().into_os_string();
                name.push(ending);
                let _ = std::fs::remove_file(name);
            }
            let made = mark
                .as_ref()
                .map_or_else(|| rig.mock.started, |mark| mark.started);
            let identity = identity(&campaign, made);
            let begun = recover::begun(self.clock.wall(), 0);
            let taken = take_in(
                rig.roster(csv),
                &self.state(),
                identity,
                &[begun],
                || Ok(()),
            );
            taken.unwrap().store
        };
        let client = Client::direct(Arc::clone(&self.tenant), rig.timeout);
        let clock: Arc<dyn Clock> = self.clock.clone();
        let list = ScanList::new(Caller::new(
            Arc::new(client),
            Arc::clone(&rig.tokens),
            rig.pacer(self),
            Arc::clone(&clock),
            OnOutage::Wait {
                at_most: None,
                monitor: Arc::new(Ear::default()),
            },
        ));
        let results = self.results();
        let evidence = Evidence {
            results: &results,
            ledger: remembered(mark.as_ref()),
            last_sent: clock.wall(),
            request_timeout: rig.timeout,
        };
        let ear = Ear::default();
        let recovering = recover::recover(&mut store, &list, &evidence, clock.as_ref(), &ear);
        recovering.await.unwrap()
    }

    /// The machines that the inventory has not seen for so long, as a run finds out before its first call.
    pub(super) async fn survey(&self, after: SignedDuration) -> Away {
        let rig = Rig::default();
        let clock: Arc<dyn Clock> = self.clock.clone();
        let caller = Caller::new(
            Arc::new(Client::direct(Arc::clone(&self.tenant), rig.timeout)),
            Arc::clone(&rig.tokens),
            self.pacer.clone(),
            Arc::clone(&clock),
            OnOutage::Wait {
                at_most: None,
                monitor: Arc::new(Ear::default()),
            },
        );
        let mut away = Away::new(after);
        let take = |machine: &Machine| {
            let last: Option<jiff::Timestamp> =
                machine.last_seen.as_ref().map(|seen| seen.parse().unwrap());
            if last.is_some_and(|last| clock.wall().duration_since(last) > after) {
                away.add(&machine.id);
            }
            Ok::<_, std::convert::Infallible>(())
        };
        let wanted = machines::Wanted::default();
        machines::list(&caller, &wanted, clock.wall(), take, |_| {})
            .await
            .unwrap();
        away
    }

    /// A canceller of the campaign's scans.
    pub(crate) fn canceller(&self) -> Canceller<impl Defender> {
        let rig = Rig::default();
        let client = Client::direct(Arc::clone(&self.tenant), rig.timeout);
        let store = Store::open_read_only(&self.state()).unwrap();
        let clock: Arc<dyn Clock> = self.clock.clone();
        let monitor: Arc<dyn Monitor> = Arc::new(Ear::default());
        Canceller::new(
            &Arc::new(client),
            &rig.tokens,
            &self.pacer,
            &clock,
            &monitor,
            &self.state(),
            CampaignId::known(store.identity().campaign.as_str()),
            100,
        )
    }

    /// A follower of the campaign's scans, and what it says.
    pub(crate) fn follower(&self, options: FollowOptions) -> Follower<impl Defender> {
        let rig = Rig::default();
        let client = Client::direct(Arc::clone(&self.tenant), rig.timeout);
        Follower::new(
            &Arc::new(client),
            &rig.tokens,
            &self.pacer,
            self.clock.clone(),
            Arc::new(Ear::default()),
            &self.state(),
            options,
        )
    }
}
