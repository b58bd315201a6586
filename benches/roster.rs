//! Reading a million rows of 11 columns: decoded, checked, deduplicated, the other columns joined for the store.

use std::{
    fs::File,
    hint::black_box,
    io::{self, BufWriter, Write},
};

use divan::{Bencher, counter::BytesCount};
use fleetsweep::roster::{Options, Roster};

const ROWS: u64 = 1_000_000;

/// A fleet as an export has it, about 120 bytes a row.
fn write_fleet(file: &File) -> io::Result<()> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut out = BufWriter::new(file);
    writeln!(
        out,
        "machine_id,computer_dns_name,os,os_version,group,risk,health,last_ip,site,owner,last_seen"
    )?;
    for n in 0..ROWS {
        let (a, b, c) = (random.u64(..), random.u64(..), random.u32(..));
        writeln!(
            out,
            "{a:016x}{b:016x}{c:08x},pc-{n:07}.corp,Windows11,23H2,Clients,Low,Active,10.{}.{}.{},Berlin,\
             team-{},2026-11-{:02}",
            c & 0xff,
            b & 0xff,
            a & 0xff,
            n % 50,
            n % 28 + 1,
        )?;
    }
    out.flush()
}

fn read(file: &File) -> u64 {
    let mut file = file;
    io::Seek::rewind(&mut file).expect("a file can be rewound");
    let mut roster = Roster::open("fleet.csv", file, &Options::default()).expect("the fleet opens");
    while let Some(row) = roster.next_row().expect("the fleet reads") {
        black_box((row.machine_id, row.extra));
    }
    roster.counts().due
}

fn main() {
    divan::main();
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn a_million_rows_of_11_columns(bencher: Bencher<'_, '_>) {
    let file = tempfile::tempfile().expect("a temporary file");
    write_fleet(&file).expect("the fleet is written");
    let size = file.metadata().expect("the file has a size").len();
    assert_eq!(read(&file), ROWS);
    bencher
        .counter(BytesCount::new(size))
        .bench_local(|| read(&file));
}
