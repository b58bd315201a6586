//! Removes secrets from what a service says. Otherwise a service that quotes them would put them into our logs.

use std::fmt::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD, prelude::BASE64_URL_SAFE_NO_PAD};

/// A secret shorter than this is removed only where it is a word of its own. "e" is part of half of all words, and a
/// message without these would be unreadable. Entra's own secrets have 40 characters.
const SHORT: usize = 8;

/// A shorter word is not a JWT, even if it begins like one.
const SHORTEST_JWT: usize = 20;

/// The text without the secret, also as it is encoded in forms, URLs and base64, and without any token or assertion.
pub(super) fn masked(text: &str, secret: Option<&str>) -> String {
    let mut text = text.to_owned();
    for form in secret.map(forms).unwrap_or_default() {
        text = without(&text, &form);
    }
    without_tokens(&text)
}

/// The forms in which the secret may be quoted. The longest comes first, so that removing one form does not leave
/// part of another.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![
        secret.to_owned(),
        BASE64_STANDARD_NO_PAD.encode(secret),
        BASE64_URL_SAFE_NO_PAD.encode(secret),
    ];
    for kept in ["-._*", "-._~", "-._"] {
        let encoded = percent(secret, kept);
        forms.push(encoded.replace("%20", "+"));
        forms.push(in_small_letters(&encoded).replace("%20", "+"));
        forms.push(in_small_letters(&encoded));
        forms.push(encoded);
    }
    forms.retain(|form| !form.is_empty());
    forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    forms.dedup();
    forms
}

fn percent(text: &str, kept: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || kept.contains(c) {
            encoded.push(c);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Converts `%7E` to `%7e`.
fn in_small_letters(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let mut small = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        small = small + "%" + &digits.to_ascii_lowercase() + rest;
    }
    small
}

fn without(text: &str, form: &str) -> String {
    if form.chars().count() >= SHORT {
        return text.replace(form, "[secret]");
    }
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut masked, mut from) = (String::new(), 0);
    for (at, _) in text.match_indices(form) {
        let (before, after) = (&text[..at], &text[at + form.len()..]);
        let is_part = before.ends_with(in_word) || after.starts_with(in_word);
        if !is_part {
            masked.push_str(&text[from..at]);
            masked.push_str("[secret]");
            from = at + form.len();
        }
    }
    masked + &text[from..]
}

/// Removes JWTs, which begin with the base64 of `{"`. No other long word does.
fn without_tokens(text: &str) -> String {
    let in_jwt = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let (mut masked, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("eyJ") {
        let (before, token) = rest.split_at(at);
        let (token, after) = token.split_at(token.find(|c| !in_jwt(c)).unwrap_or(token.len()));
        masked.push_str(before);
        masked.push_str(if token.len() < SHORTEST_JWT {
            token
        } else {
            "[token]"
        });
        rest = after;
    }
    masked + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_cut_out_in_every_form_that_it_is_quoted_in() {
        let secret = "s3cret V~lue+/é";
        for quoted in [
            secret,
            "s3cret+V%7Elue%2B%2F%C3%A9",
            "s3cret+V%7elue%2b%2f%c3%a9",
            "s3cret%20V~lue%2B%2F%C3%A9",
            "s3cret%20V%7Elue%2B%2F%C3%A9",
            &BASE64_STANDARD_NO_PAD.encode(secret),
            &BASE64_URL_SAFE_NO_PAD.encode(secret),
        ] {
            let told = masked(&format!("invalid: '{quoted}'."), Some(secret));
            assert_eq!(told, "invalid: '[secret]'.", "{quoted}");
            let told = masked(&format!("xx{quoted}xx"), Some(secret));
            assert_eq!(told, "xx[secret]xx", "{quoted}");
        }
    }

    #[test]
    fn a_short_secret_is_cut_out_as_a_word_and_not_out_of_words() {
        let text = "AADSTS7000215: Invalid client secret 'e' provided; client_secret=e&x=1, e";
        assert_eq!(
            masked(text, Some("e")),
            "AADSTS7000215: Invalid client secret '[secret]' provided; client_secret=[secret]&x=1, [secret]"
        );
        assert_eq!(masked("é e", Some("é")), "[secret] e");
        assert_eq!(masked("p~ and p%7E", Some("p~")), "[secret] and [secret]");
        assert_eq!(masked("aaa a", Some("a")), "aaa [secret]");
        assert_eq!(masked("nothing to cut", Some("")), "nothing to cut");
    }

    #[test]
    fn tokens_and_assertions_are_cut_out_whoever_sent_them() {
        let text = "assertion eyJhbGciOiJQUzI1NiJ9.eyJhdWQiOiJ4In0.c2ln-nature_x is not valid; eyJ alone is a word";
        assert_eq!(
            masked(text, None),
            "assertion [token] is not valid; eyJ alone is a word"
        );
    }
}
