//! The results as a workbook, from the same rows as the CSV.

use std::path::Path;

use super::{
    JournalError,
    finalize::{Waiting, on_a_thread},
    row::{layout, outcome, result},
};
use crate::{
    campaign::counts::Counts,
    results::{Installed, Workbook, workbook::About},
    roster::split_extra,
    store::{Selection, Store},
};

/// Writes the results of a campaign that no process is changing as a workbook, with every row in the input's order.
/// `why_not` is asked at the end whether what is there by then may not be replaced, and why; then the workbook lies
/// beside it. If it is dropped early, the workbook is as it was, or the new one, complete.
///
/// # Errors
/// The store cannot be read, the workbook cannot be written, or there are more rows than a sheet can have.
pub async fn write_workbook(
    store: Store,
    path: &Path,
    why_not: impl FnOnce(&Path) -> Option<String>,
) -> Result<Installed, JournalError> {
    let waiting = Waiting::default();
    let is_abandoned = waiting.is_over();
    let path = path.to_owned();
    let write = move || {
        let identity = store.identity();
        let layout = layout(&store, false)?;
        let Counts { tally, open } = Counts::of(&store)?;
        let about = About {
            campaign: &identity.campaign,
            created: identity.created.as_second(),
            rows: tally.total() + open,
        };
        let mut workbook = Workbook::start(&path, &layout, about)?;
        store.each_row(Selection::All, |row| {
            if is_abandoned() {
                return Err(JournalError::NoResults);
            }
            let extra = split_extra(&row.extra);
            Ok(workbook.row(&result(row, outcome(row), identity, &extra))?)
        })?;
        Ok(workbook.seal()?)
    };
    let sealed = on_a_thread(write).await?;
    Ok(sealed.place(why_not, tokio::time::sleep).await?)
}
