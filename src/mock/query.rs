//! Queries and forms: `name=value` pairs, percent-encoded.

use percent_encoding::percent_decode_str;

/// Decodes a segment of a path. Invalid escapes stay as they are: the mock does not validate URLs.
pub(super) fn decode(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// The decoded pairs of a query or a form.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    form_urlencoded::parse(text.as_bytes()).into_owned()
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
    /// The fields to show, in lower case; all if there are none.
    pub(super) select: Vec<String>,
}

/// The most that one page holds, whatever `$top` says (MDE-API.md, section 3).
pub(super) const LARGEST_PAGE: usize = 10_000;

/// How many reports of machines a page holds if `$top` does not say (MDE-API.md, section 7).
pub(super) const PAGE_OF_REPORTS: usize = 20;

impl Paging {
    /// Reads a query. Without `$top`, a page holds `usual` rows. The error is the text for the client.
    pub(super) fn parse(query: &str, usual: usize) -> Result<Self, String> {
        let mut paging = Self {
            filter: None,
            top: usual,
            skip: 0,
            count: None,
            order: None,
            select: Vec::new(),
        };
        for (name, value) in pairs(query) {
            let number = || {
                let parsed = value.parse::<usize>();
                parsed.map_err(|_| format!("Invalid value '{value}' for {name} query option"))
            };
            match name.to_ascii_lowercase().as_str() {
                "$filter" => paging.filter = Some(value),
                "$top" | "pagesize" => paging.top = number()?.min(LARGEST_PAGE),
                "$skip" => paging.skip = number()?,
                "$count" => {
                    let said = value.to_ascii_lowercase().parse();
                    let wrong = |_| format!("Invalid value '{value}' for $count query option");
                    paging.count = Some(said.map_err(wrong)?);
                }
                "$orderby" => paging.order = Some(value),
                "$select" => {
                    let fields = value
                        .split(',')
                        .map(|field| field.trim().to_ascii_lowercase());
                    paging.select = fields.collect();
                }
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
        let parse = |query| Paging::parse(query, 20);
        let paging = parse("$filter=a+eq+'%2B'&%24top=50000&$skip=7&api-version=1").unwrap();
        assert_eq!(
            paging,
            Paging {
                filter: Some("a eq '+'".into()),
                top: 10_000,
                skip: 7,
                count: None,
                order: None,
                select: Vec::new(),
            }
        );
        assert!(parse("$top=x").is_err());
        assert!(parse("$count=perhaps").is_err());
        assert!(parse("$expand=all").is_err());
        let paging = parse("$count=True&$orderby=a+desc").unwrap();
        assert_eq!(paging.top, 20);
        assert_eq!(
            (paging.count, paging.order.as_deref()),
            (Some(true), Some("a desc"))
        );
    }
}
