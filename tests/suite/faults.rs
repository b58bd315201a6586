//! Campaigns whose process is killed, and whose state loses its end, goes wholly, or comes back as it was before: in
//! virtual time, by the real engine, store, ledger and results.
//!
//! The suite has a short form. The long form is
//!
//! ```text
//! FLEETSWEEP_FAULTS=300 FLEETSWEEP_HONEST_KILLS=1000 cargo test --test suite faults -- --nocapture
//! ```

#![expect(
    clippy::print_stdout,
    reason = "in a test a panic is the verdict, and what is printed tells of it"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use fleetsweep::{
    campaign::outcome::Outcome,
    mock::{Chances, MockConfig},
    quota::Quota,
};

use super::rig::{Ground, Rig, fleet};

const MACHINES: u64 = 60;

/// What is done to the files of a process that was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// Nothing: the kernel kept what was written.
    Nothing,
    JournalTaken,
    JournalDamaged,
    StateTaken,
    StateAndMarkTaken,
    /// The state of an earlier kill is put back, and its mark.
    OldStateBack,
}

/// The files as they lie there at one moment: the state, its journal, its mark, and the results.
#[derive(Default, Clone)]
struct Image(Vec<(PathBuf, Option<Vec<u8>>)>);

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

impl Image {
    fn of(ground: &Ground) -> Self {
        let state = ground.state();
        let files = [
            state.clone(),
            beside(&state, "-wal"),
            beside(&state, ".mark"),
            ground.results(),
        ];
        Self(
            files
                .into_iter()
                .map(|path| {
                    let bytes = fs::read(&path).ok();
                    (path, bytes)
                })
                .collect(),
        )
    }

    /// Puts the first `files` of them back, and takes away what SQLite keeps besides.
    fn put(&self, files: usize) {
        let state = &self.0[0].0;
        for ending in ["-wal", "-shm", "-journal"] {
            let _ = fs::remove_file(beside(state, ending));
        }
        for (path, bytes) in &self.0[..files] {
            match bytes {
                Some(bytes) => fs::write(path, bytes).unwrap(),
                None => drop(fs::remove_file(path)),
            }
        }
    }
}

fn rig(seed: u64) -> Rig {
    Rig {
        ledger: true,
        seed,
        quota: Quota::new(vec!["12/10s".parse().unwrap(), "1500/1h".parse().unwrap()]),
        timeout: Duration::from_secs(4),
        ..Rig::against(MockConfig {
            chances: Chances {
                reset_before: 0.03,
                reset_after: 0.03,
                ..Chances::default()
            },
            latency: (Duration::from_millis(20)..=Duration::from_millis(900)).into(),
            listing_lag: Duration::ZERO..=Duration::from_secs(5),
            // Soon over, so that a second scan would not be refused because of the first.
            scan_time: Duration::from_millis(500)..=Duration::from_secs(3),
            seed,
            ..MockConfig::default()
        })
    }
}

/// What came of one campaign.
#[derive(Default, Debug)]
struct Count {
    kills: u32,
    losses: u32,
    unnoticed: u32,
}

/// Runs a campaign to its end, killed at random moments; after each kill `next` says what is done to its files.
async fn campaign(seed: u64, mut next: impl FnMut(&mut fastrand::Rng) -> Option<Done>) -> Count {
    let mut dice = fastrand::Rng::with_seed(seed);
    let csv = fleet(MACHINES);
    let ground = Arc::new(rig(seed).ground());
    let mut count = Count::default();
    let mut earlier: Option<Image> = None;
    let told = loop {
        let running = rig(seed).start_on(&ground, &csv).await;
        let Some(done) = next(&mut dice) else {
            break running.end().await;
        };
        // Past the moments at which everything else happens, so that nothing is being written.
        tokio::time::sleep(Duration::from_micros(dice.u64(100..12_000_000) | 1)).await;
        if running.is_over() {
            break running.end().await;
        }
        let image = Image::of(&ground);
        running.kill().await;
        count.kills += 1;
        image.put(4);
        damage(&ground, done, &mut dice, earlier.as_ref());
        let is_whole = ground.is_whole(&rig(seed));
        if done == Done::Nothing {
            assert!(is_whole, "seed {seed}: an honest kill looks like a loss");
        }
        if is_whole {
            count.unnoticed += u32::from(done != Done::Nothing);
        } else {
            count.losses += 1;
            ground.recover(&rig(seed), &csv).await;
            assert!(ground.is_whole(&rig(seed)), "seed {seed}: not recovered");
        }
        earlier = Some(image);
    };
    assert_eq!(told.stop, None, "seed {seed}");
    assert_eq!(
        told.of(Outcome::Accepted),
        MACHINES,
        "seed {seed}: {:?}",
        told.tally
    );
    told.assert_one_scan_each();
    count
}

fn damage(ground: &Ground, done: Done, dice: &mut fastrand::Rng, earlier: Option<&Image>) {
    let state = ground.state();
    let journal = beside(&state, "-wal");
    match done {
        Done::Nothing => {}
        Done::JournalTaken => drop(fs::remove_file(journal)),
        Done::JournalDamaged => {
            if let Ok(mut bytes) = fs::read(&journal)
                && bytes.len() > 64
            {
                let at = dice.usize(32..bytes.len());
                if dice.bool() {
                    bytes.truncate(at);
                } else {
                    bytes[at] ^= 0x10;
                }
                fs::write(journal, bytes).unwrap();
            }
        }
        Done::StateTaken | Done::StateAndMarkTaken => {
            for ending in ["", "-wal"] {
                let _ = fs::remove_file(beside(&state, ending));
            }
            if done == Done::StateAndMarkTaken {
                let _ = fs::remove_file(beside(&state, ".mark"));
            }
        }
        Done::OldStateBack => {
            if let Some(earlier) = earlier {
                earlier.put(3);
            }
        }
    }
}

fn setting(name: &str, default: u32) -> u32 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn seed() -> u64 {
    let text = std::env::var("FLEETSWEEP_SEED").ok();
    let seed = text.and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("FLEETSWEEP_SEED={seed}");
    seed
}

#[tokio::test(start_paused = true)]
async fn an_honest_kill_never_looks_like_a_loss() {
    let kills = setting("FLEETSWEEP_HONEST_KILLS", 30);
    let mut seed = seed();
    let mut done = 0;
    while done < kills {
        let mut left = 12;
        let count = campaign(seed, |_| {
            left -= 1;
            (left > 0).then_some(Done::Nothing)
        });
        done += count.await.kills.max(1);
        seed += 1;
    }
    println!("{done} kills, none taken for a loss");
}

#[tokio::test(start_paused = true)]
async fn a_state_that_lost_its_end_scans_no_machine_twice() {
    const LOSSES: [Done; 5] = [
        Done::JournalTaken,
        Done::JournalDamaged,
        Done::StateTaken,
        Done::StateAndMarkTaken,
        Done::OldStateBack,
    ];
    let faults = setting("FLEETSWEEP_FAULTS", 20);
    let mut seed = seed();
    let mut all = Count::default();
    while all.kills < faults {
        let mut left = 6;
        let count = campaign(seed, |dice| {
            left -= 1;
            let done = if dice.u8(..10) < 4 {
                Done::Nothing
            } else {
                LOSSES[dice.usize(..LOSSES.len())]
            };
            (left > 0).then_some(done)
        });
        let Count {
            kills,
            losses,
            unnoticed,
        } = count.await;
        all.kills += kills;
        all.losses += losses;
        all.unnoticed += unnoticed;
        seed += 1;
    }
    println!("{all:?}");
    assert!(all.losses > faults / 5, "{all:?}");
}
