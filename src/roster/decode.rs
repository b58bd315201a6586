//! Decodes UTF-16. Other bytes are left as they are, because only later it turns out which of them are not UTF-8.

use std::io::{self, Chain, Cursor, Read};

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};
use encoding_rs_io::{DecodeReaderBytes, DecodeReaderBytesBuilder};

/// How many bytes are examined to detect UTF-16 without a byte order mark: a few cells of a header.
const SNIFFED: u64 = 64;

/// The input without its byte order mark, as bytes that are UTF-8 or Windows-1252.
pub(super) enum Decoded<R> {
    Bytes(Sniffed<R>),
    Utf16(Box<DecodeReaderBytes<Sniffed<R>, Vec<u8>>>),
}

/// The first bytes, which have been read already, and the rest.
type Sniffed<R> = Chain<Cursor<Vec<u8>>, R>;

impl<R: Read> Decoded<R> {
    /// Examines the first bytes of the input.
    ///
    /// # Errors
    /// Those of the input.
    pub(super) fn new(mut input: R) -> io::Result<Self> {
        let mut head = Vec::new();
        input.by_ref().take(SNIFFED).read_to_end(&mut head)?;
        let (encoding, mark) = sniff(&head);
        let mut head = Cursor::new(head);
        head.set_position(mark);
        let bytes = head.chain(input);
        Ok(match encoding {
            None => Self::Bytes(bytes),
            Some(encoding) => Self::Utf16(Box::new(
                DecodeReaderBytesBuilder::new()
                    .encoding(Some(encoding))
                    .bom_sniffing(false)
                    .build(bytes),
            )),
        })
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Bytes(bytes) => bytes.read(buf),
            Self::Utf16(text) => text.read(buf),
        }
    }
}

/// The encoding, if it is UTF-16, and the length of the byte order mark.
fn sniff(head: &[u8]) -> (Option<&'static Encoding>, u64) {
    match head {
        [0xef, 0xbb, 0xbf, ..] => (None, 3),
        [0xff, 0xfe, ..] => (Some(UTF_16LE), 2),
        [0xfe, 0xff, ..] => (Some(UTF_16BE), 2),
        _ => {
            let all = |place: usize| {
                let mut pairs = head.chunks_exact(2);
                pairs.len() > 1 && pairs.all(|pair| pair[place] == 0 && pair[1 - place] != 0)
            };
            let encoding = if all(1) {
                Some(UTF_16LE)
            } else if all(0) {
                Some(UTF_16BE)
            } else {
                None
            };
            (encoding, 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> String {
        let mut text = Vec::new();
        Decoded::new(bytes).unwrap().read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn utf16_is_decoded_with_and_without_a_byte_order_mark() {
        let text = format!("id;name\r\n{};Zoë 😀\r\n", "ab".repeat(200));
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            assert_eq!(decode(&utf16(&text, bytes)), text);
            assert_eq!(decode(&utf16(&format!("\u{feff}{text}"), bytes)), text);
        }
    }

    #[test]
    fn other_bytes_stay_as_they_are_without_the_mark() {
        assert_eq!(decode("\u{feff}id\né".as_bytes()), "id\né");
        assert_eq!(decode(b"id\0\0\n"), "id\0\0\n");
        for short in [&b""[..], b"a", b"a\0", b"\0"] {
            assert_eq!(decode(short).as_bytes(), short);
        }
    }
}
