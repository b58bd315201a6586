//! A ready token from elsewhere: `FLEETSWEEP_TOKEN`.

use secrecy::SecretString;

use super::{SignInError, Token, TokenFuture, TokenSource, bearer::bearer};

/// A token that cannot be renewed.
#[derive(Debug)]
pub struct FixedToken {
    token: Token,
    place: String,
}

impl FixedToken {
    /// Takes a token. `place` says where it comes from, such as `FLEETSWEEP_TOKEN`.
    ///
    /// # Errors
    /// The text cannot be a bearer token.
    pub fn new(text: &SecretString, place: &str) -> Result<Self, SignInError> {
        let place = format!("the token in {place}");
        let secret = bearer(text, &place)?;
        let token = Token { secret, serial: 1 };
        Ok(Self { token, place })
    }
}

impl TokenSource for FixedToken {
    fn token(&self) -> TokenFuture<'_> {
        Box::pin(std::future::ready(Ok(self.token.clone())))
    }

    fn renew(&self, _refused: u64) -> TokenFuture<'_> {
        let told = format!(
            "{} was refused by the service (401), and a ready token cannot be renewed; if that is what it lacks, put a \
             new one there and start the same command again, or use --token-file, which is read again when it changes",
            self.place
        );
        Box::pin(std::future::ready(Err(SignInError(told))))
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[tokio::test]
    async fn the_token_is_given_until_it_is_refused() {
        let source = FixedToken::new(&SecretString::from("s3cret\n"), "FLEETSWEEP_TOKEN").unwrap();
        let token = source.token().await.unwrap();
        assert_eq!(token.secret.expose_secret(), "s3cret");
        assert_eq!(token.serial, 1);
        let told = source.renew(token.serial).await.unwrap_err().to_string();
        assert!(told.contains("FLEETSWEEP_TOKEN"), "{told}");
        // We do not know why it was refused.
        assert!(!told.contains("expired"), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
        assert!(!format!("{source:?}").contains("s3cret"));
    }

    #[test]
    fn an_empty_one_is_refused_at_once() {
        assert!(FixedToken::new(&SecretString::from(""), "X").is_err());
    }
}
