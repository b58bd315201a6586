//! Looks over the XML of a workbook's part while it is inflated, as cheaply as possible: whether a reader that goes
//! from tag to tag can read it in bounded memory.
//!
//! Nothing is understood here. What spreadsheet programs write has short tags, short cells and neither comments nor
//! entities of its own; whatever else there is makes a part *odd*, and odd parts must be small.

use super::tag::{name, unique_count};

/// The longest tag, in bytes. Those of spreadsheet programs have some hundreds.
const LONGEST_TAG: usize = 64 * 1024;
/// The longest cell, in bytes: four times what 32,767 characters take if each is written as an entity.
const LONGEST_CELL: usize = 1024 * 1024;
/// How deep tags may be nested. Those of spreadsheet programs are some ten deep; a reader remembers each that is open.
const DEEPEST: usize = 256;
/// Elements whose content a reader puts together before it goes on.
const GATHERED: [&[u8]; 4] = [b"v", b"is", b"f", b"si"];

/// A part that is being looked over.
#[derive(Debug, Default)]
pub(super) struct Xml {
    /// The tag that has begun, without its `<`.
    tag: Vec<u8>,
    place: Place,
    /// How many bytes have come since the last tag.
    text: usize,
    /// The outermost of the elements that are gathered.
    gathered: Option<Gathered>,
    /// How many tags there were; in an odd part, how many there may have been.
    tags: u64,
    /// How many tags are open.
    depth: usize,
    /// How many tags list a sheet or a name.
    listed: u64,
    /// How many tags stand for something that is kept: a shared string, or a part of a format.
    kept: u64,
    is_odd: bool,
    /// How many strings the table of shared strings declares.
    declared: Option<u64>,
    longest_tag: usize,
    /// How many formats of cells there are.
    formats: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the first `<`.
    #[default]
    Start,
    Text,
    Tag,
    /// Within a tag, in a value between these quotes.
    Value(u8),
}

#[derive(Debug)]
struct Gathered {
    name: Vec<u8>,
    /// How many elements of that name are open.
    depth: usize,
    bytes: usize,
}

impl Xml {
    /// Looks at the next bytes of the part.
    pub(super) fn look(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.is_odd {
                let tags = bytes.split(|&byte| byte == b'<').count() - 1;
                self.tags += tags as u64;
                return;
            }
            let seen = match self.place {
                Place::Start => self.before_markup(bytes),
                Place::Text => self.text(bytes),
                Place::Tag | Place::Value(_) => self.in_tag(bytes),
            };
            if let Some(gathered) = &mut self.gathered {
                gathered.bytes += seen;
                self.is_odd |= gathered.bytes > LONGEST_CELL;
            }
            bytes = &bytes[seen..];
        }
    }

    /// Whether the part is something else than the XML of spreadsheet programs, as far as it was seen.
    pub(super) const fn is_odd(&self) -> bool {
        self.is_odd
    }

    /// How many strings the part declares, if it is a table of shared strings, whose reader makes room for them.
    pub(super) const fn declared_strings(&self) -> Option<u64> {
        self.declared
    }

    /// How many tags there were at most.
    pub(super) const fn tags(&self) -> u64 {
        self.tags
    }

    /// How many sheets and names are listed.
    pub(super) const fn listed(&self) -> u64 {
        self.listed
    }

    /// How many shared strings, fonts, fills and borders there are.
    pub(super) const fn kept(&self) -> u64 {
        self.kept
    }

    /// How much memory the formats of cells may take: each is kept with copies of what its font and its format are
    /// called.
    pub(super) const fn format_bytes(&self) -> u64 {
        /// What is kept of every format, in bytes.
        const OF_EACH: u64 = 512;
        self.formats
            .saturating_mul(self.longest_tag as u64 + OF_EACH)
    }

    /// A byte order mark and blanks may come before the first tag.
    fn before_markup(&mut self, bytes: &[u8]) -> usize {
        match bytes[0] {
            b'<' => self.place = Place::Tag,
            0xef | 0xbb | 0xbf | b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => self.is_odd = true,
        }
        1
    }

    fn text(&mut self, bytes: &[u8]) -> usize {
        let end = bytes.iter().position(|&byte| byte == b'<');
        self.text += end.unwrap_or(bytes.len());
        self.is_odd |= self.text > LONGEST_CELL;
        if end.is_some() {
            self.place = Place::Tag;
        }
        end.map_or(bytes.len(), |end| end + 1)
    }

    fn in_tag(&mut self, bytes: &[u8]) -> usize {
        for (at, &byte) in bytes.iter().enumerate() {
            match (self.place, byte) {
                // No value may hold it.
                (_, b'<') => self.is_odd = true,
                (Place::Value(quote), _) if byte == quote => self.place = Place::Tag,
                (Place::Value(_), _) => {}
                (_, b'"' | b'\'') => self.place = Place::Value(byte),
                (_, b'>') => {
                    self.tag.extend_from_slice(&bytes[..at]);
                    self.end_tag();
                    return at + 1;
                }
                _ => {}
            }
        }
        self.tag.extend_from_slice(bytes);
        self.is_odd |= self.tag.len() > LONGEST_TAG;
        bytes.len()
    }

    fn end_tag(&mut self) {
        self.is_odd |= self.tag.len() > LONGEST_TAG;
        let tag = std::mem::take(&mut self.tag);
        match tag.first() {
            // Comments, CDATA and entities.
            Some(b'!') | None => self.is_odd = true,
            Some(b'?') => self.is_odd |= self.tags > 0 || !tag.ends_with(b"?"),
            Some(b'/') => self.close(name(&tag[1..])),
            Some(_) => self.open(&tag),
        }
        self.tags += 1;
        self.text = 0;
        self.place = Place::Text;
        self.tag = tag;
        self.tag.clear();
    }

    fn open(&mut self, tag: &[u8]) {
        let full = name(tag);
        let local = full.iter().position(|&byte| byte == b':');
        let local = &full[local.map_or(0, |colon| colon + 1)..];
        self.longest_tag = self.longest_tag.max(tag.len());
        match local {
            b"sst" => self.declared = self.declared.max(unique_count(tag)),
            b"xf" => self.formats += 1,
            b"sheet" | b"definedName" => self.listed += 1,
            b"si" | b"font" | b"fill" | b"border" => self.kept += 1,
            _ => {}
        }
        if tag.ends_with(b"/") {
            return;
        }
        self.depth += 1;
        self.is_odd |= self.depth > DEEPEST;
        match &mut self.gathered {
            Some(gathered) => gathered.depth += usize::from(gathered.name == full),
            None if GATHERED.contains(&local) => {
                self.gathered = Some(Gathered {
                    name: full.to_vec(),
                    depth: 1,
                    bytes: 0,
                });
            }
            None => {}
        }
    }

    fn close(&mut self, full: &[u8]) {
        self.depth = self.depth.saturating_sub(1);
        if let Some(gathered) = self.gathered.as_mut().filter(|open| open.name == full) {
            gathered.depth -= 1;
            if gathered.depth == 0 {
                self.gathered = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at the text in pieces of every size up to its own, and says whether it is odd.
    fn is_odd(text: &str) -> bool {
        let odd = |size: usize| {
            let mut xml = Xml::default();
            text.as_bytes()
                .chunks(size)
                .for_each(|piece| xml.look(piece));
            xml.is_odd()
        };
        let whole = odd(text.len());
        for size in 1..text.len().min(20) {
            assert_eq!(odd(size), whole, "{size}: {text:.60}");
        }
        whole
    }

    #[test]
    fn what_spreadsheet_programs_write_is_not_odd() {
        for text in [
            "\u{feff}<?xml version=\"1.0\" standalone='yes'?>\r\n<worksheet><sheetData/></worksheet>",
            "<a b='>' c=\"it's\"><x:v>1</x:v><f>A1&gt;2</f></a>",
        ] {
            assert!(!is_odd(text), "{text}");
        }
        let many = format!("<a>{}</a>", "<c><v>1</v></c>".repeat(200_000));
        let mut xml = Xml::default();
        xml.look(many.as_bytes());
        assert!(!xml.is_odd());
    }

    #[test]
    fn comments_entities_and_what_hides_markup_are_odd() {
        for text in [
            "PNG",
            "<!DOCTYPE a [<!ENTITY b \"c\">]><a/>",
            "<a><!-- <v> --></a>",
            "<a><![CDATA[<v>]]></a>",
            "<a><?b <v> ?></a>",
            "<?xml a='?><v>' ?><a/>",
            "<a b=\"<v>\"/>",
        ] {
            assert!(is_odd(text), "{text}");
        }
    }

    #[test]
    fn a_cell_that_is_too_long_is_odd_however_it_is_cut_up() {
        let long = "a".repeat(LONGEST_CELL / 2 + 1);
        for text in [
            format!("<c><v>{long}{long}</v></c>"),
            format!("<c><is><t>{long}</t><v></v><t>{long}</t></is></c>"),
            format!("<c><f>{long}<f></f>{long}</f></c>"),
            format!("<c><x:f>{long}</f>{long}</x:f></c>"),
            format!("<c {}/>", "a".repeat(LONGEST_TAG + 1)),
        ] {
            let mut xml = Xml::default();
            text.as_bytes()
                .chunks(4096)
                .for_each(|piece| xml.look(piece));
            assert!(xml.is_odd(), "{text:.30}");
        }
    }

    #[test]
    fn the_memory_for_formats_grows_with_their_number_and_the_longest_name() {
        let mut xml = Xml::default();
        xml.look(b"<fonts><font><name val=\"Aptos\"/></font></fonts><cellXfs><xf/><x:xf></x:xf></cellXfs>");
        assert_eq!(xml.format_bytes(), 2 * (512 + 17));
    }

    #[test]
    fn tags_that_a_reader_keeps_are_counted_and_nesting_is_limited() {
        let mut xml = Xml::default();
        xml.look(
            b"<fonts><font/><x:fill/><border></border></fonts><si><t/></si><sheet/><definedName/>",
        );
        assert_eq!((xml.kept(), xml.listed(), xml.is_odd()), (4, 2, false));
        let nested = |deep| format!("{}{}", "<a>".repeat(deep), "</a>".repeat(deep));
        assert!(!is_odd(&nested(DEEPEST).repeat(2)));
        assert!(is_odd(&nested(DEEPEST + 1)));
        let mut odd = Xml::default();
        odd.look(b"<!-- -->");
        odd.look(b"<a><b/>");
        assert!(odd.is_odd() && odd.tags() >= 2);
    }

    #[test]
    fn the_declared_number_of_strings_is_seen() {
        let declared = |text: &str| {
            let mut xml = Xml::default();
            xml.look(text.as_bytes());
            xml.declared_strings()
        };
        assert_eq!(declared("<sst count='9' uniqueCount='7'/>"), Some(7));
        assert_eq!(
            declared("<x:sst uniqueCount = \"99999999999999999999\">"),
            Some(u64::MAX)
        );
        assert_eq!(declared("<a uniqueCount='7'/>"), None);
    }
}
