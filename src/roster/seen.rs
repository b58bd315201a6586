//! Finds duplicate ids.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use super::machine_id::Digest;

/// The ids so far, each with the line of its first row.
///
/// An id of 40 hex digits takes a slot of 25 bytes, so a million of them take some 55 MB. They are spread over 16 maps,
/// because a map that grows is in memory twice for a moment. This way that is only one sixteenth of the ids.
#[derive(Debug, Default)]
pub(super) struct Seen {
    digests: [HashMap<Digest, u32, BuildHasherDefault<Mixer>>; 16],
    unusual: HashMap<Box<str>, u32>,
}

impl Seen {
    /// Adds the id. If it is there already, returns the line of its first row.
    ///
    /// Lines are stored in 32 bits; a higher line number is replaced by the highest that fits.
    pub(super) fn insert(&mut self, id: &str, digest: Option<Digest>, line: u64) -> Option<u64> {
        use std::collections::hash_map::Entry::{Occupied, Vacant};

        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let first = match digest {
            Some(digest) => match self.digests[usize::from(digest[19] & 0xf)].entry(digest) {
                Occupied(first) => Some(*first.get()),
                Vacant(slot) => {
                    slot.insert(line);
                    None
                }
            },
            None => match self.unusual.entry(id.to_ascii_lowercase().into()) {
                Occupied(first) => Some(*first.get()),
                Vacant(slot) => {
                    slot.insert(line);
                    None
                }
            },
        };
        first.map(u64::from)
    }
}

/// A hash for digests, which are random already: one multiplication for each 8 bytes.
///
/// It is not safe against inputs that were made to collide, but those would only slow down their author.
#[derive(Debug, Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = (self.0.rotate_left(26) ^ u64::from_le_bytes(word))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::machine_id::digest;

    #[test]
    fn an_id_is_met_once_in_either_case() {
        let mut seen = Seen::default();
        let id = "1e5bc9d7e413ddd7902c2932e418702b84d0cc07";
        for (id, line, first) in [
            (id, 2, None),
            ("pc-1", 3, None),
            (&id.to_uppercase(), 4, Some(2)),
            ("PC-1", 5, Some(3)),
            ("pc-2", 6, None),
        ] {
            assert_eq!(seen.insert(id, digest(id), line), first, "{id}");
        }
    }

    #[test]
    fn ids_that_differ_in_one_digit_are_not_confused() {
        let mut seen = Seen::default();
        for n in 0..50_000_u64 {
            let id = format!("{n:040x}");
            assert_eq!(seen.insert(&id, digest(&id), n), None);
        }
        assert_eq!(
            seen.insert(&format!("{:040x}", 77), digest(&format!("{:040x}", 77)), 1),
            Some(77)
        );
    }
}
