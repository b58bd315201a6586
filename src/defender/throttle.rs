//! What a 429 asks for: how long to hold, and which window it names.
//!
//! Two voices speak of the wait, the `Retry-After` header and the body's text, and the later one counts (MDE-API.md,
//! section 2). Pure: the answer's own `Date` is the only clock.

use std::time::Duration;

use super::{Answer, http_date};

/// The hold where neither header nor body names one: the shorter of the two documented windows.
const UNSTATED: Duration = Duration::from_mins(1);

/// The shortest hold. A header in whole seconds says 0 for anything below one.
const SHORTEST: Duration = Duration::from_secs(1);

/// Numbers past this are taken as this, a century, so that adding a hold to a moment cannot overflow.
const CENTURY: f64 = 3_155_760_000.0;

/// How much of a body is searched. The service's own text has 200 bytes; a gateway's page may have any number.
const SEARCHED: usize = 16 * 1024;

/// The server's word on a refused call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// No calls of this kind before so long after the answer.
    pub hold: Duration,
    /// The length of the window that is full, where the body names it.
    pub window: Option<Duration>,
}

impl Throttle {
    /// Reads a 429.
    #[must_use]
    pub fn of(answer: &Answer) -> Self {
        let head = &answer.body[..answer.body.len().min(SEARCHED)];
        let text = String::from_utf8_lossy(head).to_ascii_lowercase();
        let header = answer
            .retry_after
            .as_deref()
            .and_then(|raw| retry_after(raw, answer));
        let hold = header.max(stated_wait(&text)).unwrap_or(UNSTATED);
        Self {
            hold: hold.max(SHORTEST),
            window: stated_window(&text),
        }
    }
}

/// Seconds, or an HTTP date relative to the answer's own `Date`: whose clocks agree, as both are the server's.
fn retry_after(raw: &str, answer: &Answer) -> Option<Duration> {
    if let Some(span) = seconds(raw.trim(), 1.0) {
        return Some(span);
    }
    let span = http_date::parse(raw)?.duration_since(answer.date?);
    Some(Duration::try_from(span).unwrap_or(Duration::ZERO))
}

/// `… again in 37 seconds.`
fn stated_wait(text: &str) -> Option<Duration> {
    text.match_indices(" in ").find_map(|(at, found)| {
        let mut words = text[at + found.len()..].split_ascii_whitespace();
        let number = words.next()?;
        let unit = words.next()?;
        let unit_seconds = if unit.starts_with("second") {
            1.0
        } else if unit.starts_with("minute") {
            60.0
        } else if unit.starts_with("hour") {
            3600.0
        } else {
            return None;
        };
        seconds(number, unit_seconds)
    })
}

/// `Maximum allowed 100 per 00:01:00 …`: a .NET `TimeSpan`, `[days.]hours:minutes:seconds[.fraction]`.
fn stated_window(text: &str) -> Option<Duration> {
    text.match_indices(" per ").find_map(|(at, found)| {
        let word = text[at + found.len()..].split_ascii_whitespace().next()?;
        let mut parts = word.trim_end_matches(['.', ',', ';', '"']).split(':');
        let (first, minutes, secs) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let (days, hours) = first.split_once('.').unwrap_or(("0", first));
        let whole = |text: &str| text.parse::<u32>().ok().map(u64::from);
        let minutes = (whole(days)? * 24 + whole(hours)?) * 60 + whole(minutes)?;
        let span = Duration::from_secs(minutes * 60) + seconds(secs, 1.0)?;
        (span > Duration::ZERO).then_some(span)
    })
}

/// A plain number of `unit`s, rounded up to milliseconds: a wait that is cut short meets the same refusal again.
fn seconds(text: &str, unit: f64) -> Option<Duration> {
    let plain = text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    if !plain {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    let millis = ((number * unit).min(CENTURY) * 1000.0).ceil();
    Some(Duration::from_secs_f64(millis / 1000.0))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const MINUTE: &str = r#"{"error":{"code":"429","message":"API calls quota exceeded! Maximum allowed 100 per 00:01:00 for the key Destination+TenantID+AppID. You can send requests again in 37 seconds.","target":"x"}}"#;
    const HOUR: &str = r#"{"error":{"code":"TooManyRequests","message":"API calls quota exceeded! Maximum allowed 1500 per 01:00:00 for the key Destination+TenantID+AppID. You can send requests again in 1620 seconds.","target":"x"}}"#;
    const DATE: &str = "Mon, 21 Oct 2024 11:26:49 GMT";

    /// Its name; header, body; seconds to hold, seconds of the window.
    type Dialect = (
        &'static str,
        Option<&'static str>,
        &'static str,
        u64,
        Option<u64>,
    );

    #[test]
    fn every_dialect_of_a_429_is_understood() {
        #[rustfmt::skip]
        let table: [Dialect; 18] = [
            ("body alone",                     None,                                  MINUTE, 37, Some(60)),
            ("the other window",               None,                                  HOUR, 1620, Some(3600)),
            ("the header is later",            Some("55"),                            MINUTE, 55, Some(60)),
            ("the body is later",              Some("20"),                            MINUTE, 37, Some(60)),
            ("header alone",                   Some("12"),                            "", 12, None),
            ("a date",                         Some("Mon, 21 Oct 2024 11:28:49 GMT"), "", 120, None),
            ("a date that is past",            Some("Mon, 21 Oct 2024 11:20:00 GMT"), "", 1, None),
            ("blanks around",                  Some(" 12 "),                          "", 12, None),
            ("nothing said",                   None,                                  "", 60, None),
            ("nonsense",                       Some("soon"),                          "<html>busy</html>", 60, None),
            ("a negative number",              Some("-5"),                            "", 60, None),
            ("none at all left to wait",       Some("0"),                             "", 1, None),
            ("a gateway's words",              None, r#"{"statusCode":429,"message":"Rate limit is exceeded. Try again in 1 second."}"#, 1, None),
            ("minutes",                        None, "again in 3 minutes", 180, None),
            ("a day",                          None, "Maximum allowed 5 per 1.00:00:00, again in 2 hours.", 7200, Some(86400)),
            ("an hour and more is not capped", Some("86400"),                         MINUTE, 86400, Some(60)),
            ("a window that is none",          None, "allowed 9 per 00:00:00 in 4 seconds", 4, None),
            ("no window",                      None, "allowed 9 per minute in 4 seconds", 4, None),
        ];
        for (name, header, body, hold, window) in table {
            let answer = Answer {
                status: 429,
                date: http_date::parse(DATE),
                retry_after: header.map(str::to_owned),
                body: Bytes::copy_from_slice(body.as_bytes()),
            };
            let told = Throttle::of(&answer);
            assert_eq!(told.hold, Duration::from_secs(hold), "{name}");
            assert_eq!(told.window, window.map(Duration::from_secs), "{name}");
        }
    }

    #[test]
    fn absurd_numbers_hold_for_a_century_and_do_not_overflow() {
        let answer = Answer {
            status: 429,
            date: None,
            retry_after: Some("9".repeat(400)),
            body: Bytes::new(),
        };
        assert_eq!(Throttle::of(&answer).hold.as_secs(), 3_155_760_000);
    }

    #[test]
    fn a_date_without_the_answers_own_clock_says_nothing() {
        let answer = Answer {
            status: 429,
            date: None,
            retry_after: Some(DATE.to_owned()),
            body: Bytes::new(),
        };
        assert_eq!(Throttle::of(&answer).hold, UNSTATED);
    }
}
