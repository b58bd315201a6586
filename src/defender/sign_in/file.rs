//! A token in a file that another program keeps fresh: `--token-file`.

use std::{fmt, io, path::PathBuf, time::SystemTime};

use secrecy::{ExposeSecret, SecretString};
use tokio::{io::AsyncReadExt, sync::Mutex};

use super::{SignInError, Token, TokenFuture, TokenSource, bearer::bearer};

/// The longest file, in bytes. No access token is longer, since servers refuse headers of 8 to 32 kB. So naming a
/// wrong file is reported at once.
const LONGEST: u64 = 64 * 1024;

/// Reads the token on first use, and again when the file has changed or the token was refused.
pub struct TokenFile {
    path: PathBuf,
    /// Locked while the file is checked and read, so that a hundred workers read it once.
    held: Mutex<Option<Held>>,
}

struct Held {
    stamp: Stamp,
    token: Token,
}

/// What changes when a file is written: its time and its length, since some file systems have times in whole seconds.
type Stamp = (Option<SystemTime>, u64);

impl TokenFile {
    /// The file is read when the first token is requested.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            held: Mutex::new(None),
        }
    }

    fn place(&self) -> String {
        format!("the token in {}", self.path.display())
    }

    fn unreadable(&self, why: &io::Error) -> SignInError {
        SignInError(format!(
            "{} cannot be read: {why}; look at --token-file",
            self.place()
        ))
    }

    async fn stamp(&self) -> Result<Stamp, SignInError> {
        let found = tokio::fs::metadata(&self.path).await;
        let found = found.map_err(|why| self.unreadable(&why))?;
        Ok((found.modified().ok(), found.len()))
    }

    /// Reads the file. The stamp must have been taken before, so that a file that is written meanwhile is read once
    /// too often rather than not at all.
    async fn read(&self, stamp: Stamp, held: &mut Option<Held>) -> Result<Token, SignInError> {
        let file = tokio::fs::File::open(&self.path).await;
        let file = file.map_err(|why| self.unreadable(&why))?;
        let mut bytes = Vec::new();
        let read = file.take(LONGEST + 1).read_to_end(&mut bytes).await;
        read.map_err(|why| self.unreadable(&why))?;
        if bytes.len() as u64 > LONGEST {
            return Err(SignInError(format!(
                "{} is longer than 64 kB, so it is no token; look at --token-file",
                self.place()
            )));
        }
        let text = String::from_utf8(bytes).map_err(|_| {
            SignInError(format!(
                "{} is not UTF-8 text (PowerShell 5's > writes UTF-16); write it with `Set-Content -Encoding ascii`",
                self.place()
            ))
        })?;
        let text = SecretString::from(text.trim_start_matches('\u{feff}'));
        let secret = bearer(&text, &self.place())?;
        let serial = match held {
            Some(old) if old.token.secret.expose_secret() == secret.expose_secret() => {
                old.token.serial
            }
            Some(old) => old.token.serial + 1,
            None => 1,
        };
        let token = Token { secret, serial };
        *held = Some(Held {
            stamp,
            token: token.clone(),
        });
        Ok(token)
    }

    async fn current(&self) -> Result<Token, SignInError> {
        let mut held = self.held.lock().await;
        let stamp = match (self.stamp().await, held.as_ref()) {
            (Ok(stamp), _) => stamp,
            // The file is being replaced, or its disk is unavailable for a moment. Our token may still be valid.
            (Err(_), Some(old)) => return Ok(old.token.clone()),
            (Err(told), None) => return Err(told),
        };
        if let Some(old) = held.as_ref()
            && old.stamp == stamp
        {
            return Ok(old.token.clone());
        }
        match (self.read(stamp, &mut held).await, held.as_ref()) {
            // The file may be incomplete. If it stays so, the old token will be refused, and `renew` reports what is
            // wrong.
            (Err(_), Some(old)) => Ok(old.token.clone()),
            (read, _) => read,
        }
    }

    async fn newer_than(&self, refused: u64) -> Result<Token, SignInError> {
        let mut held = self.held.lock().await;
        if let Some(new) = held.as_ref().filter(|h| h.token.serial > refused) {
            return Ok(new.token.clone());
        }
        let stamp = self.stamp().await?;
        let token = self.read(stamp, &mut held).await?;
        if token.serial > refused {
            return Ok(token);
        }
        Err(SignInError(format!(
            "{} was refused by the service (401), and the file still holds the same one; if a new one is what it \
             lacks, write one into it and start the same command again",
            self.place()
        )))
    }
}

impl TokenSource for TokenFile {
    fn token(&self) -> TokenFuture<'_> {
        Box::pin(self.current())
    }

    fn renew(&self, refused: u64) -> TokenFuture<'_> {
        Box::pin(self.newer_than(refused))
    }
}

impl fmt::Debug for TokenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn source(text: &str) -> (tempfile::TempDir, PathBuf, TokenFile) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, text).unwrap();
        let source = TokenFile::new(&path);
        (dir, path, source)
    }

    async fn text(source: &TokenFile) -> (String, u64) {
        let token = source.token().await.unwrap();
        (token.secret.expose_secret().to_owned(), token.serial)
    }

    #[tokio::test]
    async fn a_changed_file_is_a_newer_token() {
        let (_dir, path, source) = source("\u{feff}one\r\n");
        assert_eq!(text(&source).await, ("one".to_owned(), 1));
        assert_eq!(text(&source).await, ("one".to_owned(), 1));
        fs::write(&path, "second").unwrap();
        assert_eq!(text(&source).await, ("second".to_owned(), 2));
    }

    #[tokio::test]
    async fn a_file_that_is_gone_or_spoilt_for_a_moment_leaves_the_old_token() {
        let (_dir, path, source) = source("one");
        assert_eq!(text(&source).await.1, 1);
        fs::write(&path, "half\na token").unwrap();
        assert_eq!(text(&source).await, ("one".to_owned(), 1));
        fs::remove_file(&path).unwrap();
        assert_eq!(text(&source).await, ("one".to_owned(), 1));
    }

    #[tokio::test]
    async fn a_refused_token_is_read_again_whatever_the_files_time_says() {
        let (_dir, path, source) = source("one");
        let refused = source.token().await.unwrap();
        let told = source.renew(refused.serial).await.unwrap_err().to_string();
        assert!(told.contains("still holds the same"), "{told}");
        assert!(told.contains(path.to_str().unwrap()), "{told}");

        let before = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, "two").unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(before).unwrap();
        assert_eq!(source.renew(refused.serial).await.unwrap().serial, 2);
        // Another worker whose old token was refused gets the same new one.
        assert_eq!(source.renew(refused.serial).await.unwrap().serial, 2);
    }

    #[tokio::test]
    async fn what_is_no_token_is_refused_in_words() {
        let huge = vec![b's'; 70_000];
        for (content, word) in [
            (b"" as &[u8], "empty"),
            (b"s3cret\ns3cret", "lines"),
            (b"\xff\xfes\x003\x00", "UTF-16"),
            (&huge, "64 kB"),
        ] {
            let (_dir, path, source) = source("");
            fs::write(&path, content).unwrap();
            let told = source.token().await.unwrap_err().to_string();
            assert!(told.contains(word), "{told}");
            assert!(!told.contains("s3cret"), "{told}");
        }
        let told = TokenFile::new("/nowhere/token").token().await.unwrap_err();
        assert!(told.to_string().contains("/nowhere/token"), "{told}");
    }
}
