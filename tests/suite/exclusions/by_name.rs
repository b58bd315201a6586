//! Exclusion lists of names over random campaigns in the real program: the machines are renamed, set up anew and merged
//! meanwhile, and the tenant's own record says which of them were scanned.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Arc,
};

use fleetsweep::mock::{Kind, Tenant};
use tokio::task::JoinSet;

use super::changing_tenant::{cell, config, inventories};
use crate::{
    names::{Random, cells, fits, id, last},
    shell::{Done, at, fleetsweep},
    sign_in::served,
};

/// A machine that no list means, so that no campaign is without rows.
const FREE: u64 = 90;

/// How many campaigns run beside each other: each mostly waits for the disk.
const AT_ONCE: usize = 4;

/// A tenant, and a campaign over some of its machines.
struct Sweep {
    seed: u64,
    rng: fastrand::Rng,
    /// What each listing shows.
    inventories: Vec<Vec<Random>>,
    tenant: Arc<Tenant>,
    base: String,
    folder: tempfile::TempDir,
    rows: Vec<String>,
    /// Every id that must not be sent to.
    spared: BTreeSet<String>,
    /// The campaign's id.
    campaign: String,
    /// What the campaign has found out about its cells.
    known: BTreeMap<String, String>,
    scans: usize,
    /// Whether the rows have changed since the campaign began.
    extends: bool,
    /// How many machines may be sent to.
    most: u64,
    /// The commands so far, with what they were given.
    history: String,
}

/// What a campaign came to.
#[derive(Debug, Default)]
struct Counts {
    spared: usize,
    scanned: usize,
}

impl Sweep {
    async fn begin(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let inventories = inventories(&mut rng);
        let (tenant, base) = served(config(&inventories, &mut rng)).await;
        let mut rows: Vec<_> = (0..25).map(|_| cell(&inventories[..1], &mut rng)).collect();
        rows.push(id(FREE));
        Self {
            seed,
            rng,
            inventories,
            tenant,
            base,
            folder: tempfile::tempdir().unwrap(),
            rows,
            spared: BTreeSet::new(),
            campaign: String::new(),
            known: BTreeMap::new(),
            scans: 0,
            extends: false,
            most: 1,
            history: format!("seed {seed}"),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Some of the rows go, and others come.
    fn change_rows(&mut self) {
        let free = self.rows.pop().unwrap();
        for _ in 0..self.rng.u8(0..4) {
            let at = self.rng.usize(..=self.rows.len());
            self.rows.insert(at, cell(&self.inventories, &mut self.rng));
            let gone = self.rng.usize(..self.rows.len());
            self.rows.remove(gone);
        }
        self.rows.push(free);
    }

    /// Runs `run` with these exclusion lists, and judges whom it has scanned.
    async fn command(
        &mut self,
        options: &str,
        lists: [&[String]; 2],
        lifted: Option<String>,
    ) -> Done {
        let rows = self.rows.join("\n");
        fs::write(self.path().join("in.csv"), format!("name\n{rows}\n")).unwrap();
        let mut words = format!(
            "run in.csv --progress none --resolve {options} {}",
            at(&self.base)
        );
        let mut variables = vec![("FLEETSWEEP_TOKEN", "ready".to_owned())];
        for (name, list) in ["keep.txt", "standing.csv"].into_iter().zip(lists) {
            let text = format!("name\n{}\n", list.join("\n"));
            fs::write(self.path().join(name), text).unwrap();
        }
        if !lists[0].is_empty() {
            words += " --exclude keep.txt";
        }
        if !lists[1].is_empty() {
            variables.push(("FLEETSWEEP_EXCLUDE", "standing.csv".to_owned()));
        }
        if let Some(id) = &lifted {
            words = format!("{words} --lift-exclusion {id}");
        }
        let given = format!("\n{options} {lists:?} {lifted:?} {:?}", self.rows);
        self.history += &given;
        let before = self.tenant.recorder().calls(Kind::Machines);
        let done = fleetsweep(self.path(), &words, &variables).await;
        let listings = self.tenant.recorder().calls(Kind::Machines) - before;
        assert!(listings <= 1, "seed {}: listed {listings} times", self.seed);
        let inventory = (listings == 1).then_some(usize::try_from(before).unwrap());
        self.note_campaign();
        self.spare(&lists.concat(), lifted.as_deref(), inventory);
        self.judge(&done);
        self.learn();
        done
    }

    /// A campaign that follows a finished one knows nothing of what that one has found out.
    fn note_campaign(&mut self) {
        let ids = cells(self.path(), ["campaign"]);
        let id = ids.into_iter().flatten().find(|id| !id.is_empty()).unwrap();
        if id != self.campaign {
            self.known.clear();
            self.campaign = id;
        }
    }

    /// What a command may not send to any more, worked out without an index.
    fn spare(&mut self, list: &[String], lifted: Option<&str>, inventory: Option<usize>) {
        if let Some(id) = lifted {
            self.spared.remove(id);
        }
        let nothing = Vec::new();
        let inventory = inventory.map_or(&nothing, |at| &self.inventories[at]);
        for cell in list {
            let cell = cell.to_lowercase();
            let is_id = cell.len() == 40 && !cell.contains(['-', '.']);
            self.spared.extend(is_id.then(|| cell.clone()));
            self.spared.extend(self.known.get(&cell).cloned());
            let named = inventory.iter().filter(|machine| fits(machine, &cell));
            self.spared.extend(named.map(|machine| machine.id.clone()));
        }
        // All ids of one machine are that machine.
        let end = |id: &String| {
            let machine = inventory.iter().find(|machine| machine.id == *id);
            machine.map_or_else(|| id.clone(), |machine| last(inventory, machine).0)
        };
        let ends: BTreeSet<_> = self.spared.iter().map(end).collect();
        let same = inventory.iter().map(|machine| &machine.id);
        let same: Vec<_> = same
            .filter(|&id| ends.contains(&end(id)))
            .cloned()
            .collect();
        self.spared.extend(same);
        self.spared.extend(ends);
    }

    #[track_caller]
    fn judge(&mut self, done: &Done) {
        let history = &self.history;
        assert!([0, 1, 3, 6].contains(&done.code), "{history}: {done:?}");
        let spans = self.tenant.scan_spans();
        let new = spans[self.scans..].iter();
        let harmed: Vec<_> = new
            .filter(|span| self.spared.contains(&*span.machine))
            .collect();
        assert!(harmed.is_empty(), "{history}: {harmed:?}: {done:?}");
        self.scans = spans.len();
    }

    /// What the results say of each name.
    fn learn(&mut self) {
        let rows = cells(self.path(), ["input_name", "machine_id", "resolved"]);
        let found = rows.into_iter().filter(|[.., how]| !how.is_empty());
        let known = found.map(|[typed, machine, _]| (typed.to_lowercase(), machine.to_lowercase()));
        self.known = known.collect();
    }

    async fn round(&mut self) {
        let mut modes = vec!["", "", "--extend", "--again", "--again --extend"];
        // Looking up what became of those takes half a minute.
        modes.extend(is_long_form().then_some("--retry unsupported"));
        let mode = *self.rng.choice(&modes).unwrap();
        let mut options = mode.to_owned();
        if mode.contains("extend") {
            self.change_rows();
            self.extends = true;
        } else if self.extends {
            // The rows are no longer those that the campaign began with.
            options += " --extend";
        }
        if self.rng.u8(0..4) > 0 {
            self.most += self.rng.u64(0..3);
            options = format!("{options} --max-machines {}", self.most);
        }
        if self.rng.bool() {
            options += " --ambiguous newest";
        }
        // Those of the next listing, and those of any time.
        let next = usize::try_from(self.tenant.recorder().calls(Kind::Machines)).unwrap();
        let mut list = || {
            let cells = (0..self.rng.usize(0..3)).map(|_| {
                let from = if self.rng.bool() {
                    next..=next
                } else {
                    0..=next
                };
                cell(&self.inventories[from], &mut self.rng)
            });
            cells.collect::<Vec<_>>()
        };
        let lists = [list(), list()];
        let spared: Vec<_> = self.spared.iter().cloned().collect();
        let lifted = self.rng.choice(&spared).cloned();
        let lifted = lifted.filter(|_| self.rng.u8(0..4) == 0);
        self.command(&options, [&lists[0], &lists[1]], lifted).await;
    }

    /// Whoever is not spared has been scanned by now, or cannot be meant.
    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for row in cells(
            self.path(),
            ["input_name", "machine_id", "outcome", "message", "resolved"],
        ) {
            let [typed, machine, outcome, message, how] = row.each_ref().map(String::as_str);
            if how.is_empty() || outcome == "duplicate" || message.contains("no longer in") {
                continue;
            }
            // Whatever an id was merged into when it was looked up, its row says that it is meant.
            let ids = [typed, machine].map(str::to_lowercase);
            if ids.iter().any(|id| self.spared.contains(id)) {
                counts.spared += usize::from(message == "excluded");
                continue;
            }
            counts.scanned += 1;
            let is_done = ["accepted", "unsupported"].contains(&outcome);
            assert!(is_done, "seed {}: {row:?}", self.seed);
        }
        counts
    }
}

async fn campaign(seed: u64) -> Counts {
    let mut sweep = Sweep::begin(seed).await;
    let first = [cell(&sweep.inventories[..1], &mut sweep.rng)];
    let most = format!("--max-machines {}", sweep.most);
    sweep.command(&most, [&first, &[]], None).await;
    for _ in 0..sweep.rng.u8(2..7) {
        sweep.round().await;
    }
    sweep.command("--extend", [&[], &[]], None).await;
    sweep.counts()
}

fn seeds() -> Option<u64> {
    std::env::var("FLEETSWEEP_EXCLUSIONS").ok()?.parse().ok()
}

fn is_long_form() -> bool {
    seeds().is_some()
}

#[tokio::test]
async fn a_machine_that_a_list_may_mean_is_never_scanned_by_whatever_name_it_goes() {
    let mut all = Counts::default();
    let mut campaigns = JoinSet::new();
    let mut seeds = 1..=seeds().unwrap_or(12);
    let mut failed = None;
    loop {
        while campaigns.len() < AT_ONCE && failed.is_none() {
            let Some(seed) = seeds.next() else { break };
            campaigns.spawn(campaign(seed));
        }
        match campaigns.join_next().await {
            None => break,
            // The tenants of the others are served until these have ended.
            Some(Err(why)) => failed = Some(why),
            Some(Ok(counts)) => {
                all.spared += counts.spared;
                all.scanned += counts.scanned;
            }
        }
    }
    assert!(failed.is_none(), "{failed:?}");
    assert!(all.spared > 10 && all.scanned > 10, "{all:?}");
}
