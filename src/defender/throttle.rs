//! Reads a 429: how long to hold calls, and which window it names.
//!
//! The wait is stated by the `Retry-After` header and by the body's text, and the longer one counts (MDE-API.md,
//! section 2). The only clock that is used is the answer's own `Date`.

use std::time::Duration;

use super::{Answer, http_date};

/// The hold if neither header nor body states one: the shorter of the two documented windows.
const UNSTATED: Duration = Duration::from_mins(1);

/// The shortest hold, because a header in whole seconds says 0 for anything shorter.
const SHORTEST: Duration = Duration::from_secs(1);

/// The longest wait that is believed: the longest window that a quota may have. The module `quota` has the same bound
/// for its holds, but does not depend on this one.
const LONGEST: Duration = Duration::from_hours(24);

/// What a longer wait counts as, and a wait that cannot be parsed: the longer of the two documented windows. After
/// that one call goes alone, and its answer decides how to go on.
const INSTEAD: Duration = Duration::from_hours(1);

/// The largest number of seconds, a century, so that adding a hold to a time cannot overflow.
const CENTURY: f64 = 3_155_760_000.0;

/// How many bytes of a body are searched. The service's own text has 200, but a gateway's page may be of any length.
const SEARCHED: usize = 16 * 1024;

/// What the server says about a refused call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// How long after the answer no calls of this kind may be made.
    pub hold: Duration,
    /// The length of the window that is full, if the body names it.
    pub window: Option<Duration>,
}

impl Throttle {
    /// Reads a 429.
    #[must_use]
    pub fn of(answer: &Answer) -> Self {
        let head = &answer.body[..answer.body.len().min(SEARCHED)];
        let text = String::from_utf8_lossy(head).to_ascii_lowercase();
        let header = answer.retry_after.as_deref().map(str::trim);
        let header = header
            .filter(|raw| !raw.is_empty())
            .map(|raw| believed(retry_after(raw, answer)));
        let hold = header.max(stated_wait(&text)).unwrap_or(UNSTATED);
        Self {
            hold: hold.max(SHORTEST),
            window: stated_window(&text),
        }
    }
}

/// The wait in the `Retry-After` header, if it can be parsed.
#[must_use]
pub fn stated(answer: &Answer) -> Option<Duration> {
    let raw = answer.retry_after.as_deref()?.trim();
    retry_after(raw, answer)
}

/// What a stated wait counts as. `None` is a wait that cannot be parsed.
fn believed(stated: Option<Duration>) -> Duration {
    stated.filter(|span| *span <= LONGEST).unwrap_or(INSTEAD)
}

/// Parses seconds, or a date relative to the answer's own `Date`, since both come from the server's clock. Some
/// gateways write the date as seconds since 1970.
fn retry_after(raw: &str, answer: &Answer) -> Option<Duration> {
    if let Some(span) = seconds(raw, 1.0) {
        let since_1970 = answer
            .date
            .and_then(|date| date.as_second().try_into().ok());
        let from_date = since_1970.and_then(|date| span.checked_sub(Duration::from_secs(date)));
        return Some(from_date.filter(|span| *span <= LONGEST).unwrap_or(span));
    }
    let span = http_date::parse(raw)?.duration_since(answer.date?);
    Some(Duration::try_from(span).unwrap_or(Duration::ZERO))
}

/// Finds `… again in 37 seconds.` A wait that is stated but cannot be parsed counts as [`INSTEAD`].
fn stated_wait(text: &str) -> Option<Duration> {
    let mut is_stated = false;
    let read = text.match_indices(" in ").find_map(|(at, found)| {
        let mut words = text[at + found.len()..].split_ascii_whitespace();
        let number = words.next()?;
        let unit_seconds = unit(words.next()?)?;
        is_stated |= number.contains(|c: char| c.is_ascii_digit());
        seconds(number, unit_seconds)
    });
    (read.is_some() || is_stated).then(|| believed(read))
}

/// The unit in seconds.
fn unit(word: &str) -> Option<f64> {
    let units = [
        ("second", 1.0),
        ("minute", 60.0),
        ("hour", 3600.0),
        ("day", 86_400.0),
    ];
    let found = units.into_iter().find(|(unit, _)| word.starts_with(unit));
    found.map(|(_, seconds)| seconds)
}

/// Finds `Maximum allowed 100 per 00:01:00 …`. The window is a .NET `TimeSpan`,
/// `[days.]hours:minutes:seconds[.fraction]`.
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

/// Parses a plain number of `unit`s. It is rounded up to milliseconds, because after too short a wait the call would
/// be refused again.
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

    const MINUTE: &str = concat!(
        r#"{"error":{"code":"429","message":"API calls quota exceeded! Maximum allowed 100 per 00:01:00 for the "#,
        r#"key Destination+TenantID+AppID. You can send requests again in 37 seconds.","target":"x"}}"#
    );
    const HOUR: &str = concat!(
        r#"{"error":{"code":"TooManyRequests","message":"API calls quota exceeded! Maximum allowed 1500 per "#,
        r#"01:00:00 for the key Destination+TenantID+AppID. You can send requests again in 1620 seconds."}}"#
    );
    const DATE: &str = "Mon, 21 Oct 2024 11:26:49 GMT";

    /// A name, the header and the body; the expected hold and window in seconds.
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
        let table: [Dialect; 31] = [
            ("body alone",                     None,                                 MINUTE, 37, Some(60)),
            ("the other window",               None,                                 HOUR, 1620, Some(3600)),
            ("the header is later",            Some("55"),                           MINUTE, 55, Some(60)),
            ("the body is later",              Some("20"),                           MINUTE, 37, Some(60)),
            ("header alone",                   Some("12"),                           "", 12, None),
            ("a date",                         Some("Mon, 21 Oct 2024 11:28:49 GMT"),"", 120, None),
            ("a date that is past",            Some("Mon, 21 Oct 2024 11:20:00 GMT"),"", 1, None),
            ("blanks around",                  Some(" 12 "),                         "", 12, None),
            ("nothing said",                   None,                                 "", 60, None),
            ("nonsense",                       Some("soon"),                         "<html>busy</html>", 3600, None),
            ("a negative number",              Some("-5"),                           "", 3600, None),
            ("none at all left to wait",       Some("0"),                            "", 1, None),
            ("a gateway's words",              None,
                r#"{"statusCode":429,"message":"Rate limit is exceeded. Try again in 1 second."}"#, 1, None),
            ("minutes",                        None,                                 "again in 3 minutes", 180, None),
            ("a day",                          None,
                "Maximum allowed 5 per 1.00:00:00, again in 2 hours.", 7200, Some(86400)),
            ("a page that states none",        None, "<html>in these hours we are busy</html>", 60, None),
            ("a header of blanks",             Some("  "),                           "", 60, None),
            ("nonsense beside a body",         Some("soon"),                         MINUTE, 3600, Some(60)),
            ("a day and a second",             Some("86401"),                        "", 3600, None),
            ("a longer body beside it",        Some("86401"),                        "again in 2 hours", 7200, None),
            ("a day in the body",              None,                                 "again in 1 day", 86400, None),
            ("days in the body",               None,                                 "again in 2 days", 3600, None),
            ("a number of its own kind",       None, "again in 1,620 seconds", 3600, None),
            ("one that can be read after it",  None, "again in -5 seconds, or in 9 seconds", 9, None),
            ("a date after tomorrow",          Some("Thu, 24 Oct 2024 11:26:49 GMT"),"", 3600, None),
            ("since 1970",                     Some("1729510129"),                   "", 120, None),
            ("since 1970, beyond a day",       Some("1729596410"),                   "", 3600, None),
            ("since 1970, and past",           Some("1729509000"),                   "", 3600, None),
            ("an hour and more is not capped", Some("86400"),                        MINUTE, 86400, Some(60)),
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
    fn absurd_numbers_hold_for_an_hour_and_do_not_overflow() {
        let answer = Answer {
            status: 429,
            date: None,
            retry_after: Some("9".repeat(400)),
            body: Bytes::new(),
        };
        assert_eq!(Throttle::of(&answer).hold, INSTEAD);
    }

    #[test]
    fn a_date_without_the_answers_own_clock_cannot_be_read() {
        for date in [DATE, "1729510129"] {
            let answer = Answer {
                status: 429,
                date: None,
                retry_after: Some(date.to_owned()),
                body: Bytes::new(),
            };
            assert_eq!(Throttle::of(&answer).hold, INSTEAD);
        }
    }
}
