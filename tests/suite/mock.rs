//! The mock tenant as a program that judges its clients.

use super::program::Server;

#[test]
fn a_strict_mock_ends_with_exit_code_1_after_a_call_that_none_may_make() {
    for (path, code, verdict) in [
        ("/mock/witness", 0, "verdict: nothing wrong"),
        ("/api/nothing", 1, "verdict: 1 call malformed"),
    ] {
        let server = Server::start(&["--strict"]);
        server.saw(path);
        let (said, ended) = server.end();
        assert_eq!(ended, Some(code), "{said}");
        assert_eq!(said.lines().last(), Some(verdict));
    }
}
