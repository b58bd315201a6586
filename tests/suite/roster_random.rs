//! The roster on inputs at random: it never panics, and gives back what was written.

use encoding_rs::WINDOWS_1252;
use fleetsweep::roster::Options;
use proptest::prelude::*;

use super::{
    roster_formats::{IDS, hear},
    roster_rules::id_column,
};

/// A cell as people have it: line ends, quotes and delimiters included.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zA-Z0-9 ._-]{0,12}",
        1 => "[a-z,;\t\"éß\n\r|]{0,8}",
    ]
}

#[derive(Debug, Clone, Copy)]
enum Encoding {
    Utf8,
    Utf8Mark,
    Utf16Le,
    Utf16Be,
    Windows1252,
}

impl Encoding {
    fn encode(self, text: &str) -> Vec<u8> {
        let marked = format!("\u{feff}{text}");
        match self {
            Self::Utf8 => text.into(),
            Self::Utf8Mark => marked.into(),
            Self::Utf16Le => marked.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Self::Utf16Be => marked.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Self::Windows1252 => WINDOWS_1252.encode(text).0.into(),
        }
    }
}

/// Line ends in a text, CRLF being one.
fn line_ends(text: &str) -> u64 {
    let ends = text
        .replace("\r\n", "\n")
        .chars()
        .filter(|&c| c == '\n' || c == '\r')
        .count();
    u64::try_from(ends).expect("a count")
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = hear("in.csv", &bytes, &Options::default());
    }

    #[test]
    fn no_text_that_looks_like_a_csv_makes_it_panic(
        text in "(sep=.\n)?(machine_id|id|[a-f0-9]{40})?([a-f0-9]{40}|[,;\t\"\r\n\0é. ]|a){0,60}",
    ) {
        for options in [Options::default(), id_column("id")] {
            let _ = hear("in.csv", text.as_bytes(), &options);
        }
    }

    #[test]
    fn what_a_csv_writer_writes_comes_back_with_its_line_numbers(
        rows in proptest::collection::vec((cell(), cell()), 1..20),
        delimiter in prop_oneof![Just(b','), Just(b';'), Just(b'\t')],
        end in prop_oneof![Just("\n"), Just("\r\n"), Just("\r")],
        blanks in 0..3_usize,
        encoding in prop_oneof![
            Just(Encoding::Utf8),
            Just(Encoding::Utf8Mark),
            Just(Encoding::Utf16Le),
            Just(Encoding::Utf16Be),
            Just(Encoding::Windows1252),
        ],
    ) {
        let mut text = String::new();
        let mut lines = Vec::new();
        let mut write = |cells: [&str; 3]| {
            lines.push(1 + line_ends(&text));
            let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
            writer.write_record(cells).unwrap();
            let line = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            text.push_str(line.strip_suffix('\n').unwrap());
            text.push_str(&end.repeat(1 + blanks));
        };
        write(["before", "machine_id", "after"]);
        for (n, (before, after)) in rows.iter().enumerate() {
            write([before, &format!("{n:040x}"), after]);
        }

        let heard = hear("in.csv", &encoding.encode(&text), &Options::default()).unwrap();
        let expected: Vec<_> = lines[1..].iter().map(|line| format!("{line} ? due")).collect();
        prop_assert_eq!(heard.rows, expected);
        let cells: Vec<_> = rows.iter().map(|(before, after)| vec![before.clone(), after.clone()]).collect();
        prop_assert_eq!(heard.cells, cells);
    }

    #[test]
    fn every_line_that_is_not_blank_is_one_row(lines in proptest::collection::vec("[a-f0-9;é ]{0,6}", 0..40)) {
        let text = format!("machine_id\n{}\n{}", IDS[0], lines.join("\n"));
        let rows = lines.iter().filter(|line| !line.trim().is_empty()).count() + 1;
        let heard = hear("in.csv", text.as_bytes(), &Options::default()).unwrap();
        prop_assert_eq!(heard.rows.len(), rows);
    }
}
