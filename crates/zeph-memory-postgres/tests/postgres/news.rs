//! News: an owner learns of requests, and a follower of rows, from whatever host they come.

use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use zeph_memory::{News, RawGraphStore as _};

use crate::fixtures::{self, owner};
use crate::server::{self, OwnServer};

async fn next(news: &mut Receiver<News>) -> News {
    let next = tokio::time::timeout(Duration::from_secs(20), news.recv()).await;
    next.expect("no news came").expect("the news have ended")
}

#[tokio::test]
async fn posted_requests_and_written_rows_are_news_for_every_store() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    let (first, fence) = owner(&address, "first", 600_000).await;
    let (second, _) = owner(&address, "second", 600_000).await;
    let mut chain = fixtures::create(&first, fence, "run", 1).await;
    let mut news = [first.news().await.unwrap(), second.news().await.unwrap()];
    let request = second
        .post(chain.run(), fixtures::at(1), "{}")
        .await
        .unwrap();
    for news in &mut news {
        let posted = News::Posted(chain.run().clone(), request);
        // The announcement of the first row may come late.
        let first = next(news).await;
        let first = if first == posted {
            first
        } else {
            next(news).await
        };
        assert_eq!(first, posted);
    }
    // What is announced can be read.
    assert_eq!(first.inbox(chain.run()).await.unwrap()[0].id, request);
    first
        .commit(&fixtures::one_more(&mut chain), fence)
        .await
        .unwrap();
    for news in &mut news {
        assert_eq!(next(news).await, News::Grown(chain.run().clone()));
    }
}

#[tokio::test]
async fn a_request_that_is_posted_before_the_inbox_is_read_is_not_lost() {
    let Some(server) = server::shared() else {
        return;
    };
    let address = server.database().await;
    let (store, fence) = owner(&address, "owner", 600_000).await;
    let chain = fixtures::create(&store, fence, "run", 0).await;
    for number in 0..20 {
        // Posted before, or after, the news begin: one of inbox and news has it.
        let before = store
            .post(chain.run(), fixtures::at(number), "{}")
            .await
            .unwrap();
        let mut news = store.news().await.unwrap();
        let after = store
            .post(chain.run(), fixtures::at(number), "{}")
            .await
            .unwrap();
        let inbox = store.inbox(chain.run()).await.unwrap();
        assert!(inbox.iter().any(|request| request.id == before));
        assert_eq!(
            next(&mut news).await,
            News::Posted(chain.run().clone(), after)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_of_the_server_the_news_say_that_some_were_missed_and_go_on() {
    let Some(server) = OwnServer::start() else {
        return;
    };
    let address = server.database().await;
    let (store, fence) = owner(&address, "owner", 600_000).await;
    let chain = fixtures::create(&store, fence, "run", 0).await;
    let mut news = store.news().await.unwrap();
    server.crash();
    server.start();
    assert_eq!(next(&mut news).await, News::Missed);
    let request = store
        .post(chain.run(), fixtures::at(1), "{}")
        .await
        .unwrap();
    assert_eq!(
        next(&mut news).await,
        News::Posted(chain.run().clone(), request)
    );
}
