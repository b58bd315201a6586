//! Recognises files that are not tables, and says how to get a table from them.

use std::fmt;

/// What the input is instead of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// A workbook that comes from a stream, in which nobody can go back.
    Workbook,
    /// A workbook in the form before `.xlsx`, or one that is encrypted.
    OldWorkbook,
    /// A workbook that is encrypted.
    ProtectedWorkbook,
    /// An `.xlsb`.
    BinaryWorkbook,
    /// An `.ods`.
    OpenDocument,
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
                let has = |name: &[u8]| head.windows(name.len()).any(|bytes| bytes == name);
                Some(if has(b"xl/workbook.bin") {
                    Self::BinaryWorkbook
                } else if has(b"[Content_Types].xml") || has(b"xl/") {
                    Self::Workbook
                } else if has(b"content.xml") || has(b"opendocument") {
                    Self::OpenDocument
                } else {
                    Self::Zip
                })
            }
            [0xd0, 0xcf, 0x11, 0xe0, ..] => Some(Self::of_compound(head)),
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

    /// A file with folders in it, whose names are UTF-16.
    fn of_compound(head: &[u8]) -> Self {
        let name: Vec<u8> = "EncryptedPackage"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        if head.windows(name.len()).any(|bytes| bytes == name) {
            Self::ProtectedWorkbook
        } else {
            Self::OldWorkbook
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
                "this is a workbook, and from a stream only a CSV can be read; save it as a file and give the file's \
                 name"
            }
            Self::OldWorkbook => {
                "this is a workbook in an old form (.xls), or one that is protected by a password; open it and save it \
                 as .xlsx without a password, or the sheet with the machine ids as CSV (UTF-8)"
            }
            Self::ProtectedWorkbook => {
                "this workbook is protected by a password; open it, save it without one, and give that"
            }
            Self::BinaryWorkbook => {
                "this is a binary workbook (.xlsb); open it and save it as .xlsx, or the sheet with the machine ids as \
                 CSV (UTF-8)"
            }
            Self::OpenDocument => {
                "this is a document in the OpenDocument form (.ods); open it and save it as .xlsx, or the sheet with \
                 the machine ids as CSV (UTF-8)"
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
            (b"PK\x03\x04\x14\0xl/workbook.bin", Foreign::BinaryWorkbook),
            (
                b"PK\x03\x04\x14\0mimetypeapplication/vnd.oasis.opendocument",
                Foreign::OpenDocument,
            ),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Foreign::OldWorkbook),
            (
                b"\xd0\xcf\x11\xe0 E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0",
                Foreign::ProtectedWorkbook,
            ),
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
