//! Whether a text can be a bearer token: one word of visible ASCII.

use secrecy::{ExposeSecret, SecretString};

use super::SignInError;

/// Parses a token as people paste it: white space around it is dropped, and the word `Bearer` before it. `place` says
/// where it comes from, such as "the token in `FLEETSWEEP_TOKEN`".
///
/// # Errors
/// What is left is empty, or has blanks, line ends, control characters or anything beyond ASCII in it, which an HTTP
/// header cannot carry. The message never shows any of the token.
pub fn bearer(text: &SecretString, place: &str) -> Result<SecretString, SignInError> {
    let text = text.expose_secret().trim();
    let text = match text.split_once(char::is_whitespace) {
        Some((word, rest)) if word.eq_ignore_ascii_case("bearer") => rest.trim_start(),
        None if text.eq_ignore_ascii_case("bearer") => "",
        _ => text,
    };
    let wrong = if text.is_empty() {
        "is empty"
    } else if text.contains(['\n', '\r']) {
        "has several lines, and a token is one"
    } else if text.contains(char::is_whitespace) {
        "has blanks in it, and a token has none"
    } else if text.contains(|c: char| c.is_control()) {
        "has control characters in it, and a token has none"
    } else if !text.is_ascii() {
        "has characters in it that are no ASCII, and a token has none"
    } else {
        return Ok(SecretString::from(text));
    };
    Err(SignInError(format!(
        "{place} {wrong}; put the bare access token there, such as `az account get-access-token --resource \
         https://api.securitycenter.microsoft.com --query accessToken -o tsv` prints"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_surrounds_a_token_is_dropped() {
        for text in [
            "abc.def",
            " abc.def\r\n",
            "Bearer abc.def",
            "bearer   abc.def\n",
        ] {
            let token = bearer(&SecretString::from(text), "it").unwrap();
            assert_eq!(token.expose_secret(), "abc.def");
        }
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_shown() {
        for (text, word) in [
            ("", "empty"),
            (" \n", "empty"),
            ("Bearer ", "empty"),
            ("s3cret\ns3cret", "lines"),
            ("s3cret s3cret", "blanks"),
            ("s3cret\u{7}", "control"),
            ("s3crét", "ASCII"),
        ] {
            let told = bearer(&SecretString::from(text), "the token in X").unwrap_err();
            let told = told.to_string();
            assert!(told.starts_with("the token in X "), "{told}");
            assert!(told.contains(word), "{told}");
            assert!(!told.contains("s3cr"), "{told}");
        }
    }
}
