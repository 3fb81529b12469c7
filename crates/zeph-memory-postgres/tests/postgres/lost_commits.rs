//! A connection that is lost while a commit is acknowledged: the store finds out what the server did.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use zeph_memory::{Commit, RawGraphStore as _, StoreError, verify};
use zeph_memory_postgres::{Address, PostgresOptions, PostgresStore};

use crate::fixtures;
use crate::server::{self, Server};

/// What is lost of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    /// The message of the client.
    Request,
    /// The reply of the server.
    Reply,
}

/// Stands between a store and the server, and cuts the connection at so many commits.
#[derive(Clone)]
struct Proxy {
    socket: std::path::PathBuf,
    loss: Loss,
    cuts: Arc<AtomicU32>,
}

impl Proxy {
    /// Starts a proxy; returns it, and the address of a database through it.
    async fn start(server: &Server, database: &Address, loss: Loss) -> (Self, Address) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let text = database.to_string();
        let name = text.rsplit('/').next().unwrap().split(' ').next().unwrap();
        let proxy = Self {
            socket: server.socket().join(".s.PGSQL.5432"),
            loss,
            cuts: Arc::default(),
        };
        let accepting = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(accepting.clone().forward(client));
            }
        });
        let url = format!("postgres://zeph@127.0.0.1:{port}/{name}?sslmode=disable");
        (proxy, url.parse().unwrap())
    }

    /// Cuts the connections of the next commits.
    fn cut(&self, commits: u32) {
        self.cuts.store(commits, Ordering::SeqCst);
    }

    fn is_cut(&self, message: &[u8]) -> bool {
        let is_commit = message.starts_with(b"Q") && message.ends_with(b"COMMIT\0");
        let take = |cuts: u32| cuts.checked_sub(1);
        is_commit
            && self
                .cuts
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                .is_ok()
    }

    async fn forward(self, mut client: TcpStream) {
        let mut server = UnixStream::connect(&self.socket).await.unwrap();
        let (mut sent, mut received) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        loop {
            tokio::select! {
                read = client.read(&mut sent) => match read {
                    Ok(0) | Err(_) => return,
                    Ok(count) if self.is_cut(&sent[..count]) => {
                        if self.loss == Loss::Reply {
                            server.write_all(&sent[..count]).await.unwrap();
                            assert!(server.read(&mut received).await.unwrap() > 0);
                        }
                        return;
                    }
                    Ok(count) => server.write_all(&sent[..count]).await.unwrap(),
                },
                read = server.read(&mut received) => match read {
                    Ok(0) | Err(_) => return,
                    Ok(count) => client.write_all(&received[..count]).await.unwrap(),
                },
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_acknowledgement_is_lost_is_written_once() {
    let Some(server) = server::shared() else {
        return;
    };
    for loss in [Loss::Request, Loss::Reply] {
        let database = server.database().await;
        let (proxy, address) = Proxy::start(server, &database, loss).await;
        let (store, fence) = fixtures::owner(&address, "test", 600_000).await;
        proxy.cut(1);
        // The first commit creates its run, the later ones continue it.
        let mut chain = fixtures::create(&store, fence, "run", 2).await;
        // With two cuts the answer to the question what was written is lost, too.
        for cuts in [1, 2] {
            proxy.cut(cuts);
            store
                .commit(&fixtures::one_more(&mut chain), fence)
                .await
                .unwrap();
            assert_eq!(proxy.cuts.load(Ordering::SeqCst), 0);
        }
        assert_eq!(
            store.load(chain.run()).await.unwrap().chain,
            chain,
            "{loss:?}"
        );
        assert_eq!(
            verify(&store, chain.run()).await.unwrap().rows,
            4,
            "{loss:?}"
        );
        // A commit without rows is made again.
        let request = store
            .post(chain.run(), fixtures::at(1), "{}")
            .await
            .unwrap();
        proxy.cut(1);
        store
            .commit(&Commit::default().settling(request), fence)
            .await
            .unwrap();
        assert_eq!(store.inbox(chain.run()).await.unwrap(), [], "{loss:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_unknown_outcome_nothing_is_written_until_the_next_claim() {
    let Some(server) = server::shared() else {
        return;
    };
    let database = server.database().await;
    let (proxy, address) = Proxy::start(server, &database, Loss::Reply).await;
    let options = PostgresOptions::default().reconnect_timeout(Duration::ZERO);
    let store = PostgresStore::open_with(&address, options).await.unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    let mut chain = fixtures::create(&store, fence, "run", 1).await;
    proxy.cut(1);
    let error = store
        .commit(&fixtures::one_more(&mut chain), fence)
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    let next = fixtures::one_more(&mut chain.clone());
    let error = store.commit(&next, fence).await.unwrap_err();
    assert!(matches!(error, StoreError::Broken { .. }), "{error}");
    let again = store.claim("test", fixtures::at(0)).await.unwrap();
    store.release(fence).await.unwrap();
    store.adopt(chain.run(), fence.epoch, again).await.unwrap();
    store.commit(&next, again).await.unwrap();
    assert_eq!(store.load(chain.run()).await.unwrap().rows.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_acknowledgement_is_lost_is_not_posted_twice() {
    let Some(server) = server::shared() else {
        return;
    };
    for (loss, posted) in [(Loss::Request, 0), (Loss::Reply, 1)] {
        let database = server.database().await;
        let (proxy, address) = Proxy::start(server, &database, loss).await;
        let (store, fence) = fixtures::owner(&address, "test", 600_000).await;
        let chain = fixtures::create(&store, fence, "run", 1).await;
        proxy.cut(1);
        let error = store
            .post(chain.run(), fixtures::at(1), "{}")
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }), "{error}");
        assert_eq!(
            store.inbox(chain.run()).await.unwrap().len(),
            posted,
            "{loss:?}"
        );
        store.commit(&Commit::default(), fence).await.unwrap();
    }
}
