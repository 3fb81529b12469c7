//! What is on a tape, what is not, and what becomes of its file.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::json;

use super::{Recording, Replaying, Tape, TapeError};
use crate::{
    Capabilities, ErrorKind, LlmError, LlmProvider as _, LlmRequest, Message, OutputFormat, Reply,
    ScriptedProvider, ToolSpec, collect,
};

fn replaying(tape: &Arc<Tape>) -> Replaying {
    let able = Capabilities {
        tools: true,
        ..Capabilities::TEXT
    };
    Replaying::new("s", able, tape)
}

async fn recorded(service: ScriptedProvider, requests: &[LlmRequest]) -> Arc<Tape> {
    let tape = Arc::new(Tape::new());
    let recording = Recording::new(service, &tape);
    for request in requests {
        let _ = recording.complete(request).await;
    }
    tape
}

#[tokio::test]
async fn equal_requests_replay_in_order_and_no_oftener() {
    let service = ScriptedProvider::new("s")
        .then(Reply::text("one"))
        .then(Reply::text("two"))
        .then(Reply::text("other"));
    let (a, b) = (LlmRequest::new("a"), LlmRequest::new("b"));
    let tape = recorded(service, &[a.clone(), a.clone(), b.clone()]).await;
    let replay = replaying(&tape);
    assert_eq!(tape.unused().len(), 3);
    assert_eq!(replay.complete(&b).await.unwrap().text, "other");
    assert_eq!(replay.complete(&a).await.unwrap().text, "one");
    assert_eq!(
        tape.unused(),
        [json!({
            "messages": [{"role": "user", "text": "a"}], "output": "text", "tool_choice": "auto",
        })]
    );
    assert_eq!(replay.complete(&a).await.unwrap().text, "two");
    let error = replay.complete(&a).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotRecorded);
    assert!(error.message().contains("not as often"), "{error}");
    assert!(tape.unused().is_empty());
}

#[tokio::test]
async fn the_order_of_keys_and_the_time_out_tell_nothing_apart() {
    let tool = |parameters: &str| ToolSpec {
        name: "t".into(),
        description: "d".into(),
        parameters: serde_json::from_str(parameters).unwrap(),
    };
    let service = ScriptedProvider::new("s").then(Reply::text("x"));
    let asked = LlmRequest::new("a")
        .tool(tool(r#"{"type":"object","title":"T"}"#))
        .timeout(Duration::from_secs(9));
    let tape = recorded(service, &[asked]).await;
    let same = LlmRequest::new("a").tool(tool(r#"{"title":"T","type":"object"}"#));
    assert_eq!(replaying(&tape).complete(&same).await.unwrap().text, "x");
}

#[tokio::test]
async fn an_unknown_request_is_told_from_the_nearest() {
    let service = ScriptedProvider::new("s").when("", Reply::text("x"));
    let base = LlmRequest::of(vec![
        Message::system("Be brief."),
        Message::user("Plan a trip."),
    ]);
    let tape = recorded(service, &[LlmRequest::new("else"), base.clone()]).await;
    let replay = replaying(&tape);
    let cases = [
        (
            base.clone().temperature(0.5),
            "recording 2, which differs at \"/temperature\": asked 0.5, recorded nothing",
        ),
        (
            LlmRequest::of(vec![
                Message::system("Be brief."),
                Message::user("Plan a\u{1b}[2J trap."),
            ]),
            "differs at \"/messages/1/text\"",
        ),
        (
            LlmRequest::of(vec![Message::system("Be brief.")]),
            "differs at \"/messages/1\": asked nothing",
        ),
    ];
    for (request, expected) in cases {
        let error = replay.complete(&request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotRecorded);
        assert!(error.message().contains(expected), "{error}");
        assert!(!error.message().contains('\u{1b}'));
    }
    let empty = replaying(&Arc::default())
        .complete(&base)
        .await
        .unwrap_err();
    assert!(empty.message().contains("nothing is recorded"));
}

#[tokio::test]
async fn errors_and_streams_are_recorded_too() {
    let error = LlmError::new(ErrorKind::RateLimited, "", "slow")
        .with_status(429)
        .with_retry_after(Duration::from_millis(1_500));
    let service = ScriptedProvider::new("s")
        .then(Reply::failure(error))
        .then(Reply::text("0123456789abcdef"))
        .then(Reply::text("0123456789abcdef").cut_after(8));
    let tape = Arc::new(Tape::new());
    let recording = Recording::new(service, &tape);
    let ask = LlmRequest::new("a");
    assert!(recording.stream(&ask).await.is_err());
    let whole = collect("s", recording.stream(&ask).await.unwrap())
        .await
        .unwrap();
    let parts = recording
        .stream(&ask)
        .await
        .unwrap()
        .collect::<Vec<_>>()
        .await;
    assert_eq!((parts.len(), tape.len()), (2, 3));

    let again = Arc::new(Tape::parse(&tape.to_text()).unwrap());
    assert_eq!(again.to_text(), tape.to_text());
    let replay = replaying(&again);
    let error = replay.complete(&ask).await.unwrap_err();
    assert_eq!(
        (error.status(), error.retry_after()),
        (Some(429), Some(Duration::from_millis(1_500)))
    );
    assert_eq!(
        collect("s", replay.stream(&ask).await.unwrap())
            .await
            .unwrap(),
        whole
    );
    assert_eq!(
        replay.complete(&ask).await.unwrap_err().kind(),
        ErrorKind::Cut
    );
}

#[tokio::test]
async fn what_the_capabilities_exclude_is_refused_before_the_tape() {
    let replay = Replaying::new("s", Capabilities::TEXT, &Arc::default());
    let error = replay
        .complete(&LlmRequest::new("a").output(OutputFormat::Json))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn secrets_are_on_no_tape_and_replay_needs_none() {
    let service = ScriptedProvider::new("s").when("", Reply::text("the key is hunter2"));
    let redact = |text: &str| text.replace("hunter2", "***");
    let tape = Arc::new(Tape::new().redacting(redact));
    let secret = LlmRequest::new("use hunter2");
    Recording::new(service, &tape)
        .complete(&secret)
        .await
        .unwrap();
    assert!(!tape.to_text().contains("hunter2"));
    let read = Arc::new(Tape::parse(&tape.to_text()).unwrap().redacting(redact));
    assert_eq!(
        replaying(&read).complete(&secret).await.unwrap().text,
        "the key is ***"
    );
}

#[tokio::test]
async fn a_file_is_replaced_whole_and_is_its_owners() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tape.jsonl");
    std::fs::write(&path, "older").unwrap();
    let service = ScriptedProvider::new("s").when("", Reply::text("line\nbreak"));
    let tape = recorded(service, &[LlmRequest::new("a")]).await;
    tape.save(&path).unwrap();
    assert_eq!(Tape::load(&path).unwrap().to_text(), tape.to_text());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let nowhere = folder.path().join("none").join("tape.jsonl");
    assert!(matches!(tape.save(&nowhere), Err(TapeError::Io { .. })));
    assert!(matches!(Tape::load(&nowhere), Err(TapeError::Io { .. })));
}

#[test]
fn what_is_no_tape_is_told_where() {
    assert!(matches!(Tape::parse(""), Err(TapeError::NoTape)));
    assert!(matches!(Tape::parse("{}"), Err(TapeError::NoTape)));
    assert!(matches!(
        Tape::parse("{\"zeph_cassette\":2}"),
        Err(TapeError::Version { found: 2 })
    ));
    for line in ["{", "{\"request\":{}}", "{\"request\":{},\"response\":{}}"] {
        let text = format!("{{\"zeph_cassette\":1}}\n\n{line}\n");
        assert!(
            matches!(Tape::parse(&text), Err(TapeError::Line { line: 3, .. })),
            "{line}"
        );
    }
}
