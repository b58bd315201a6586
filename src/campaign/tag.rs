//! The mark in a scan's comment that says whose scan it is: `[fleetsweep:<campaign>:<n>]`.

use std::fmt;

use crate::plain_text::one_line;

/// How the tag of every campaign begins. No user's text may contain it.
pub const MARK: &str = "[fleetsweep:";

/// The text of a comment if the user gave none.
pub const DEFAULT_TEXT: &str = "antivirus scan by fleetsweep";

/// The longest text that may follow the tag, in characters. The service documents no limit.
pub const MAX_TEXT: usize = 200;

/// How the ids of campaigns against a mock tenant begin.
const REHEARSAL: &str = "mock";

/// A campaign's id: 10 random letters and digits, made with its state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CampaignId(String);

impl CampaignId {
    /// A new id. There are 36^10 of them, so two campaigns of one tenant do not collide.
    #[must_use]
    pub fn random(rng: &mut fastrand::Rng) -> Self {
        loop {
            let id = Self(letters(10, rng));
            if !id.is_rehearsal() {
                return id;
            }
        }
    }

    /// An id for a campaign against a mock tenant, recognised by its beginning.
    #[must_use]
    pub fn rehearsal(rng: &mut fastrand::Rng) -> Self {
        Self(format!("{REHEARSAL}{}", letters(10 - REHEARSAL.len(), rng)))
    }

    /// Whether the campaign is one against a mock tenant.
    #[must_use]
    pub fn is_rehearsal(&self) -> bool {
        self.0.starts_with(REHEARSAL)
    }

    /// The id as a person reads it.
    #[must_use]
    pub fn named(&self) -> String {
        if self.is_rehearsal() {
            format!("{self} (a rehearsal)")
        } else {
            self.to_string()
        }
    }

    /// An existing id, from a state file.
    #[must_use]
    pub fn known(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag of this campaign's target number `n`.
    #[must_use]
    pub fn tag(&self, n: u64) -> String {
        format!("{MARK}{}:{n}]", self.0)
    }

    /// The whole comment that is sent for target number `n`.
    #[must_use]
    pub fn comment(&self, n: u64, text: &str) -> String {
        format!("{} {text}", self.tag(n))
    }

    /// The number of the target whose scan has this comment. Only a tag of this campaign at the very start
    /// counts: a comment that quotes one is somebody else's.
    #[must_use]
    pub(crate) fn target_of(&self, comment: &str) -> Option<u64> {
        let rest = comment
            .strip_prefix(MARK)?
            .strip_prefix(self.as_str())?
            .strip_prefix(':')?;
        let (digits, _) = rest.split_once(']')?;
        if digits.is_empty()
            || digits.starts_with('0')
            || !digits.bytes().all(|b| b.is_ascii_digit())
        {
            return None;
        }
        digits.parse().ok()
    }
}

fn letters(count: usize, rng: &mut fastrand::Rng) -> String {
    const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    (0..count)
        .map(|_| char::from(DIGITS[rng.usize(..DIGITS.len())]))
        .collect()
}

impl fmt::Display for CampaignId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a comment's text cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// It is longer than [`MAX_TEXT`]; this is its length.
    #[error("the comment has {0} characters; at most {MAX_TEXT} can be sent")]
    TooLong(usize),
    /// It would be taken for a tag.
    #[error("the comment holds `{MARK}`, by which fleetsweep knows its own scans; leave that out")]
    HoldsMark,
}

/// Prepares a user's text for a comment: control characters become spaces, surrounding blanks are removed,
/// and an empty text becomes the default.
///
/// # Errors
/// The text is too long, or contains the beginning of a tag.
pub fn comment_text(text: &str) -> Result<String, TextError> {
    let clean = one_line(text);
    let clean = clean.trim();
    let length = clean.chars().count();
    if length > MAX_TEXT {
        return Err(TextError::TooLong(length));
    }
    if clean.contains(MARK) {
        return Err(TextError::HoldsMark);
    }
    Ok(if clean.is_empty() {
        DEFAULT_TEXT
    } else {
        clean
    }
    .to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_comment_of_ours_leads_back_to_its_target(n in 1..u64::MAX, text in ".{0,60}", seed: u64) {
            let id = CampaignId::random(&mut fastrand::Rng::with_seed(seed));
            prop_assert_eq!(id.target_of(&id.comment(n, &text)), Some(n));
        }

        #[test]
        fn no_other_text_leads_to_a_target(text in "(\\[fleetsweep:)?[a-z0-9:\\] ]{0,20}") {
            let id = CampaignId::known("ab12cd34ef");
            if !text.starts_with("[fleetsweep:ab12cd34ef:") {
                prop_assert_eq!(id.target_of(&text), None);
            }
        }
    }

    #[test]
    fn a_quoted_or_broken_tag_is_nobodys() {
        let id = CampaignId::known("ab12cd34ef");
        for comment in [
            " [fleetsweep:ab12cd34ef:7] x",
            "re: [fleetsweep:ab12cd34ef:7] x",
            "[fleetsweep:ab12cd34ef:7",
            "[fleetsweep:ab12cd34ef:] x",
            "[fleetsweep:ab12cd34ef:-7] x",
            "[fleetsweep:ab12cd34ef:07] x",
            "[fleetsweep:zz12cd34ef:7] x",
        ] {
            assert_eq!(id.target_of(comment), None, "{comment}");
        }
    }

    #[test]
    fn a_text_is_made_fit_or_refused() {
        assert_eq!(comment_text(" a\tb\r\n").as_deref(), Ok("a b"));
        assert_eq!(comment_text("").as_deref(), Ok(DEFAULT_TEXT));
        assert_eq!(comment_text(&"x".repeat(201)), Err(TextError::TooLong(201)));
        assert_eq!(comment_text("see [fleetsweep:x"), Err(TextError::HoldsMark));
    }
}
