//! A network that can be cut.

use std::net::{Ipv4Addr, SocketAddr, TcpListener as Listener};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A port that nobody listens on.
pub(super) fn free_port() -> u16 {
    let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// The network between Hearth and a broker.
pub(super) struct Network {
    pub port: u16,
    cuts: watch::Sender<u32>,
}

impl Network {
    /// To a broker on this machine.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (cuts, cut) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut cut = cut.clone();
                cut.borrow_and_update();
                tokio::spawn(async move {
                    let broker = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                    if let Ok(mut far) = TcpStream::connect(broker).await {
                        tokio::select! {
                            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                            _ = cut.changed() => {}
                        }
                    }
                });
            }
        });
        Network { port: own, cuts }
    }

    /// Cuts all connections, in the middle of whatever they carry.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}
