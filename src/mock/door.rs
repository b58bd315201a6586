//! Where clients connect, and where they cannot while an outage refuses them.
//!
//! A shut door keeps its port: a socket that is bound there and does not listen. The system itself refuses to connect then,
//! and nobody else gets the port meanwhile.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
};

use super::tenant::Tenant;

/// A listener that can stop listening and begin again.
#[derive(Debug)]
pub(super) struct Door {
    address: io::Result<SocketAddr>,
    leaf: Leaf,
    is_shut: watch::Sender<bool>,
}

#[derive(Debug)]
enum Leaf {
    Open(TcpListener),
    /// With the socket that keeps the port, if it could be had.
    Shut(Option<TcpSocket>),
}

/// As many as may wait to be accepted: what tokio's own listeners take.
const BACKLOG: u32 = 1024;

/// After so long a door that would not open is tried again.
const AGAIN: Duration = Duration::from_millis(50);

impl Door {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self {
            address: listener.local_addr(),
            leaf: Leaf::Open(listener),
            is_shut: watch::Sender::new(false),
        }
    }

    /// Tells connections that the door is being shut: those that wait for a request end then, the others after their answer.
    pub(super) fn shutting(&self) -> watch::Receiver<bool> {
        self.is_shut.subscribe()
    }

    /// The next client, who never comes through a shut door.
    pub(super) async fn accept(&self) -> io::Result<TcpStream> {
        match &self.leaf {
            Leaf::Open(listener) => listener.accept().await.map(|(stream, _)| stream),
            Leaf::Shut(_) => std::future::pending().await,
        }
    }

    /// Waits until the door has to be opened or shut, and tells whether it is to be shut.
    pub(super) async fn next_move(&self, tenant: &Tenant) -> bool {
        loop {
            let (is_shut, next) = tenant.door();
            if is_shut != matches!(self.leaf, Leaf::Shut(_)) {
                return is_shut;
            }
            match next {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        }
    }

    /// Opens or shuts it. One that cannot be opened yet stays shut, for the next attempt.
    pub(super) async fn set(&mut self, is_shut: bool) {
        if is_shut {
            // The listener has to be gone before another socket can have its port.
            self.leaf = Leaf::Shut(None);
            self.leaf = Leaf::Shut(self.bind().ok());
        } else if let Ok(listener) = self.listen() {
            self.leaf = Leaf::Open(listener);
        } else {
            tokio::time::sleep(AGAIN).await;
        }
        self.is_shut
            .send_replace(matches!(self.leaf, Leaf::Shut(_)));
    }

    fn listen(&mut self) -> io::Result<TcpListener> {
        let kept = match &mut self.leaf {
            Leaf::Shut(socket) => socket.take(),
            Leaf::Open(_) => None,
        };
        kept.map_or_else(|| self.bind(), Ok)?.listen(BACKLOG)
    }

    fn bind(&self) -> io::Result<TcpSocket> {
        let address = match &self.address {
            Ok(address) => *address,
            Err(error) => return Err(error.kind().into()),
        };
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // Connections through the former listener are no reason to do without its port. On Windows they are none anyway.
        #[cfg(not(windows))]
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    }
}
