//! What is printed: a table and a histogram, or JSON.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::{BenchArgs, Subject, latencies, round::Round};
use crate::cli::{Failure, screen};

/// All that was measured.
#[derive(Serialize)]
pub(super) struct Report {
    url: String,
    calls: u64,
    rounds: u32,
    workers: u16,
    tls: bool,
    subjects: Vec<Measured>,
}

/// The rounds of one subject, as they come.
pub(super) struct SubjectReport {
    subject: Subject,
    accepted: u64,
    rates: Vec<f64>,
    cpu_micros: Vec<f64>,
    allocations: Vec<f64>,
    peaks_kb: Vec<u64>,
    latencies: Histogram<u64>,
}

/// What was measured of one subject.
#[derive(Serialize)]
struct Measured {
    subject: &'static str,
    /// Medians, and the slowest and the fastest round.
    calls_per_second: f64,
    slowest: f64,
    fastest: f64,
    /// How many machines were accepted in all rounds.
    accepted: u64,
    /// How many times the bare client's calls a second.
    of_bare: f64,
    /// In milliseconds, from the moment at which a call was due.
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    cpu_micros_per_call: Option<f64>,
    allocations_per_call: Option<f64>,
    peak_memory_kb: Option<u64>,
    #[serde(skip)]
    latencies: Histogram<u64>,
}

impl SubjectReport {
    pub(super) fn new(subject: Subject) -> Self {
        Self {
            subject,
            accepted: 0,
            rates: Vec::new(),
            cpu_micros: Vec::new(),
            allocations: Vec::new(),
            peaks_kb: Vec::new(),
            latencies: latencies::empty(),
        }
    }

    pub(super) const fn subject(&self) -> Subject {
        self.subject
    }

    pub(super) const fn word(&self) -> &'static str {
        self.subject.word()
    }

    pub(super) fn add(&mut self, round: &Round) {
        self.accepted += round.accepted;
        let calls: u64 = round.latencies.iter().map(|(_, count)| count).sum();
        let calls = f64::from(u32::try_from(calls).unwrap_or(u32::MAX));
        self.rates.push(calls / round.seconds);
        self.cpu_micros
            .extend(round.cpu_seconds.map(|cpu| cpu * 1e6 / calls));
        let allocations = round.allocations.and_then(|n| u32::try_from(n).ok());
        self.allocations
            .extend(allocations.map(|n| f64::from(n) / calls));
        self.peaks_kb.extend(round.peak_kb);
        for (micros, count) in &round.latencies {
            // As when it was measured, this cannot fail.
            let _ = self.latencies.record_n(*micros, *count);
        }
    }

    fn measured(mut self, bare: f64) -> Measured {
        let millis = |histogram: &Histogram<u64>, quantile| {
            let micros = histogram.value_at_quantile(quantile);
            f64::from(u32::try_from(micros).unwrap_or(u32::MAX)) / 1000.0
        };
        let rate = median(&mut self.rates);
        let quantile = |quantile| millis(&self.latencies, quantile);
        let known = |values: &mut Vec<f64>| (!values.is_empty()).then(|| median(values));
        let cpu = known(&mut self.cpu_micros);
        let allocations = known(&mut self.allocations);
        Measured {
            subject: self.subject.in_words(),
            calls_per_second: rate,
            slowest: self.rates.first().copied().unwrap_or(rate),
            fastest: self.rates.last().copied().unwrap_or(rate),
            accepted: self.accepted,
            of_bare: rate / bare,
            p50_ms: quantile(0.5),
            p90_ms: quantile(0.9),
            p99_ms: quantile(0.99),
            p999_ms: quantile(0.999),
            cpu_micros_per_call: cpu,
            allocations_per_call: allocations,
            peak_memory_kb: self.peaks_kb.iter().max().copied(),
            latencies: self.latencies,
        }
    }
}

/// The median. Sorts the values.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How many bars a histogram has.
const BARS: u32 = 12;

/// The longest bar, in characters.
const WIDTH: u64 = 50;

impl Report {
    pub(super) fn new(args: &BenchArgs, url: &str, mut subjects: [SubjectReport; 4]) -> Self {
        let bare = median(&mut subjects[0].rates);
        Self {
            url: url.to_owned(),
            calls: args.calls,
            rounds: args.rounds,
            workers: args.workers,
            tls: args.tls,
            subjects: subjects.map(|subject| subject.measured(bare)).into(),
        }
    }

    /// Prints a table and a histogram, or JSON.
    ///
    /// # Errors
    /// stdout is gone.
    pub(super) fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            return screen::json(self, "the measurements");
        }
        let mut lines = vec![
            format!(
                "{} calls a round, {} at once, {} rounds each in turns, against {}",
                self.calls, self.workers, self.rounds, self.url
            ),
            format!(
                "{:<31} {:>8} {:>15} {:>5}  {:>7} {:>7} {:>7} {:>7}  {:>6} {:>5} {:>6}",
                "",
                "calls/s",
                "spread",
                "ratio",
                "p50 ms",
                "p90",
                "p99",
                "p99.9",
                "CPU µs",
                "MB",
                "allocs"
            ),
        ];
        lines.extend(self.subjects.iter().map(Measured::row));
        let all = self.calls * u64::from(self.rounds);
        let refused = self
            .subjects
            .iter()
            .filter(|subject| subject.accepted < all);
        lines.extend(refused.map(|subject| {
            format!(
                "{}: {} of {all} machines were accepted",
                subject.subject, subject.accepted
            )
        }));
        if let Some(whole) = self.subjects.last() {
            lines.push(String::new());
            let what = "from the moment at which a call was due to its answer (fleetsweep):";
            lines.push(what.to_owned());
            lines.extend(whole.histogram());
        }
        screen::report(&lines.join("\n"), "the measurements")
    }
}

impl Measured {
    fn row(&self) -> String {
        let spread = format!("{:.0}-{:.0}", self.slowest, self.fastest);
        let cpu = self
            .cpu_micros_per_call
            .map_or("?".to_owned(), |micros| format!("{micros:.0}"));
        let allocations = self
            .allocations_per_call
            .map_or("?".to_owned(), |allocations| format!("{allocations:.0}"));
        let megabytes = self
            .peak_memory_kb
            .map_or("?".to_owned(), |kb| (kb / 1024).to_string());
        format!(
            "{:<31} {:>8.0} {spread:>15} {:>5.2}  {:>7.2} {:>7.2} {:>7.2} {:>7.2}  {cpu:>6} {megabytes:>5} \
             {allocations:>6}",
            self.subject,
            self.calls_per_second,
            self.of_bare,
            self.p50_ms,
            self.p90_ms,
            self.p99_ms,
            self.p999_ms
        )
    }

    /// Bars from the shortest to the longest time, each as wide as the others on a logarithmic scale.
    fn histogram(&self) -> Vec<String> {
        let (least, most) = (self.latencies.min().max(1), self.latencies.max().max(2));
        let in_micros = |micros: u64| f64::from(u32::try_from(micros).unwrap_or(u32::MAX));
        let step = (in_micros(most) / in_micros(least)).powf(1.0 / f64::from(BARS));
        let mut bars = Vec::new();
        let mut from = in_micros(least);
        for _ in 0..BARS {
            let to = from * step;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "microseconds of a latency"
            )]
            let count = self
                .latencies
                .count_between(from as u64 + 1, to.ceil() as u64);
            bars.push((to, count));
            from = to;
        }
        let longest = bars
            .iter()
            .map(|(_, count)| *count)
            .max()
            .unwrap_or(1)
            .max(1);
        let line = |(to, count): (f64, u64)| {
            let length = usize::try_from((count * WIDTH).div_ceil(longest)).unwrap_or(0);
            format!(
                "  up to {:>9.2} ms {count:>9} {}",
                to / 1000.0,
                "#".repeat(length)
            )
        };
        bars.into_iter().map(line).collect()
    }
}
