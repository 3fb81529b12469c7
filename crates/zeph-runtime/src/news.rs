//! News of a store that several hosts share: the engine reads the inbox of a run that got a request.

use tokio::sync::{mpsc, oneshot};
use zeph_memory::News;

use crate::message::Message;

/// Passes the news on until the engine has ended, or for ever if the store has none.
///
/// The engine awaits them before it opens its first run, and reads the inbox of a run when it opens it: no request
/// comes between the two.
pub(crate) async fn forward(mut news: mpsc::Receiver<News>, engine: mpsc::WeakSender<Message>) {
    while let Some(news) = news.recv().await {
        let message = match news {
            News::Posted(run, posted) => {
                // The outcome is in the journal, and the request leaves the inbox.
                let ack = oneshot::channel().0;
                Message::ReadInbox { run, posted, ack }
            }
            News::Missed => Message::ReadInboxes,
            News::Grown(_) => continue,
        };
        let Some(engine) = engine.upgrade() else {
            return;
        };
        if engine.send(message).await.is_err() {
            return;
        }
    }
    std::future::pending::<()>().await;
}
