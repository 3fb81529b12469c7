//! `FaultyStore`: faults occur as planned, and writes after a failed one are refused.

#![allow(clippy::unwrap_used)]

use zeph_graph::{Seq, Timestamp};
use zeph_memory::{
    Append, Chain, Commit, FaultyStore, Fence, MemoryStore, NewRun, Op, RawGraphStore, Row,
    RunStatus, StoreError, StoreFault,
};

async fn fresh() -> (FaultyStore<MemoryStore>, Fence, Chain) {
    let store = FaultyStore::new(MemoryStore::new());
    let fence = store.claim("test", Timestamp::ZERO).await.unwrap();
    let new = NewRun::new("r".parse().unwrap(), "r", Timestamp::ZERO, "{}");
    let mut chain = Chain::genesis(&new);
    let append = chain.seal(vec![], RunStatus::open("running")).creating(new);
    store.commit(&Commit::one(append), fence).await.unwrap();
    (store, fence, chain)
}

fn next(chain: &mut Chain) -> Append {
    chain.seal(
        vec![Row::new(Timestamp::ZERO, "{}")],
        RunStatus::open("running"),
    )
}

async fn last_seq(store: &FaultyStore<MemoryStore>) -> Seq {
    store
        .inner()
        .load(&"r".parse().unwrap())
        .await
        .unwrap()
        .chain
        .last_seq()
}

#[tokio::test]
async fn before_does_nothing_and_after_does_it() {
    for (fault, rows) in [(StoreFault::Before, 0), (StoreFault::After, 1)] {
        let (store, fence, mut chain) = fresh().await;
        store.fail_next(Op::Commit, fault);
        let result = store.commit(&Commit::one(next(&mut chain)), fence).await;
        assert!(matches!(result, Err(StoreError::Io { .. })), "{result:?}");
        assert_eq!(last_seq(&store).await, Seq::new(rows), "{fault:?}");
    }
}

#[tokio::test]
async fn after_an_io_failure_only_a_claim_helps() {
    let (store, fence, chain) = fresh().await;
    store.fail_next(Op::Commit, StoreFault::Before);
    assert!(
        store
            .commit(&Commit::one(next(&mut chain.clone())), fence)
            .await
            .is_err()
    );
    for _ in 0..3 {
        let result = store
            .commit(&Commit::one(next(&mut chain.clone())), fence)
            .await;
        assert!(
            matches!(result, Err(StoreError::Broken { .. })),
            "{result:?}"
        );
    }
    store.claim("test", Timestamp::ZERO).await.unwrap();
    store
        .commit(&Commit::one(next(&mut chain.clone())), fence)
        .await
        .unwrap();
    assert_eq!(last_seq(&store).await, Seq::new(1));
}

#[tokio::test]
async fn a_full_disk_and_a_busy_store_may_be_tried_again() {
    let (store, fence, chain) = fresh().await;
    for fault in [StoreFault::Full, StoreFault::Busy] {
        store.fail_next(Op::Commit, fault);
        let error = store
            .commit(&Commit::one(next(&mut chain.clone())), fence)
            .await
            .unwrap_err();
        assert!(["full", "busy"].contains(&error.kind()), "{error}");
    }
    assert_eq!(last_seq(&store).await, Seq::new(0));
    store
        .commit(&Commit::one(next(&mut chain.clone())), fence)
        .await
        .unwrap();
}

#[tokio::test]
async fn another_owner_takes_the_run_over() {
    let (store, fence, mut chain) = fresh().await;
    let before = chain.clone();
    let other = NewRun::new("s".parse().unwrap(), "s", Timestamp::ZERO, "{}");
    let mut unharmed = Chain::genesis(&other);
    let create = next(&mut unharmed).creating(other);
    store.fail_next(Op::Commit, StoreFault::Fenced);
    store.commit(&Commit::one(create), fence).await.unwrap();

    store.fail_next(Op::Commit, StoreFault::Fenced);
    let error = store
        .commit(&Commit::one(next(&mut chain)), fence)
        .await
        .unwrap_err();
    let is_fenced =
        matches!(&error, StoreError::Fenced { run, ours: 1, theirs: 3 } if run == chain.run());
    assert!(is_fenced, "{error}");
    assert_eq!(last_seq(&store).await, Seq::new(0));
    store
        .commit(&Commit::one(next(&mut unharmed)), fence)
        .await
        .unwrap();

    let former = store.get(chain.run()).await.unwrap().epoch;
    let fence = store.claim("test", Timestamp::ZERO).await.unwrap();
    store.adopt(chain.run(), former, fence).await.unwrap();
    chain = before;
    store
        .commit(&Commit::one(next(&mut chain)), fence)
        .await
        .unwrap();
}

#[tokio::test]
async fn adopt_and_get_fail_as_planned() {
    let (store, fence, chain) = fresh().await;
    let newer = store.claim("test", Timestamp::ZERO).await.unwrap();
    for (fault, owner) in [(StoreFault::Before, fence), (StoreFault::After, newer)] {
        store.fail_next(Op::Adopt, fault);
        assert!(store.adopt(chain.run(), fence.epoch, newer).await.is_err());
        assert_eq!(store.get(chain.run()).await.unwrap().epoch, owner.epoch);
    }
    store.fail_next(Op::Get, StoreFault::Busy);
    let error = store.get(chain.run()).await.unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    assert_eq!((store.calls(Op::Adopt), store.calls(Op::Get)), (2, 3));
}

#[tokio::test]
async fn a_script_sees_every_call() {
    let (store, fence, chain) = fresh().await;
    let mut left = 1;
    let store = store.with_script(move |op| {
        left -= i32::from(op == Op::Inbox);
        (op == Op::Inbox && left < 0).then_some(StoreFault::Before)
    });
    assert!(store.inbox(chain.run()).await.is_ok());
    assert!(store.inbox(chain.run()).await.is_err());
    store.commit(&Commit::default(), fence).await.unwrap();
    assert_eq!((store.calls(Op::Inbox), store.calls(Op::Commit)), (2, 2));
}

#[tokio::test]
async fn blocked_commits_continue_when_released() {
    let (store, fence, mut chain) = fresh().await;
    let held = store.hold_commits().await;
    let task = tokio::spawn({
        let (store, append) = (store.clone(), next(&mut chain));
        async move { store.commit(&Commit::one(append), fence).await }
    });
    while store.calls(Op::Commit) < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(last_seq(&store).await, Seq::new(0));
    drop(held);
    task.await.unwrap().unwrap();
    assert_eq!(last_seq(&store).await, Seq::new(1));
}
