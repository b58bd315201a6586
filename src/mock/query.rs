//! Queries and forms: `name=value` pairs, percent-encoded.

/// Decodes one name, value or path segment. Invalid escapes stay as they are: the mock does not validate URLs.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, left) = match (first, tail) {
            (b'%', [a, b, left @ ..]) => match (hex(*a), hex(*b)) {
                (Some(a), Some(b)) => (a * 16 + b, left),
                _ => (b'%', tail),
            },
            _ => (*first, tail),
        };
        bytes.push(byte);
        rest = left;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}

/// The decoded pairs of a query or a form, in which a plus sign is a space.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    let plain = |part: &str| decode(&part.replace('+', " "));
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(move |pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (plain(name), plain(value))
        })
}

/// The options of a listing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Paging {
    pub(super) filter: Option<String>,
    pub(super) top: usize,
    pub(super) skip: usize,
    /// Whether the number of all rows is asked for; `None` if the query does not say.
    pub(super) count: Option<bool>,
    pub(super) order: Option<String>,
}

/// The most that one page holds, whatever `$top` says (MDE-API.md, section 3).
const LARGEST_PAGE: usize = 10_000;

impl Paging {
    /// Reads a query. The error is the text for the client.
    pub(super) fn parse(query: &str) -> Result<Self, String> {
        let mut paging = Self {
            filter: None,
            top: LARGEST_PAGE,
            skip: 0,
            count: None,
            order: None,
        };
        for (name, value) in pairs(query) {
            let number = || {
                let parsed = value.parse::<usize>();
                parsed.map_err(|_| format!("Invalid value '{value}' for {name} query option"))
            };
            match name.as_str() {
                "$filter" => paging.filter = Some(value),
                "$top" => paging.top = number()?.min(LARGEST_PAGE),
                "$skip" => paging.skip = number()?,
                "$count" => {
                    let said = value.to_ascii_lowercase().parse();
                    let wrong = |_| format!("Invalid value '{value}' for $count query option");
                    paging.count = Some(said.map_err(wrong)?);
                }
                "$orderby" => paging.order = Some(value),
                // An option that would change the answer must not be ignored.
                _ if name.starts_with('$') => {
                    return Err(format!("The query option '{name}' is not supported"));
                }
                _ => {}
            }
        }
        Ok(paging)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_percent_encoded_is_decoded_and_what_is_broken_stays() {
        for (text, plain) in [
            ("a%20b", "a b"),
            ("%C3%a9", "é"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
        ] {
            assert_eq!(decode(text), plain);
        }
    }

    #[test]
    fn a_listing_reads_its_options_and_refuses_others() {
        let paging =
            Paging::parse("$filter=a+eq+'%2B'&%24top=50000&$skip=7&api-version=1").unwrap();
        assert_eq!(
            paging,
            Paging {
                filter: Some("a eq '+'".into()),
                top: 10_000,
                skip: 7,
                count: None,
                order: None,
            }
        );
        assert!(Paging::parse("$top=x").is_err());
        assert!(Paging::parse("$count=perhaps").is_err());
        assert!(Paging::parse("$expand=all").is_err());
        let paging = Paging::parse("$count=True&$orderby=a+desc").unwrap();
        assert_eq!(
            (paging.count, paging.order.as_deref()),
            (Some(true), Some("a desc"))
        );
    }
}
