//! A listener that refuses connections during an outage.
//!
//! While it is closed, a socket stays bound to the port without listening. So the operating system refuses connections,
//! and nobody else can take the port meanwhile.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
};

use super::tenant::Tenant;

/// A listener that can stop listening and begin again.
#[derive(Debug)]
pub(super) struct Listener {
    address: io::Result<SocketAddr>,
    socket: Socket,
    is_closed: watch::Sender<bool>,
}

#[derive(Debug)]
enum Socket {
    Listening(TcpListener),
    /// With the socket that keeps the port, if it could be bound.
    Closed(Option<TcpSocket>),
}

/// How many connections may wait to be accepted. The same as for tokio's own listeners.
const BACKLOG: u32 = 1024;

/// How long to wait before trying again to listen.
const RETRY: Duration = Duration::from_millis(50);

impl Listener {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self {
            address: listener.local_addr(),
            socket: Socket::Listening(listener),
            is_closed: watch::Sender::new(false),
        }
    }

    /// Tells connections that the listener is being closed. Idle ones end then, the others after their answer.
    pub(super) fn closing(&self) -> watch::Receiver<bool> {
        self.is_closed.subscribe()
    }

    /// The next connection. There is none while the listener is closed.
    pub(super) async fn accept(&self) -> io::Result<TcpStream> {
        match &self.socket {
            Socket::Listening(listener) => listener.accept().await.map(|(stream, _)| stream),
            Socket::Closed(_) => std::future::pending().await,
        }
    }

    /// Waits until the listener has to be opened or closed, and returns whether it has to be closed.
    pub(super) async fn next_change(&self, tenant: &Tenant) -> bool {
        loop {
            let (is_closed, next) = tenant.refuses_connections();
            if is_closed != matches!(self.socket, Socket::Closed(_)) {
                return is_closed;
            }
            match next {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        }
    }

    /// Opens or closes the listener. If it cannot be opened yet, it stays closed for the next attempt.
    pub(super) async fn set_closed(&mut self, is_closed: bool) {
        if is_closed {
            // The listener has to be dropped before another socket can bind its port.
            self.socket = Socket::Closed(None);
            self.socket = Socket::Closed(self.bind().ok());
        } else if let Ok(listener) = self.listen() {
            self.socket = Socket::Listening(listener);
        } else {
            tokio::time::sleep(RETRY).await;
        }
        self.is_closed
            .send_replace(matches!(self.socket, Socket::Closed(_)));
    }

    fn listen(&mut self) -> io::Result<TcpListener> {
        let kept = match &mut self.socket {
            Socket::Closed(kept) => kept.take(),
            Socket::Listening(_) => None,
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
        // Otherwise connections of the former listener would keep us from its port. On Windows they do not.
        #[cfg(not(windows))]
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    }
}
