//! Recognises files that are not tables, and says how to get a table from them.

use std::fmt;

/// What the input is instead of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// A workbook of a spreadsheet program.
    Workbook,
    /// An archive.
    Zip,
    /// A compressed file.
    Compressed,
    /// A PDF.
    Pdf,
    /// A database, such as the state of a campaign.
    Database,
    /// A web page.
    Html,
    /// XML.
    Xml,
    /// JSON.
    Json,
}

impl Foreign {
    /// Recognises a file by its first bytes, without a byte order mark.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [b'P', b'K', 3, 4, ..] => {
                let is_workbook = |name: &[u8]| head.windows(name.len()).any(|bytes| bytes == name);
                let workbook = [&b"[Content_Types].xml"[..], b"xl/", b"content.xml"];
                let is_workbook = workbook.into_iter().any(is_workbook);
                Some(if is_workbook {
                    Self::Workbook
                } else {
                    Self::Zip
                })
            }
            [0xd0, 0xcf, 0x11, 0xe0, ..] => Some(Self::Workbook),
            [0x1f, 0x8b, ..]
            | [b'B', b'Z', b'h', _, 0x31, ..]
            | [0xfd, b'7', b'z', b'X', ..]
            | [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Compressed),
            [b'7', b'z', 0xbc, 0xaf, ..] | [b'R', b'a', b'r', b'!', ..] => Some(Self::Zip),
            [b'%', b'P', b'D', b'F', b'-', ..] => Some(Self::Pdf),
            _ if head.starts_with(b"SQLite format 3\0") => Some(Self::Database),
            _ => Self::of_text(head.trim_ascii_start()),
        }
    }

    fn of_text(text: &[u8]) -> Option<Self> {
        let begins = |tag: &[u8]| {
            text.get(..tag.len())
                .is_some_and(|bytes| bytes.eq_ignore_ascii_case(tag))
        };
        if begins(b"<!doctype html") || begins(b"<html") {
            return Some(Self::Html);
        }
        if begins(b"<?xml") {
            return Some(Self::Xml);
        }
        // An id in braces or brackets is not JSON.
        let (opens, rest) = text.split_first()?;
        let next = *rest.trim_ascii_start().first()?;
        match opens {
            b'{' => (next == b'"').then_some(Self::Json),
            b'[' => matches!(next, b'"' | b'{' | b'[').then_some(Self::Json),
            _ => None,
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Workbook => {
                "this is a workbook, not a CSV; open it and save the sheet with the machine ids as CSV (UTF-8)"
            }
            Self::Zip => "this is an archive, not a CSV; unpack it and give the CSV in it",
            Self::Compressed => {
                "this is a compressed file, not a CSV; decompress it first (`gunzip -c FILE | fleetsweep run - -o \
                 RESULTS.csv` does for gzip)"
            }
            Self::Pdf => "this is a PDF, not a CSV; export the list as CSV where it comes from",
            Self::Database => {
                "this is a database, not a CSV; if it is a campaign's state, `fleetsweep status FILE` tells of it, \
                 and the campaign goes on with the input that it began with"
            }
            Self::Html => {
                "this is a web page, not a CSV: a sign-in page perhaps, saved in the place of the export; sign in, and \
                 export again"
            }
            Self::Xml => "this is XML, not a CSV; export the list as CSV where it comes from",
            Self::Json => {
                "this is JSON, not a CSV; make a list of the ids of it, for instance with `jq -r '.[].id'` \
                 (`.value[].id` for an answer of the API)"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_table_is_known_by_its_beginning() {
        for (head, what) in [
            (
                &b"PK\x03\x04\x14\0[Content_Types].xml"[..],
                Foreign::Workbook,
            ),
            (b"PK\x03\x04\x14\0devices.csv", Foreign::Zip),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Foreign::Workbook),
            (b"\x1f\x8b\x08\0", Foreign::Compressed),
            (b"%PDF-1.7", Foreign::Pdf),
            (b"SQLite format 3\0", Foreign::Database),
            (b"\r\n <!DOCTYPE html>", Foreign::Html),
            (b"<?xml version", Foreign::Xml),
            (b"[{\"id\"", Foreign::Json),
            (b"{\n  \"value\"", Foreign::Json),
        ] {
            assert_eq!(Foreign::of(head), Some(what));
        }
    }

    #[test]
    fn a_table_is_none_of_it() {
        for head in [
            &b"machine_id\n"[..],
            b"",
            b"{1e5bc9d7e413ddd7902c2932e418702b84d0cc07}\n",
            b"[1e5bc9d7e413ddd7902c2932e418702b84d0cc07]\n",
            b"<1e5bc9d7e413ddd7902c2932e418702b84d0cc07>\n",
            b"{",
        ] {
            assert_eq!(Foreign::of(head), None);
        }
    }
}
