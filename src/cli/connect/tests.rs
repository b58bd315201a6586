//! Which places each cloud has, and which options do not go together.

use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    connect: ConnectArgs,
}

/// API, authority and resource.
fn places(options: &str) -> Result<[String; 3], String> {
    let words = ["connect", "--token-file", "token"];
    let words = words.into_iter().chain(options.split_whitespace());
    let cli = Cli::try_parse_from(words).map_err(|e| e.to_string())?;
    let settings = cli.connect.settings(Arc::new(SystemClock));
    let ConnectSettings { base, sign_in, .. } = settings.map_err(|failure| failure.why)?;
    Ok([
        base.to_string(),
        sign_in.authority.to_string(),
        sign_in.resource,
    ])
}

#[test]
fn each_cloud_has_its_places_and_single_ones_can_be_set() {
    let commercial = "https://api.securitycenter.microsoft.com";
    let public = "https://login.microsoftonline.com";
    let gcc = "https://api-gcc.securitycenter.microsoft.us";
    let gov = "https://api-gov.securitycenter.microsoft.us";
    for (options, expected) in [
        (
            "",
            ["https://api.security.microsoft.com", public, commercial],
        ),
        (
            "--region eu",
            ["https://eu.api.security.microsoft.com", public, commercial],
        ),
        ("--cloud gcc", [gcc, public, gcc]),
        (
            "--cloud gcc-high",
            [gov, "https://login.microsoftonline.us", gov],
        ),
        (
            "--cloud dod",
            [gov, "https://login.microsoftonline.us", gov],
        ),
        (
            "--cloud dod --api-url https://a.example --authority-url https://b.example --resource https://c.example",
            [
                "https://a.example",
                "https://b.example",
                "https://c.example",
            ],
        ),
    ] {
        assert_eq!(places(options).unwrap(), expected, "{options}");
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (options, word) in [
        ("--cloud gcc --region eu", "no regions"),
        ("--auth secret", "--token-file goes with"),
        ("--mock", "cannot be used with"),
        ("--api-url http://a.example", "--api-url"),
        ("--authority-url http://a.example", "--authority-url"),
    ] {
        let told = places(options).unwrap_err();
        assert!(told.contains(word), "{options}: {told}");
    }
}
