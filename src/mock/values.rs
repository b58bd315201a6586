//! How people write the mock's settings, in options and in scenario files.

use std::{ops::RangeInclusive, time::Duration};

use jiff::SignedDuration;

use super::{
    config::{Latency, Limit},
    outage::{Affects, Outage, Shape},
};

/// Parses a percentage as in `5%`, and returns it as a share from 0 to 1.
///
/// # Errors
/// It is none, or not from 0% to 100%.
pub fn percent(text: &str) -> Result<f64, &'static str> {
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>();
    match number {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("expected a percentage from 0% to 100%"),
    }
}

/// The longest duration. More could overflow timers, and no campaign against a mock takes a month.
const LONGEST: Duration = Duration::from_hours(31 * 24);

/// Parses a duration as in `13s` or `1h 30m`.
///
/// # Errors
/// It is none, or longer than 31 days.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    let signed = text.trim().parse::<SignedDuration>().ok();
    let duration = signed.and_then(|signed| Duration::try_from(signed).ok());
    match duration {
        None => Err("expected a duration such as 20ms, 13s, 1m or 1h 30m"),
        Some(duration) if duration > LONGEST => Err("a duration is at most 744h, which is 31 days"),
        Some(duration) => Ok(duration),
    }
}

/// Parses `20ms-150ms`, or `20ms` for exactly that.
///
/// # Errors
/// It is neither, or the first duration is the longer one.
pub fn range(text: &str) -> Result<RangeInclusive<Duration>, &'static str> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (duration(from)?, duration(to)?);
    if from > to {
        return Err("the range's first duration is longer than its second");
    }
    Ok(from..=to)
}

/// Parses a latency: a duration, a range, or `p50=80ms,p99=2s` for a log-normal one.
///
/// # Errors
/// It is none of these, or the percentiles are not in order.
pub fn latency(text: &str) -> Result<Latency, &'static str> {
    let Some(percentiles) = text.trim().strip_prefix("p50=") else {
        return range(text).map(Latency::from);
    };
    let (p50, p99) = percentiles
        .split_once(",p99=")
        .ok_or("expected both percentiles, as in p50=80ms,p99=2s")?;
    let (p50, p99) = (duration(p50)?, duration(p99)?);
    if p50.is_zero() || p50 > p99 {
        return Err("the percentiles are longer than nothing, and p99 is at least p50");
    }
    Ok(Latency::LogNormal { p50, p99 })
}

/// Parses `100/1m`.
///
/// # Errors
/// It is no number of calls with a window, or one of them is zero.
pub fn limit(text: &str) -> Result<Limit, &'static str> {
    const EXPECTED: &str = "expected CALLS/WINDOW such as 100/1m, or none";
    let (calls, window) = text.split_once('/').ok_or(EXPECTED)?;
    let calls = calls.trim().parse::<u32>().map_err(|_| EXPECTED)?;
    let window = duration(window).map_err(|_| EXPECTED)?;
    if calls == 0 || window.is_zero() {
        return Err("a limit has at least one call, and a window of some length");
    }
    Ok(Limit { calls, window })
}

/// Parses an outage as in `10s-5m=refused` or `0s-1h=timeout,starts`.
///
/// # Errors
/// The span or the shape is none, or only starts are to be refused a connection.
pub fn outage(text: &str) -> Result<Outage, String> {
    let (times, rest) = text
        .split_once('=')
        .ok_or("expected FROM-UNTIL=SHAPE such as 10s-5m=refused")?;
    let (from, until) = span(times)?;
    let (shape, affects) = match rest.strip_suffix(",starts") {
        Some(shape) => (shape, Affects::Starts),
        None => (rest, Affects::Everything),
    };
    let shape = read_shape(shape)?;
    if shape == Shape::Refused && affects == Affects::Starts {
        let text = "refused is for all calls: without a connection nobody knows which call it would have been";
        return Err(text.to_owned());
    }
    Ok(Outage {
        from,
        until,
        shape,
        affects,
    })
}

/// Parses a span of time since the start, as in `10s-5m`.
///
/// # Errors
/// It is none, or ends before it begins.
pub fn span(text: &str) -> Result<(Duration, Duration), &'static str> {
    let (from, until) = text
        .split_once('-')
        .ok_or("a span has a start and an end, as in 10s-5m")?;
    let (from, until) = (duration(from)?, duration(until)?);
    if from >= until {
        return Err("a span ends after it begins");
    }
    Ok((from, until))
}

fn read_shape(text: &str) -> Result<Shape, String> {
    let (name, more) = match text.split_once(':') {
        Some((name, more)) => (name, Some(more)),
        None => (text, None),
    };
    let shape = match (name, more) {
        ("refused", None) => Shape::Refused,
        ("timeout", None) => Shape::TimesOut,
        ("reset", None) => Shape::Reset,
        ("503" | "503-empty", retry_after) => Shape::Unavailable {
            retry_after: retry_after.map(str::to_owned),
            empty: name == "503-empty",
        },
        ("page", Some(status)) => {
            let status = status.parse().ok();
            let status = status.filter(|status| (200..600).contains(status));
            Shape::Page {
                status: status.ok_or("a page has a status from 200 to 599, as in page:407")?,
            }
        }
        _ => {
            return Err(format!(
                "'{text}' is not a shape of an outage: refused, timeout, reset, 503, 503-empty and page:STATUS are"
            ));
        }
    };
    Ok(shape)
}
