//! Splits a filter into words, texts and marks.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

/// Splits a filter. The error is the text for the client.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, used) = match first {
            '(' | ')' | ',' | '/' | ':' => (Token::Mark(first), 1),
            '\'' => quoted(rest)?,
            // A date contains colons and signs, a name does not.
            '0'..='9' => word(rest, |c| {
                c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | ':' | '.')
            }),
            'a'..='z' | 'A'..='Z' | '_' => word(rest, |c| c.is_ascii_alphanumeric() || c == '_'),
            other => return Err(format!("Syntax error: character '{other}' is not valid")),
        };
        tokens.push(token);
        rest = rest[used..].trim_start();
    }
    Ok(tokens)
}

fn word(rest: &str, belongs: impl Fn(char) -> bool) -> (Token, usize) {
    let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
    (Token::Word(rest[..end].to_owned()), end)
}

/// A text in quotes, in which a quote is doubled.
fn quoted(rest: &str) -> Result<(Token, usize), String> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != '\'' {
            text.push(c);
        } else if chars.next_if(|(_, next)| *next == '\'').is_some() {
            text.push('\'');
        } else {
            return Ok((Token::Text(text), at + 1));
        }
    }
    Err("Syntax error: unterminated string literal".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_one_word_and_names_end_at_a_mark() {
        let word = |text: &str| Token::Word(text.to_owned());
        let expected = [
            word("t"),
            Token::Mark(':'),
            word("t"),
            word("ge"),
            word("2024-10-21T11:26:49.68+02:00"),
            Token::Mark(')'),
            Token::Text("it's".to_owned()),
        ];
        assert_eq!(
            tokens("t:t ge 2024-10-21T11:26:49.68+02:00)'it''s'").unwrap(),
            expected
        );
        for wrong in ["'open", "a ; b", "a = 'b'", "é"] {
            assert!(tokens(wrong).is_err(), "{wrong}");
        }
    }
}
