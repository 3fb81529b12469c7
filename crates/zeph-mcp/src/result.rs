//! The result of a tool as text for a model.

use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};
use zeph_common::{Boundary, format_size, head_tail};
use zeph_subagent::TaskError;

/// The most bytes of a result. The agent cuts it further, to its budget.
const MAX_BYTES: usize = 256 << 10;
/// The most bytes of the text of an error.
const MAX_ERROR_BYTES: usize = 4 << 10;

/// The text of a result. A result that the server calls an error is one.
pub(crate) fn text(result: &CallToolResult) -> Result<String, TaskError> {
    let parts: Vec<String> = result.content.iter().map(block).collect();
    let mut text = parts.join("\n");
    if let (true, Some(value)) = (parts.is_empty(), &result.structured_content) {
        text = value.to_string();
    }
    if result.is_error == Some(true) {
        let text = head_tail(&text, MAX_ERROR_BYTES, Boundary::Word).to_string();
        return Err(TaskError::permanent(text).with_code("tool_error"));
    }
    Ok(head_tail(&text, MAX_BYTES, Boundary::Word).to_string())
}

fn block(block: &ContentBlock) -> String {
    let left_out = |what: &str, kind: &str, base64: &str| {
        let size = format_size(base64.len() as u64 / 4 * 3);
        format!("({what} of type {kind}, about {size}, left out)")
    };
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image) => left_out("an image", &image.mime_type, &image.data),
        ContentBlock::Audio(audio) => left_out("sound", &audio.mime_type, &audio.data),
        ContentBlock::Resource(resource) => match &resource.resource {
            ResourceContents::TextResourceContents { uri, text, .. } => format!("{uri}:\n{text}"),
            ResourceContents::BlobResourceContents {
                uri,
                blob,
                mime_type,
                ..
            } => {
                let kind = mime_type.as_deref().unwrap_or("unknown");
                format!("{uri}: {}", left_out("bytes", kind, blob))
            }
            _ => "(a resource of an unknown kind, left out)".to_owned(),
        },
        ContentBlock::ResourceLink(link) => format!("(a resource: {}, {})", link.name, link.uri),
        _ => "(content of an unknown kind, left out)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::{CallToolResult, ContentBlock};
    use serde_json::json;

    use super::{MAX_BYTES, text};

    #[test]
    fn what_is_no_text_is_named_and_left_out() {
        let result = CallToolResult::success(vec![
            ContentBlock::text("one"),
            ContentBlock::image("AAAA".repeat(1024), "image/png"),
            ContentBlock::embedded_text("file:///a", "two"),
        ]);
        let shown = text(&result).unwrap();
        assert_eq!(
            shown,
            "one\n(an image of type image/png, about 3.0 KiB, left out)\nfile:///a:\ntwo"
        );
    }

    #[test]
    fn an_error_is_one_and_a_long_result_is_cut() {
        let failed = CallToolResult::error(vec![ContentBlock::text("no such file")]);
        let error = text(&failed).unwrap_err();
        assert_eq!(
            (error.code(), error.message()),
            ("tool_error", "no such file")
        );
        let long = CallToolResult::success(vec![ContentBlock::text("x ".repeat(MAX_BYTES))]);
        let shown = text(&long).unwrap();
        assert!(shown.len() < MAX_BYTES + 100 && shown.contains("cut"));
        let only_json = CallToolResult::structured(json!({ "a": 1 }));
        assert_eq!(text(&only_json).unwrap(), r#"{"a":1}"#);
    }
}
