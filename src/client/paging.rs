//! Reads a listing to its end, page by page, where a page may be shorter than requested and rows may move
//! between two pages.
//!
//! Pure: it says how many rows to skip next, and is given the ids that came. Each page begins with the last
//! row of the one before. If that row does not come back, rows have moved up in between, and some of them may
//! have been missed. The end is an empty page, or as many rows as the service says there are. Rows that moved
//! down come twice and count once.

use std::collections::HashSet;

/// After this many pages in a row without a new row, the service is taken to repeat itself for ever.
const NOTHING_NEW: u32 = 3;

/// The most pages that are read. With pages of one row, this takes half a day at the documented limits.
const LONGEST: u32 = 20_000;

/// The state of a listing that is being read.
#[derive(Debug, Default)]
pub(crate) struct Paging {
    skip: u32,
    /// The last row, which the next page must begin with.
    overlap: Option<String>,
    seen: HashSet<String>,
    nothing_new: u32,
    pages: u32,
}

/// What follows from a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// There may be more.
    More,
    /// The listing is complete.
    End,
    /// Rows moved between two pages, so what was read is not complete.
    Moved,
    /// The listing has no end.
    Endless,
}

impl Paging {
    /// How many rows the next page has to skip.
    #[must_use]
    pub(crate) fn skip(&self) -> u32 {
        self.skip
    }

    /// How many different rows have come so far.
    #[must_use]
    pub(crate) fn rows(&self) -> usize {
        self.seen.len()
    }

    /// Records an id, and returns whether it is new. Call it for each row of a page before
    /// [`came`](Self::came).
    pub(crate) fn is_new(&mut self, id: &str) -> bool {
        self.seen.insert(id.to_ascii_lowercase())
    }

    /// A page with these ids has come, `new` of which [were new](Self::is_new). `count` is the number of all
    /// rows, where the service reports it.
    pub(crate) fn came<'a>(
        &mut self,
        ids: impl DoubleEndedIterator<Item = &'a str> + ExactSizeIterator + Clone,
        new: usize,
        count: Option<u64>,
    ) -> Step {
        self.pages += 1;
        if let Some(overlap) = self.overlap.take()
            && !ids.clone().any(|id| id.eq_ignore_ascii_case(&overlap))
        {
            return Step::Moved;
        }
        let rows = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        let is_all = count.is_some_and(|count| self.seen.len() as u64 >= count);
        if rows == 0 || is_all {
            return Step::End;
        }
        self.nothing_new = if new > 0 { 0 } else { self.nothing_new + 1 };
        if self.nothing_new >= NOTHING_NEW || self.pages >= LONGEST {
            return Step::Endless;
        }
        if rows > 1 || new > 0 {
            self.overlap = ids.last().map(str::to_owned);
            self.skip = self.skip.saturating_add(rows - 1);
        } else {
            // Only the last row came back: either nothing follows it, or the service returns one row per
            // page.
            self.skip = self.skip.saturating_add(1);
        }
        Step::More
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A service whose rows move between pages.
    struct Service {
        /// Newest first.
        rows: Vec<u32>,
        clamp: usize,
        tells_count: bool,
    }

    impl Service {
        fn page(&self, skip: u32) -> (Vec<String>, Option<u64>) {
            let page = self.rows.iter().skip(skip as usize).take(self.clamp);
            let ids = page.map(|row| format!("{row:08x}")).collect();
            (ids, self.tells_count.then_some(self.rows.len() as u64))
        }
    }

    /// Reads the service to its end; `between` is called after each page.
    fn read(service: &mut Service, mut between: impl FnMut(&mut Service)) -> (Step, Paging, u32) {
        let mut paging = Paging::default();
        let mut pages = 0;
        loop {
            let (ids, count) = service.page(paging.skip());
            pages += 1;
            let new = ids.iter().filter(|id| paging.is_new(id)).count();
            let step = paging.came(ids.iter().map(String::as_str), new, count);
            if step != Step::More {
                return (step, paging, pages);
            }
            between(service);
        }
    }

    #[test]
    fn one_page_is_one_call_where_the_service_counts_and_an_empty_list_is_one_call() {
        for (rows, clamp, tells_count, pages) in [
            (0, 10, false, 1),
            (0, 10, true, 1),
            (7, 10, true, 1),
            (10, 10, true, 1),
            (19, 10, true, 2),
            (7, 10, false, 3),
        ] {
            let mut service = Service {
                rows: (0..rows).collect(),
                clamp,
                tells_count,
            };
            let (step, paging, calls) = read(&mut service, |_| {});
            assert_eq!((step, calls), (Step::End, pages), "{rows} {tells_count}");
            assert_eq!(paging.rows(), rows as usize);
        }
    }

    #[test]
    fn a_list_without_an_end_ends() {
        let mut same = Paging::default();
        let mut step = Step::More;
        let mut pages = 0;
        while step == Step::More {
            let ids = ["a", "b"];
            let new = ids.iter().filter(|id| same.is_new(id)).count();
            step = same.came(ids.into_iter(), new, None);
            pages += 1;
        }
        assert_eq!((step, pages), (Step::Endless, 1 + NOTHING_NEW));

        let mut new_ones = Paging::default();
        let mut step = Step::More;
        let mut last = String::from("0");
        let mut pages = 0_u32;
        while step == Step::More {
            pages += 1;
            let ids = [last.clone(), pages.to_string()];
            let new = ids.iter().filter(|id| new_ones.is_new(id)).count();
            step = new_ones.came(ids.iter().map(String::as_str), new, None);
            last = pages.to_string();
        }
        assert_eq!((step, pages), (Step::Endless, LONGEST));
    }

    proptest! {
        #[test]
        fn a_list_that_does_not_move_is_read_to_its_end(rows in 0..300_u32, clamp in 1..40_usize, tells_count: bool) {
            let mut service = Service { rows: (0..rows).rev().collect(), clamp, tells_count };
            let (step, paging, _) = read(&mut service, |_| {});
            prop_assert_eq!((step, paging.rows()), (Step::End, rows as usize));
        }

        #[test]
        fn no_row_that_was_there_all_along_is_missing_from_a_complete_listing(
            rows in 0..300_u32,
            clamp in 1..40_usize,
            tells_count: bool,
            moves in proptest::collection::vec((0..4_u8, 0..300_usize), 0..400),
        ) {
            let mut service = Service { rows: (0..rows).rev().collect(), clamp, tells_count };
            let mut next = rows;
            let mut gone = HashSet::new();
            let mut moves = moves.into_iter();
            let (step, paging, _) = read(&mut service, |service| {
                match moves.next() {
                    Some((0, _)) => {
                        service.rows.insert(0, next);
                        next += 1;
                    }
                    // Rows disappear from the end as the service forgets old ones. Elsewhere they disappear
                    // only where a page has more than one row: a page of one row cannot show that its
                    // neighbour is gone.
                    Some((1, at)) if !service.rows.is_empty() && service.clamp > 1 => {
                        let at = at % service.rows.len();
                        gone.insert(service.rows.remove(at));
                    }
                    _ => {}
                }
            });
            if step == Step::End {
                for row in (0..rows).filter(|row| !gone.contains(row)) {
                    prop_assert!(paging.seen.contains(&format!("{row:08x}")), "{row} is missing");
                }
            }
        }
    }
}
