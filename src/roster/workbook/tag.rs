//! What stands in a tag of XML.

/// The name in a tag.
pub(super) fn name(tag: &[u8]) -> &[u8] {
    let tag = tag.strip_suffix(b"/").unwrap_or(tag);
    let end = tag.iter().position(u8::is_ascii_whitespace);
    &tag[..end.unwrap_or(tag.len())]
}

/// The number that `uniqueCount` declares. If that word is there several times, the largest number counts, because only
/// one of them is the attribute's name.
pub(super) fn unique_count(tag: &[u8]) -> Option<u64> {
    const NAME: &[u8] = b"uniqueCount";
    let after = |text: &[u8]| {
        let at = text.windows(NAME.len()).position(|bytes| bytes == NAME);
        at.map(|at| at + NAME.len())
    };
    let (mut rest, mut most) = (tag, None);
    while let Some(at) = after(rest) {
        rest = &rest[at..];
        let end = after(rest).unwrap_or(rest.len());
        most = most.max(Some(first_number(&rest[..end])));
    }
    most
}

/// The first number in the text; the highest one if there is no sensible one.
fn first_number(text: &[u8]) -> u64 {
    let digits: Vec<_> = text
        .iter()
        .skip_while(|byte| !byte.is_ascii_digit())
        .take_while(|byte| byte.is_ascii_digit())
        .copied()
        .collect();
    let digits = String::from_utf8(digits).ok();
    let number = digits.and_then(|digits| digits.parse().ok());
    number.unwrap_or(u64::MAX)
}
