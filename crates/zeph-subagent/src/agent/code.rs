//! Codes of the problems of agent definitions.

pub use zeph_diagnostics::code::{
    BAD_DURATION, BAD_VALUE, DUPLICATE_KEY, MISSING_KEY, NESTED_TOO_DEEPLY, NOT_UTF8, SYNTAX,
    TOO_LARGE, UNKNOWN_KEY, WRONG_TYPE, YAML_FEATURE,
};

zeph_diagnostics::codes! {
    /// There are more definitions, tools or tags than allowed.
    TOO_MANY = "too_many",
    /// The file does not begin with a line `---`.
    NO_FRONT_MATTER = "no_front_matter",
    /// No line `---` ends the front matter.
    UNCLOSED_FRONT_MATTER = "unclosed_front_matter",
    /// A limit is zero.
    ZERO_LIMIT = "zero_limit",
    /// A required text is empty.
    EMPTY_TEXT = "empty_text",
    /// Nothing follows the front matter.
    EMPTY_PROMPT = "empty_prompt",
    /// A name of an agent, a tool or a tag has a form that is not allowed.
    BAD_NAME = "bad_name",
    /// A text has control, invisible or reordering characters.
    HIDDEN_CHARACTERS = "hidden_characters",
    /// The same tool or tag is listed twice.
    DUPLICATE_ENTRY = "duplicate_entry",
    /// The host has no tool of that name.
    UNKNOWN_TOOL = "unknown_tool",
    /// Two agents have the same name.
    DUPLICATE_AGENT = "duplicate_agent",
    /// The names of two agents differ only in upper and lower case.
    CASE_FOLDED_DUPLICATE = "case_folded_duplicate",
    /// A file or folder could not be read.
    UNREADABLE = "unreadable",
    /// A path with the name of a definition is a link, a folder or a device.
    NOT_A_FILE = "not_a_file",
}
