//! A bare HTTP client: what anybody would write without a campaign around it. The same requests, the same parsing, the
//! same number of calls in flight; nothing is kept.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::task::JoinSet;

use super::latencies::Latencies;
use crate::{
    campaign::tag::{CampaignId, DEFAULT_TEXT},
    cli::Failure,
    defender::wire::{MachineAction, StartScan},
    quota::{Clock, SystemClock},
};

/// Starts a scan on each of these machines, in one call each. Returns how many were accepted.
///
/// # Errors
/// The certificate cannot be read, or the client cannot be made.
pub(super) async fn start_all(
    url: &str,
    ca: Option<&Path>,
    machines: Vec<String>,
    workers: usize,
    latencies: &Arc<Latencies>,
) -> Result<u64, Failure> {
    let client = client(ca, workers)?;
    let campaign = CampaignId::random(&mut fastrand::Rng::new());
    let (machines, next) = (Arc::new(machines), Arc::new(AtomicUsize::new(0)));
    let mut tasks: JoinSet<u64> = JoinSet::new();
    for _ in 0..workers {
        let (client, url, campaign) = (client.clone(), url.to_owned(), campaign.clone());
        let (machines, next) = (Arc::clone(&machines), Arc::clone(&next));
        let latencies = Arc::clone(latencies);
        tasks.spawn(async move {
            let mut accepted = 0;
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let Some(machine) = machines.get(n) else {
                    return accepted;
                };
                let due = SystemClock.now();
                let comment = campaign.comment(n as u64 + 1, DEFAULT_TEXT);
                accepted += u64::from(start(&client, &url, machine, &comment).await);
                latencies.add(SystemClock.now().since(due));
            }
        });
    }
    let mut accepted = 0;
    while let Some(done) = tasks.join_next().await {
        accepted += done.map_err(Failure::storage)?;
    }
    Ok(accepted)
}

fn client(ca: Option<&Path>, workers: usize) -> Result<reqwest::Client, Failure> {
    let mut client = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(workers);
    if let Some(ca) = ca {
        let pem = std::fs::read(ca).map_err(Failure::storage)?;
        let certificate = reqwest::Certificate::from_pem(&pem).map_err(Failure::storage)?;
        client = client.add_root_certificate(certificate);
    }
    client.build().map_err(Failure::storage)
}

/// Makes one call. Returns whether the machine was accepted.
async fn start(client: &reqwest::Client, url: &str, machine: &str, comment: &str) -> bool {
    let body = StartScan {
        comment: comment.into(),
        scan_type: "Quick".into(),
    };
    // Two strings become JSON without fail.
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let request = client
        .post(format!("{url}/api/machines/{machine}/runAntiVirusScan"))
        .bearer_auth("mock")
        .header(reqwest::header::CONTENT_TYPE, "application/json")
        .body(body);
    let Ok(answer) = request.send().await else {
        return false;
    };
    let status = answer.status();
    let Ok(body) = answer.bytes().await else {
        return false;
    };
    status.as_u16() == 201 && serde_json::from_slice::<MachineAction>(&body).is_ok()
}
