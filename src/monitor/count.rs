//! Counts as text: "1 call", "2 calls".

/// A count with its noun, given in the singular: "1 call", "2 calls", "3 tries".
#[must_use]
pub fn of(count: u64, one: &str) -> String {
    match (count, one.strip_suffix('y')) {
        (1, _) => format!("1 {one}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {one}s"),
    }
}

/// The count with its digits in groups of three: "1,500".
#[must_use]
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().collect();
    let groups = groups.into_iter().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

/// The word for this count: `one` for 1, `more` for any other number.
#[must_use]
pub fn word<'a>(count: u64, one: &'a str, more: &'a str) -> &'a str {
    if count == 1 { one } else { more }
}

/// "1 row is", "2 rows are".
#[must_use]
pub fn are(count: u64, one: &str) -> String {
    format!("{} {}", of(count, one), word(count, "is", "are"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_everything_else_is_many() {
        for (count, one, text) in [
            (0, "call", "0 calls"),
            (1, "call", "1 call"),
            (2, "call", "2 calls"),
            (1, "try", "1 try"),
            (3, "try", "3 tries"),
        ] {
            assert_eq!(of(count, one), text);
        }
        let counts = [0, 999, 1_000, 1_234_567];
        assert_eq!(counts.map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0, 1, 2].map(|n| word(n, "is", "are")),
            ["are", "is", "are"]
        );
    }
}
