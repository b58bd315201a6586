//! Every row ends in one outcome, and the counts add up (the rig sees to that in every campaign).

use super::rig::{Rig, fleet};

#[tokio::test(start_paused = true)]
async fn a_polite_tenant_accepts_every_machine() {
    let told = Rig::default().run(&fleet(250)).await;
    assert_eq!(
        told.of(fleetsweep::campaign::outcome::Outcome::Accepted),
        250
    );
    told.assert_never_over();
    told.assert_one_scan_each();
    told.assert_never_slow(std::time::Duration::ZERO);
}
