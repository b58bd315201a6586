//! Completions and manual pages, in the real program.

use std::{fs, process::Command};

use super::program::fleetsweep;

#[test]
fn each_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &str| {
        let words = words.split_whitespace();
        fleetsweep(folder.path()).args(words).output().unwrap()
    };
    assert!(run("man --folder pages/man1").status.success());
    for (file, title) in [
        ("fleetsweep.1", ".TH fleetsweep 1"),
        ("fleetsweep-run.1", ".TH fleetsweep-run 1"),
        ("fleetsweep-cancel.1", ".TH fleetsweep-cancel 1"),
    ] {
        let page = fs::read_to_string(folder.path().join("pages/man1").join(file)).unwrap();
        assert!(page.contains(title), "{file}: {page}");
    }
    let page = String::from_utf8(run("man run").stdout).unwrap();
    assert!(page.contains("\\-\\-on\\-pending"), "{page}");
    let unknown = run("man scan");
    assert_eq!(unknown.status.code(), Some(2));
    let why = String::from_utf8(unknown.stderr).unwrap();
    assert!(
        why.contains("run, plan") && !why.contains("bench-round"),
        "{why}"
    );
}

#[test]
fn bash_reads_its_completions() {
    let folder = tempfile::tempdir().unwrap();
    let script = fleetsweep(folder.path())
        .args(["completions", "bash"])
        .output()
        .unwrap();
    assert!(script.status.success(), "{script:?}");
    let file = folder.path().join("fleetsweep.bash");
    fs::write(&file, &script.stdout).unwrap();
    let complete = format!(
        "source {}; COMP_WORDS=(fleetsweep run --on-p); COMP_CWORD=2; _fleetsweep fleetsweep --on-p run; \
         echo \"${{COMPREPLY[*]}}\"",
        file.display()
    );
    // Without bash there is nothing to complete.
    if let Ok(done) = Command::new("bash").args(["-c", &complete]).output() {
        assert_eq!(
            String::from_utf8_lossy(&done.stdout).trim(),
            "--on-pending",
            "{done:?}"
        );
    }
}

#[test]
fn the_short_help_of_each_command_is_short() {
    let folder = tempfile::tempdir().unwrap();
    for command in [
        "run", "plan", "simulate", "status", "follow", "cancel", "machines", "doctor", "quota",
        "mock", "bench",
    ] {
        let help = fleetsweep(folder.path())
            .args([command, "-h"])
            .output()
            .unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let lines = help.lines().count();
        assert!(lines <= 65, "{command}: {lines} lines: {help}");
    }
}
