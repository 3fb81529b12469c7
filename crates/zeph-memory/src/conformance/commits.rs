//! Cases: an owner creates and continues runs with atomic commits.

use super::fixtures::{
    Place, at, both, done, group, new_run, next, refused, row, run_id, running, same,
};
use super::{Checked, Outcome};
use crate::chain::Chain;
use crate::row::{Row, StoredRow};
use crate::run::{ListQuery, NewRun, RunStatus};

pub(super) async fn create_and_load(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let new = new_run("created", 5)?;
    let status = RunStatus {
        summary: r#"{"done":0}"#.into(),
        ..RunStatus::open("running")
    };
    let mut chain = Chain::genesis(&new);
    let append = chain.seal(vec![row(1), row(2)], status.clone());
    done("commit", claimed.append(append.creating(new.clone())).await)?;
    let stored = claimed.load(&new.run).await?;
    same("what it was created with", &stored.new, &new)?;
    same("status", &stored.status, &status)?;
    same("updated at", stored.updated_at, at(2))?;
    same("chain", &stored.chain, &chain)?;
    let expected = [1, 2].map(|number| StoredRow {
        seq: zeph_graph::Seq::new(number),
        at: row(number).at,
        payload: row(number).payload,
    });
    same("rows", stored.rows, expected)?;
    Ok(Outcome::Passed)
}

pub(super) async fn create_without_rows(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let mut chain = claimed.create("empty", 0).await?;
    let stored = claimed.load(chain.run()).await?;
    same("chain", &stored.chain, &chain)?;
    same("updated at", stored.updated_at, at(1))?;
    claimed.write(&mut chain, vec![row(9)]).await?;
    same("rows", claimed.load(chain.run()).await?.rows.len(), 1)?;
    Ok(Outcome::Passed)
}

pub(super) async fn append_and_reopen(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let mut chain = claimed.create("again", 3).await?;
    let append = chain.seal(vec![row(4)], RunStatus::open("paused"));
    done("append", claimed.append(append).await)?;
    let before = claimed.load(chain.run()).await?;
    drop(claimed);
    let claimed = place.open().await?;
    let mut after = claimed.load(chain.run()).await?;
    same("the run after reopening", &after, &before)?;
    claimed.adopt(chain.run()).await?;
    let ended = RunStatus::ended("completed");
    let append = after.chain.seal(vec![row(5)], ended);
    done(
        "continue from the loaded chain",
        claimed.append(append).await,
    )?;
    same("rows", claimed.load(chain.run()).await?.rows.len(), 5)?;
    Ok(Outcome::Passed)
}

pub(super) async fn the_rows_after_a_chain(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let mut chain = claimed.create("followed", 0).await?;
    let mut read = chain.clone();
    for (first, count) in [(1, 1), (2, 0), (2, 3), (5, 5_000)] {
        let rows = (first..first + count).map(row).collect();
        let append = chain.seal(rows, RunStatus::open(format!("state {first}")));
        done("append", claimed.append(append).await)?;
        let tail = done("load after", claimed.store.load_after(&read).await)?;
        let whole = claimed.load(chain.run()).await?;
        let new = whole.rows.len() - count as usize;
        same("the rows after a chain", &tail.rows[..], &whole.rows[new..])?;
        same("the chain", &tail.chain, &whole.chain)?;
        let (status, updated_at) = (&tail.status, tail.updated_at);
        same("the status", status, &whole.status)?;
        same("updated at", updated_at, whole.updated_at)?;
        read = tail.chain;
    }
    let ended = chain.seal(vec![row(9)], RunStatus::ended("completed"));
    done("end", claimed.append(ended).await)?;
    done(
        "delete",
        claimed.store.delete(chain.run(), claimed.fence).await,
    )?;
    let gone = claimed.store.load_after(&read).await;
    refused("the rows after a chain of no run", "not_found", gone)?;
    // Another run of that name is not its continuation, whether it is shorter or longer.
    for rows in [1, 5_010] {
        let mut again = claimed
            .create_at("followed", 2, rows, RunStatus::open("new"))
            .await?;
        let other = claimed.store.load_after(&read).await;
        refused("the rows after a chain of another run", "damaged", other)?;
        let ended = again.seal(vec![row(9)], RunStatus::ended("completed"));
        done("end", claimed.append(ended).await)?;
        done(
            "delete",
            claimed.store.delete(again.run(), claimed.fence).await,
        )?;
    }
    Ok(Outcome::Passed)
}

pub(super) async fn two_appends_of_one_run_are_refused(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let mut chain = claimed.create("twice", 1).await?;
    let before = chain.clone();
    let twice = claimed.commit(group([next(&mut chain), next(&mut chain)]));
    refused("two appends of one run", "out_of_order", twice.await)?;
    claimed.has(&before).await?;
    Ok(Outcome::Passed)
}

pub(super) async fn status_without_rows(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let mut chain = claimed.create("status", 2).await?;
    let before = chain.clone();
    let append = chain.seal(vec![], RunStatus::ended("canceled"));
    done("commit", claimed.append(append).await)?;
    let stored = claimed.load(chain.run()).await?;
    same("state", &*stored.status.state, "canceled")?;
    same("chain", stored.chain, before)?;
    Ok(Outcome::Passed)
}

pub(super) async fn group_commit_is_atomic(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let mut one = claimed.create("one", 1).await?;
    let mut two = claimed.create("two", 1).await?;
    let before = (one.clone(), two.clone());
    let new = new_run("three", 1)?;
    let third = next(&mut Chain::genesis(&new)).creating(new.clone());
    let good = one.seal(vec![row(2)], RunStatus::ended("completed"));
    next(&mut two);
    let bad = claimed.commit(group([third, good, next(&mut two)])).await;
    refused("one bad append among three", "out_of_order", bad)?;
    let unknown = claimed.store.load(&new.run).await;
    refused("load of the new run", "not_found", unknown)?;
    let stored = claimed.load(one.run()).await?;
    same("the good one", &stored.chain, &before.0)?;
    same("the good one's state", &*stored.status.state, "running")?;
    claimed.has(&before.1).await?;
    Ok(Outcome::Passed)
}

pub(super) async fn gaps_are_refused(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let mut chain = claimed.create("gap", 2).await?;
    let before = chain.clone();
    next(&mut chain);
    let late = next(&mut chain);
    claimed.refuses("a gap", "out_of_order", late).await?;
    let empty = running(&mut chain, vec![]);
    claimed
        .refuses("a status after a gap", "out_of_order", empty)
        .await?;
    claimed.has(&before).await?;
    Ok(Outcome::Passed)
}

pub(super) async fn repetition_is_refused(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let mut chain = claimed.create("repeat", 1).await?;
    let append = next(&mut chain);
    done("first time", claimed.append(append.clone()).await)?;
    claimed
        .refuses("second time", "out_of_order", append)
        .await?;
    same("rows", claimed.load(chain.run()).await?.rows.len(), 2)?;
    Ok(Outcome::Passed)
}

pub(super) async fn forks_are_refused(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let mut chain = claimed.create("fork", 1).await?;
    let mut other = chain.clone();
    claimed.write(&mut chain, vec![row(2)]).await?;
    running(&mut other, vec![row(7)]);
    let fork = next(&mut other);
    claimed.refuses("another history", "forked", fork).await?;
    claimed.has(&chain).await?;
    // An append may create only the run that its chain began with.
    let new = new_run("fork-2", 1)?;
    let altered = NewRun {
        title: "Another title".into(),
        ..new.clone()
    };
    let append = next(&mut Chain::genesis(&new)).creating(altered);
    claimed
        .refuses("another beginning", "forked", append)
        .await?;
    Ok(Outcome::Passed)
}

pub(super) async fn a_run_is_created_once(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let chain = claimed.create("once", 2).await?;
    let new = new_run("once", 99)?;
    let append = next(&mut Chain::genesis(&new)).creating(new.clone());
    claimed
        .refuses("create again", "exists", append.clone())
        .await?;
    let twice = claimed.commit(group([append.clone(), append])).await;
    refused("create twice at once", "exists", twice)?;
    let stored = claimed.load(&new.run).await?;
    same("chain", stored.chain, chain)?;
    same("created at", stored.new.created_at, at(1))?;
    Ok(Outcome::Passed)
}

pub(super) async fn unknown_runs_are_not_found(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let (store, fence) = (&claimed.store, claimed.fence);
    let run = run_id("missing")?;
    let not_found = "not_found";
    refused("load", not_found, store.load(&run).await)?;
    let contents = store.contents(&run, &[zeph_graph::ContentId::FIRST]);
    refused("contents", not_found, contents.await)?;
    refused("no contents", not_found, store.contents(&run, &[]).await)?;
    refused("outline", not_found, store.outline(&run).await)?;
    refused("get", not_found, store.get(&run).await)?;
    refused("adopt", not_found, store.adopt(&run, 1, fence).await)?;
    refused("post", not_found, store.post(&run, at(1), "{}").await)?;
    refused("delete", not_found, store.delete(&run, fence).await)?;
    let append = next(&mut Chain::genesis(&new_run("missing", 1)?));
    claimed.refuses("append", not_found, append).await?;
    same("list", claimed.list(ListQuery::default()).await?, [])?;
    Ok(Outcome::Passed)
}

pub(super) async fn any_text_comes_back(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let odd = "\0 '\"; DROP TABLE runs; -- \u{202e} \u{1f600} \r\n\u{7f} \\u0000";
    let run = run_id("odd")?;
    let new = NewRun::new(run.clone(), odd, at(1), &b"\xff\xfe\0not text"[..]);
    let status = RunStatus {
        state: odd.into(),
        open: true,
        summary: odd.into(),
    };
    let rows = vec![
        Row::new(at(2), odd),
        Row::new(at(1), ""),
        Row::new(zeph_graph::Timestamp::MAX, "x"),
    ];
    let append = Chain::genesis(&new).seal(rows, status.clone());
    done("commit", claimed.append(append.creating(new.clone())).await)?;
    let stored = claimed.load(&run).await?;
    same("what it was created with", &stored.new, &new)?;
    same("status", &stored.status, &status)?;
    let payloads: Vec<_> = stored.rows.iter().map(|row| &*row.payload).collect();
    same("payloads", payloads, [odd, "", "x"])?;
    let listed = claimed.list(ListQuery::default()).await?;
    let titles: Vec<_> = listed.iter().map(|line| &*line.title).collect();
    same("titles", titles, [odd])?;
    claimed.post(&run, 1, odd).await?;
    let inbox = claimed.inbox(&run).await?;
    let bodies: Vec<_> = inbox
        .iter()
        .map(|request| request.body.as_deref())
        .collect();
    same("bodies", bodies, [Some(odd)])?;
    Ok(Outcome::Passed)
}

pub(super) async fn concurrent_commits(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let mut one = claimed.create("one", 0).await?;
    let mut two = claimed.create("two", 0).await?;
    for n in 1..=20 {
        let (a, b) = (next(&mut one), running(&mut two, vec![row(n), row(n)]));
        let (a, b) = both(claimed.append(a), claimed.append(b)).await;
        done("one", a)?;
        done("two", b)?;
    }
    claimed.has(&one).await?;
    claimed.has(&two).await?;
    Ok(Outcome::Passed)
}
