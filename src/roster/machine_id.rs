//! What a machine id looks like: normally 40 hex digits. And which ids are certainly wrong.

use super::row_error::{MAX_ID, RowError};

/// An id of 40 hex digits as 20 bytes: half the memory, and the same in upper and lower case.
pub(super) type Digest = [u8; 20];

/// The value of each hex digit; above 15 for other characters.
const HEX: [u8; 256] = {
    let mut table = [0xff; 256];
    let mut digit = 0;
    while digit < 16 {
        table[b"0123456789abcdef"[digit as usize] as usize] = digit;
        table[b"0123456789ABCDEF"[digit as usize] as usize] = digit;
        digit += 1;
    }
    table
};

/// The bytes of the id, if it is 40 hex digits.
pub(super) fn digest(id: &str) -> Option<Digest> {
    let digits: &[u8; 40] = id.as_bytes().try_into().ok()?;
    let mut digest = [0; 20];
    let mut seen = 0;
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        let (high, low) = (HEX[usize::from(pair[0])], HEX[usize::from(pair[1])]);
        seen |= high | low;
        *byte = high << 4 | low & 0xf;
    }
    (seen < 16).then_some(digest)
}

/// Whether the id has the form `8-4-4-4-12`, like the ids of Entra and Intune, and unlike Defender's.
pub(super) fn is_guid(id: &str) -> bool {
    let id = id
        .strip_prefix('{')
        .and_then(|id| id.strip_suffix('}'))
        .unwrap_or(id);
    id.len() == 36
        && id.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether the id is 32 hex digits.
pub(super) fn is_short_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether the text has the form of a machine id: 40 or 32 hex digits.
pub(crate) fn is_machine_id(text: &str) -> bool {
    digest(text).is_some() || is_short_id(text)
}

/// Whether any line of the cell but the first contains an id of 40 hex digits.
pub(super) fn hides_ids(cell: &str) -> bool {
    cell.split(['\n', '\r'])
        .skip(1)
        .flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric()))
        .any(|word| digest(word).is_some())
}

/// Whether a trimmed id can be part of a URL.
pub(super) fn check_address(id: &str) -> Result<(), RowError> {
    if digest(id).is_some() {
        return Ok(());
    }
    if id.is_empty() {
        return Err(RowError::NoId);
    }
    if matches!(id, "." | "..") {
        return Err(RowError::PathStep(id.to_owned()));
    }
    if let Some(wrong) = id
        .chars()
        .find(|&c| !c.is_ascii_graphic() || r"/\?#%".contains(c))
    {
        return Err(RowError::IdCharacter(wrong));
    }
    if id.len() > MAX_ID {
        return Err(RowError::LongId(id.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1e5bc9d7e413ddd7902c2932e418702b84d0cc07";

    #[test]
    fn an_id_spells_the_same_digest_in_either_case() {
        assert_eq!(digest(ID), digest(&ID.to_uppercase()));
        assert_eq!(digest(ID).unwrap()[..2], [0x1e, 0x5b]);
    }

    #[test]
    fn only_forty_hex_digits_spell_a_digest() {
        for id in [
            "",
            &ID[1..],
            &format!("{ID}0"),
            &ID.replace('b', "g"),
            &ID.replace("1e5b", "é5b"),
        ] {
            assert_eq!(digest(id), None, "{id}");
        }
    }

    #[test]
    fn what_would_change_the_address_of_a_call_is_wrong() {
        for id in [
            "a b",
            "a/b",
            r"a\b",
            "a?b",
            "a#b",
            "a%20",
            "a\0b",
            "a\u{200b}",
            "é",
            ".",
            "..",
        ] {
            assert!(check_address(id).is_err(), "{id:?}");
        }
        assert_eq!(check_address(""), Err(RowError::NoId));
        assert_eq!(check_address(&"a".repeat(129)), Err(RowError::LongId(129)));
    }

    #[test]
    fn the_merely_unusual_passes() {
        for id in [
            "pc-1.corp",
            "0123456789abcdef0123456789abcdef",
            &"a".repeat(128),
        ] {
            assert_eq!(check_address(id), Ok(()), "{id}");
        }
    }

    #[test]
    fn guids_are_known_with_and_without_braces() {
        let guid = "2f1b3c4d-0000-4abc-8DEF-001122334455";
        assert!(is_guid(guid) && is_guid(&format!("{{{guid}}}")));
        assert!(!is_guid(&guid.replace('-', "0")) && !is_guid(ID));
    }
}
