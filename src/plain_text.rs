//! Text of others, made fit for a terminal.
//!
//! Machine names, error messages, comments, file names and cells come from whoever may write into a tenant or a CSV,
//! and a terminal obeys what is written to it. What could move the cursor, hide, colour or reorder text is made a space
//! here, or left out; so is what nobody can see. All that is printed or logged goes through this module, at the edge.
//! What comes from the service goes through it on its way in too, so that it is one line wherever it is put into a
//! larger text.

use std::{borrow::Cow, fmt};

/// So many bytes of a message are kept: an error page is no message.
pub const LONGEST: usize = 2048;

/// Whether a terminal shows this character, and does nothing else with it.
pub(crate) fn is_plain(c: char) -> bool {
    !c.is_control() && !is_line_end(c) && !is_unseen(c)
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

/// What Unicode calls default-ignorable (`DerivedCoreProperties.txt`): zero-width and bidirectional marks, fillers,
/// tags; and the marks of interlinear notes.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text as one line: control characters and line ends become spaces, marks that nobody sees go.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    plain_but(text, &[])
}

/// The same, but line ends and tabs stay: for a cell that is the user's own, in a file.
#[must_use]
pub fn cell(text: &str) -> Cow<'_, str> {
    plain_but(text, &['\n', '\r', '\t'])
}

fn plain_but<'a>(text: &'a str, kept: &[char]) -> Cow<'a, str> {
    let is_ascii = |byte: u8| matches!(byte, b' '..=b'~');
    let stays = |c: char| is_plain(c) || kept.contains(&c);
    // Nearly every text is plain, and half a million of them are written in a second.
    if text.bytes().all(is_ascii) || text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    let visible = text.chars().filter(|&c| !is_unseen(c));
    Cow::Owned(visible.map(|c| if stays(c) { c } else { ' ' }).collect())
}

/// The text as one line of at most [`LONGEST`] bytes: what is kept of a message. Blanks around it go.
#[must_use]
pub fn kept(text: &str) -> String {
    let line = one_line(text);
    let line = line.trim();
    if line.len() <= LONGEST {
        return line.to_owned();
    }
    let end = line.floor_char_boundary(LONGEST - '…'.len_utf8());
    format!("{}…", &line[..end])
}

/// Writes one line, whatever is in the words: what is displayed on several lines is made of these.
///
/// # Errors
/// Those of `out`.
pub fn line(out: &mut impl fmt::Write, words: fmt::Arguments<'_>) -> fmt::Result {
    let words = words.to_string();
    writeln!(out, "{}", one_line(&words))
}

/// JSON whose strings hold, as escapes, whatever a terminal would act on.
#[must_use]
pub fn json(text: &str) -> Cow<'_, str> {
    let stays = |c: char| is_plain(c) || c == '\n';
    if text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if stays(c) {
            plain.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                plain += "\\u";
                let hex = (0..4)
                    .rev()
                    .map(|place| u32::from(*unit) >> (4 * place) & 0xf);
                plain.extend(hex.filter_map(|digit| char::from_digit(digit, 16)));
            }
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Text in which what is dangerous is frequent.
    fn hostile() -> impl Strategy<Value = String> {
        let c = prop_oneof![
            any::<char>(),
            proptest::char::range('\0', '\u{9f}'),
            proptest::char::range('\u{2000}', '\u{206f}'),
            proptest::char::range('\u{e0000}', '\u{e0fff}'),
        ];
        proptest::collection::vec(c, 0..60).prop_map(|all| all.into_iter().collect())
    }

    #[test]
    fn what_a_terminal_would_obey_becomes_a_space_and_what_nobody_sees_goes() {
        for (text, plain) in [
            ("größe – 木 🦀", "größe – 木 🦀"),
            ("\x1b[2Jdone, all accepted", " [2Jdone, all accepted"),
            ("a\u{9b}31mb", "a 31mb"),
            ("a\r\nb\tc\0d\x7fe", "a  b c d e"),
            ("a\u{2028}b\u{85}c", "a b c"),
            ("gnp.\u{202e}exe\u{200b}\u{feff}", "gnp.exe"),
        ] {
            assert_eq!(one_line(text), plain, "{text:?}");
        }
        assert_eq!(cell("a\r\nb\t\x1b\u{202e}c"), "a\r\nb\t c");
    }

    #[test]
    fn a_message_is_kept_up_to_two_kilobytes_of_whole_characters() {
        assert_eq!(kept(" a\n"), "a");
        assert_eq!(kept(&"x".repeat(LONGEST)).len(), LONGEST);
        let cut = kept(&"木".repeat(LONGEST));
        assert!(
            cut.len() <= LONGEST && cut.len() > LONGEST - 4,
            "{}",
            cut.len()
        );
        assert!(cut.ends_with("木…"));
    }

    proptest! {
        #[test]
        fn no_text_is_ever_more_than_a_plain_line(text in hostile()) {
            prop_assert!(one_line(&text).chars().all(is_plain));
            prop_assert!(cell(&text).chars().all(|c| is_plain(c) || "\n\r\t".contains(c)));
            let short = kept(&text.repeat(40));
            prop_assert!(short.chars().all(is_plain) && short.len() <= LONGEST);
            let mut out = String::new();
            line(&mut out, format_args!("a {text} b")).unwrap();
            prop_assert_eq!(out.lines().count(), 1);
        }

        #[test]
        fn json_stays_the_same_json(text in hostile()) {
            let written = serde_json::to_string(&text).unwrap();
            let plain = json(&written);
            prop_assert!(plain.chars().all(is_plain));
            prop_assert_eq!(serde_json::from_str::<String>(&plain).unwrap(), text);
        }
    }
}
