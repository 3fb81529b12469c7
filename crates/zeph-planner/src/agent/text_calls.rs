//! Tool calls that a model writes as text, because its server does not translate them.

use serde_json::{Map, Value};
use zeph_common::{Boundary, truncate};
use zeph_llm::{Tolerated, ToolCall, ToolSpec, read_json};

/// The longest text that is searched.
const MAX_BYTES: usize = 1 << 20;

/// The most calls of one text.
const MAX_CALLS: usize = 64;

/// The markup that begins a call.
const OPENERS: &[&str] = &[
    "<tool_call>",
    "<tool_calls>",
    "<function_call>",
    "<function=",
    "<invoke name=",
    "[TOOL_CALLS]",
    "<|tool_call|>",
    "<|tool_call>",
    "<|python_tag|>",
    "<｜tool▁call▁begin｜>",
    "<|channel|>commentary to=",
];

/// The tool calls in a text.
#[derive(Debug, PartialEq)]
pub(super) enum TextCalls {
    /// It has none: it is an answer.
    None,
    /// It has calls, after some other text.
    Some {
        before: String,
        calls: Vec<ToolCall>,
    },
    /// It has the markup of a call that cannot be read.
    Unreadable,
}

/// Finds the tool calls in the text of a model that has these tools.
///
/// Markup counts at the start of a line and outside code fences; JSON without markup only if it is the
/// end of the text and names one of the tools. What follows a call is not the model's to say.
pub(super) fn find(text: &str, tools: &[ToolSpec]) -> TextCalls {
    if tools.is_empty() || text.len() > MAX_BYTES {
        return TextCalls::None;
    }
    let Some(at) = markup(text) else {
        return bare(text, tools);
    };
    let (before, marked) = text.split_at(at);
    let mut calls = Vec::new();
    read_markup(marked, tools, &mut calls);
    calls.truncate(MAX_CALLS);
    let is_known = |call: &(String, Value)| tools.iter().any(|tool| tool.name == call.0);
    // Markup that is quoted in an answer names no tool of the agent.
    if calls.is_empty() || (!before.trim().is_empty() && !calls.iter().any(is_known)) {
        let is_whole_text = before.trim().is_empty();
        return if is_whole_text {
            TextCalls::Unreadable
        } else {
            TextCalls::None
        };
    }
    made(before, calls)
}

fn made(before: &str, calls: Vec<(String, Value)>) -> TextCalls {
    let calls = calls.into_iter().enumerate();
    let calls = calls.map(|(place, (name, arguments))| ToolCall {
        id: format!("text_call_{place}"),
        name,
        arguments,
    });
    TextCalls::Some {
        before: before.trim_end().to_owned(),
        calls: calls.collect(),
    }
}

/// The place of the first markup at the start of a line outside code fences.
fn markup(text: &str) -> Option<usize> {
    let mut start = 0;
    let mut in_fence = false;
    for line in text.split_inclusive('\n') {
        let said = line.trim_start();
        if said.starts_with("```") {
            in_fence = !in_fence;
        } else if !in_fence && OPENERS.iter().any(|opener| said.starts_with(opener)) {
            return Some(start + line.len() - said.len());
        }
        start += line.len();
    }
    None
}

/// Reads all calls of a text that begins with markup.
fn read_markup(text: &str, tools: &[ToolSpec], calls: &mut Vec<(String, Value)>) {
    for opener in ["<function=", "<invoke name="] {
        for part in text.split(opener).skip(1) {
            calls.extend(function(part, tools));
        }
        if !calls.is_empty() {
            return;
        }
    }
    for (opener, separator) in [
        ("<｜tool▁call▁begin｜>", "<｜tool▁sep｜>"),
        ("<|channel|>commentary to=", "<|message|>"),
    ] {
        for part in text.split(opener).skip(1) {
            calls.extend(separated(part, separator));
        }
        if !calls.is_empty() {
            return;
        }
    }
    let mut starts = OPENERS.iter().filter(|opener| text.starts_with(**opener));
    let Some(opener) = starts.next() else {
        return;
    };
    for part in text.split(opener).skip(1) {
        let end = part.find("</").unwrap_or(part.len());
        let is_call = |value: &Value| !values(value).is_empty();
        // A closing tag inside a text of the arguments is no end.
        let read = [&part[..end], part]
            .into_iter()
            .find_map(|part| read_json(part, MAX_BYTES, is_call).ok());
        calls.extend(read.iter().flat_map(|read| values(&read.value)));
    }
}

/// A call whose name is in the tag: its arguments are JSON, or one tag for each.
fn function(part: &str, tools: &[ToolSpec]) -> Option<(String, Value)> {
    let (name, body) = part.split_once('>')?;
    let name = name.trim_matches(['"', '\'', ' ', '/']).to_owned();
    let tool = tools.iter().find(|tool| tool.name == name);
    let end = ["</function>", "</invoke>", "</tool_call>"];
    let end = end.iter().filter_map(|end| body.find(end)).min();
    let body = &body[..end.unwrap_or(body.len())];
    let mut arguments = Map::new();
    for opener in ["<parameter=", "<parameter name="] {
        for part in body.split(opener).skip(1) {
            let (key, value) = part.split_once('>')?;
            let key = key.trim_matches(['"', '\'', ' ']);
            let value = value.split("</parameter>").next().unwrap_or(value);
            let value = value.strip_prefix('\n').unwrap_or(value);
            let value = value.strip_suffix('\n').unwrap_or(value);
            arguments.insert(key.to_owned(), argument(tool, key, value));
        }
    }
    if arguments.is_empty() && !body.trim().is_empty() {
        let read = read_json(body, MAX_BYTES, Value::is_object).ok()?;
        return read.value.is_object().then_some((name, read.value));
    }
    Some((name, Value::Object(arguments)))
}

/// The value of an argument that was written without quotes.
fn argument(tool: Option<&ToolSpec>, key: &str, text: &str) -> Value {
    let kind = tool.and_then(|tool| tool.parameters.pointer(&format!("/properties/{key}/type")));
    let is_text = kind.and_then(Value::as_str) == Some("string");
    let value = (!is_text)
        .then(|| serde_json::from_str(text.trim()).ok())
        .flatten();
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// A call in special tokens: the name before the separator, the arguments after it, or the other way round.
fn separated(part: &str, separator: &str) -> Option<(String, Value)> {
    let (head, body) = part.split_once(separator)?;
    let head = head.split_whitespace().next().unwrap_or_default();
    let head = head.strip_prefix("functions.").unwrap_or(head);
    let name = match head {
        // DeepSeek writes the kind first and the name in the next line.
        "function" => body.lines().next().unwrap_or_default().trim(),
        name => name,
    };
    let read = read_json(body, MAX_BYTES, Value::is_object).ok()?;
    read.value
        .is_object()
        .then(|| (name.to_owned(), read.value))
}

/// JSON at the end of a text that names a tool.
fn bare(text: &str, tools: &[ToolSpec]) -> TextCalls {
    let is_known = |name: &str| tools.iter().any(|tool| tool.name == name);
    let is_call = |value: &Value| {
        let calls = values(value);
        !calls.is_empty() && calls.iter().all(|(name, _)| is_known(name))
    };
    let Ok(read) = read_json(text, MAX_BYTES, is_call) else {
        return TextCalls::None;
    };
    let is_end = read.tolerated.iter().all(|one| match one {
        Tolerated::Prose { after, .. } => *after == 0,
        Tolerated::Broken { .. } | Tolerated::Others { .. } | Tolerated::Unclosed { .. } => false,
        Tolerated::ByteOrderMark
        | Tolerated::Thought { .. }
        | Tolerated::Fence
        | Tolerated::TrailingComma { .. }
        | Tolerated::RawControl { .. }
        | Tolerated::Notation { .. }
        | Tolerated::RepeatedKey { .. }
        | Tolerated::Null { .. } => true,
    });
    if !is_end || !is_call(&read.value) {
        return TextCalls::None;
    }
    let before = text.find(['{', '[']).map_or("", |at| &text[..at]);
    let before = before
        .trim_end()
        .trim_end_matches(|c: char| c.is_ascii_alphabetic());
    made(
        before.strip_suffix("```").unwrap_or_default(),
        values(&read.value),
    )
}

/// The calls of a value: one, a list of them, or the field `tool_calls`; empty if it is no call.
fn values(value: &Value) -> Vec<(String, Value)> {
    let list = value.get("tool_calls").unwrap_or(value);
    let one = std::slice::from_ref(list);
    let list = list.as_array().map_or(one, Vec::as_slice);
    let calls: Vec<Option<(String, Value)>> = list.iter().map(call).collect();
    calls
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .unwrap_or_default()
}

/// A call in one of the forms in use; it has a name and arguments.
fn call(value: &Value) -> Option<(String, Value)> {
    const ARGUMENTS: [&str; 5] = ["arguments", "parameters", "args", "input", "tool_input"];
    let inner = value.get("function").filter(|inner| inner.is_object());
    let value = inner.unwrap_or(value);
    let names = ["name", "tool", "tool_name", "function"];
    let name = names.iter().find_map(|field| value.get(field)?.as_str())?;
    let arguments = ARGUMENTS.iter().find_map(|field| value.get(field))?;
    let arguments = if let Some(text) = arguments.as_str() {
        serde_json::from_str(text).ok()?
    } else if arguments.is_null() {
        Value::Object(Map::new())
    } else {
        arguments.clone()
    };
    arguments.is_object().then(|| (name.to_owned(), arguments))
}

/// The message that asks for an unreadable call once more.
pub(super) fn ask_again(text: &str) -> String {
    let head = truncate(text.trim(), 2_000, Boundary::Word);
    format!(
        "You wrote a tool call as text, and it could not be read:\n{head}\n\n\
         Call the tool through the tool interface, with its arguments as one JSON object, or answer without it."
    )
}

#[cfg(test)]
mod tests {
    use super::{TextCalls, find};
    use serde_json::{Value, json};
    use zeph_llm::ToolSpec;

    fn tools() -> Vec<ToolSpec> {
        let spec = |name: &str, properties: Value| ToolSpec {
            name: name.into(),
            description: String::new(),
            parameters: json!({ "type": "object", "properties": properties }),
        };
        vec![
            spec(
                "read_file",
                json!({ "path": { "type": "string" }, "lines": { "type": "integer" } }),
            ),
            spec("list_files", json!({})),
        ]
    }

    fn calls(text: &str) -> Option<(String, Vec<(String, Value)>)> {
        match find(text, &tools()) {
            TextCalls::Some { before, calls } => {
                let calls = calls.into_iter().map(|call| (call.name, call.arguments));
                Some((before, calls.collect()))
            }
            TextCalls::None => None,
            TextCalls::Unreadable => Some(("unreadable".into(), Vec::new())),
        }
    }

    #[test]
    fn a_call_is_found_in_every_markup() {
        let alpha = || vec![("read_file".to_owned(), json!({ "path": "alpha.txt" }))];
        for text in [
            "<tool_call>\n{\"name\": \"read_file\", \"arguments\": {\"path\": \"alpha.txt\"}}\n</tool_call>",
            "<tool_call>{\"name\": \"read_file\", \"arguments\": {\"path\": \"alpha.txt\"}}",
            "<tool_call>{'a'</tool_call><tool_call>{\"name\": \"read_file\", \"parameters\": \"{\\\"path\\\": \\\"alpha.txt\\\"}\",}</tool_call>",
            "<function=read_file>{\"path\": \"alpha.txt\"}</function>",
            "<tool_call>\n<function=read_file>\n<parameter=path>\nalpha.txt\n</parameter>\n</function>\n</tool_call>",
            "<invoke name=\"read_file\"><parameter name=\"path\">alpha.txt</parameter></invoke>",
            "[TOOL_CALLS][{\"name\": \"read_file\", \"arguments\": {\"path\": \"alpha.txt\"}}]",
            "<|python_tag|>{\"type\": \"function\", \"name\": \"read_file\", \"parameters\": {\"path\": \"alpha.txt\"}}",
            "<｜tool▁calls▁begin｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>read_file\n```json\n{\"path\": \"alpha.txt\"}\n```<｜tool▁call▁end｜>",
            "<|channel|>commentary to=functions.read_file <|constrain|>json<|message|>{\"path\": \"alpha.txt\"}<|call|>",
            "{\"name\": \"read_file\", \"arguments\": {\"path\": \"alpha.txt\"}}",
            "```json\n{\"tool\": \"read_file\", \"args\": {\"path\": \"alpha.txt\"}}\n```",
            "{\"tool_calls\": [{\"type\": \"function\", \"function\": {\"name\": \"read_file\", \"arguments\": \"{\\\"path\\\": \\\"alpha.txt\\\"}\"}}]}",
        ] {
            let (_, found) = calls(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(found, alpha(), "{text}");
        }
        let text = "I read it.\n<tool_call>{\"name\": \"read_file\", \"arguments\": {\"path\": \"alpha.txt\"}}</tool_call>\nIt says: made up.";
        assert_eq!(calls(text), Some(("I read it.".into(), alpha())));
        let text = "<function=read_file><parameter=path>7</parameter><parameter=lines>7</parameter></function><function=list_files></function>";
        let wanted = vec![
            ("read_file".to_owned(), json!({ "path": "7", "lines": 7 })),
            ("list_files".to_owned(), json!({})),
        ];
        assert_eq!(calls(text), Some((String::new(), wanted)));
        // The host refuses an unknown tool, and the model sees that.
        let text = "<tool_call>{\"name\": \"shell\", \"arguments\": {}}</tool_call>";
        assert_eq!(
            calls(text),
            Some((String::new(), vec![("shell".to_owned(), json!({}))]))
        );
    }

    #[test]
    fn an_answer_that_quotes_a_call_is_an_answer() {
        for text in [
            "The file says `<tool_call>{\"name\": \"read_file\", \"arguments\": {}}</tool_call>`.",
            "Write it so:\n```\n<tool_call>{\"name\": \"read_file\", \"arguments\": {}}</tool_call>\n```",
            "The log has:\n<tool_call>{\"name\": \"shell\", \"arguments\": {}}</tool_call>\nand ends.",
            "{\"name\": \"shell\", \"arguments\": {}}",
            "{\"name\": \"read_file\"}",
            "{\"name\": \"read_file\", \"arguments\": {}} is what a call looks like.",
            "Plain.",
            "",
        ] {
            assert_eq!(find(text, &tools()), TextCalls::None, "{text}");
        }
        assert_eq!(
            find("<tool_call>{\"name\": \"f\", \"arguments\": {}}", &[]),
            TextCalls::None
        );
    }

    #[test]
    fn markup_without_a_call_is_unreadable() {
        for text in [
            "<tool_call>\nread the file\n</tool_call>",
            "<tool_call>{\"name\": \"read_file\", \"argu",
        ] {
            assert_eq!(find(text, &tools()), TextCalls::Unreadable, "{text}");
        }
    }
}
