//! News by LISTEN and NOTIFY: requests that were posted, and journals that have grown.

use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::mpsc;
use zeph_graph::RunId;
use zeph_memory::{News, RequestId};

use crate::connect::Connector;

/// The number of news that a receiver may be behind before it loses some.
const CAPACITY: usize = 256;
/// How long to wait before the next try to listen.
const RETRY_WAIT: Duration = Duration::from_millis(200);

/// The channel has the name of the schema. In the transaction of the request, so that it arrives if that does.
const POSTED: &str = "SELECT pg_notify(current_schema(), 'posted ' || $1 || ' ' || $2)";

/// Outside of the transaction of the commit: commits with a notification wait for each other, all over the server.
const GROWN: &str =
    "SELECT pg_notify(current_schema(), 'grown ' || run) FROM unnest($1::text[]) AS grown (run)";

/// Announces a request in its transaction.
pub(crate) async fn announce_posted(
    connection: &mut PgConnection,
    run: &RunId,
    id: RequestId,
) -> Result<(), sqlx::Error> {
    let query = sqlx::query(POSTED).bind(run.as_str()).bind(id.to_string());
    query.execute(connection).await.map(drop)
}

/// Announces that journals have grown.
pub(crate) async fn announce_grown(
    connection: &mut PgConnection,
    runs: &[RunId],
) -> Result<(), sqlx::Error> {
    let names: Vec<&str> = runs.iter().map(RunId::as_str).collect();
    sqlx::query(GROWN)
        .bind(names)
        .execute(connection)
        .await
        .map(drop)
}

fn parse(payload: &str) -> Option<News> {
    let words: Vec<&str> = payload.split(' ').collect();
    match words[..] {
        ["posted", run, id] => {
            let id = RequestId::new(id.parse().ok()?);
            Some(News::Posted(run.parse().ok()?, id))
        }
        ["grown", run] => Some(News::Grown(run.parse().ok()?)),
        _ => None,
    }
}

/// Listens on a connection of its own, and returns when it is heard.
pub(crate) async fn listen(connector: &Connector) -> Result<PgListener, sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(
            connector
                .options
                .reconnect_timeout
                .max(Duration::from_secs(1)),
        )
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(connector.session());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen(connector.address.schema()).await?;
    Ok(listener)
}

/// Passes news on until the receiver is dropped. A lost connection is made again.
pub(crate) async fn forward(
    connector: Connector,
    mut listener: PgListener,
    sender: mpsc::Sender<News>,
) {
    let closed = sender.clone();
    tokio::select! {
        () = closed.closed() => {}
        () = async {
            loop {
                pass_on(&mut listener, &sender).await;
                listener = listen_again(&connector).await;
                // Waits until the receiver has room: this must not be lost.
                if sender.send(News::Missed).await.is_err() {
                    return;
                }
            }
        } => {}
    }
}

/// Passes news on until the connection is lost.
async fn pass_on(listener: &mut PgListener, sender: &mpsc::Sender<News>) {
    while let Ok(Some(notification)) = listener.try_recv().await {
        let Some(news) = parse(notification.payload()) else {
            continue;
        };
        match sender.try_send(news) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Closed(_)) => return,
            Err(mpsc::error::TrySendError::Full(_)) => {
                if sender.send(News::Missed).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn listen_again(connector: &Connector) -> PgListener {
    loop {
        match listen(connector).await {
            Ok(listener) => return listener,
            Err(error) => {
                tracing::debug!(%error, "no news from the database; it is tried again");
                tokio::time::sleep(RETRY_WAIT).await;
            }
        }
    }
}

/// A channel for the news of a store.
pub(crate) fn channel() -> (mpsc::Sender<News>, mpsc::Receiver<News>) {
    mpsc::channel(CAPACITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_of_another_program_is_no_news() {
        let run: RunId = "k7m2xq9d".parse().unwrap();
        let posted = News::Posted(run.clone(), RequestId::new(7));
        assert_eq!(parse("posted k7m2xq9d 7"), Some(posted));
        assert_eq!(parse("grown k7m2xq9d"), Some(News::Grown(run)));
        for other in [
            "",
            "posted",
            "posted k7m2xq9d x",
            "grown UPPER",
            "dropped k7m2xq9d",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
