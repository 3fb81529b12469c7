//! The dialects as data: what each accepts, and its limits. The sources are named in the parent module.

use crate::Dialect;

/// What a dialect accepts.
pub(super) struct Rules {
    /// Whether references stay; else they are inlined.
    pub(super) keeps_refs: bool,
    /// Whether a schema may contain itself.
    pub(super) recursion: bool,
    /// Whether all properties must be required.
    pub(super) all_required: bool,
    /// Whether `additionalProperties: false` is written.
    pub(super) says_closed: bool,
    /// Whether objects may have any properties, and any value is a schema.
    pub(super) open: bool,
    /// Whether lists may differ by position.
    pub(super) tuples: bool,
    /// Whether `const` is known; else it is an enum of one.
    pub(super) consts: bool,
    /// Whether the root must be an object.
    pub(super) root_object: bool,
    /// Bounds that are known, with the types that they are known for.
    pub(super) bounds: &'static [(&'static str, &'static str)],
    /// The largest number that a bound of length or count may have.
    pub(super) largest_bound: u64,
    /// Formats of strings that are known.
    pub(super) formats: &'static [&'static str],
    /// Limits over the whole.
    pub(super) limits: Limits,
}

/// Limits over a whole schema; `usize::MAX` where there is none.
pub(super) struct Limits {
    pub(super) levels: usize,
    pub(super) properties: usize,
    pub(super) optional: usize,
    pub(super) unions: usize,
    pub(super) enum_values: usize,
    pub(super) text: usize,
    /// An enum with more strings than this …
    pub(super) large_enum: usize,
    /// … may have so many characters in them.
    pub(super) large_enum_text: usize,
}

const NO_LIMITS: Limits = Limits {
    levels: usize::MAX,
    properties: usize::MAX,
    optional: usize::MAX,
    unions: usize::MAX,
    enum_values: usize::MAX,
    text: usize::MAX,
    large_enum: usize::MAX,
    large_enum_text: usize::MAX,
};

const OPENAI_STRICT: Rules = Rules {
    keeps_refs: true,
    recursion: true,
    all_required: true,
    says_closed: true,
    open: false,
    tuples: false,
    consts: true,
    root_object: true,
    bounds: &[
        ("pattern", "string"),
        ("multipleOf", "number"),
        ("minimum", "number"),
        ("maximum", "number"),
        ("exclusiveMinimum", "number"),
        ("exclusiveMaximum", "number"),
        ("minItems", "array"),
        ("maxItems", "array"),
    ],
    largest_bound: u64::MAX,
    formats: &[
        "date-time",
        "time",
        "date",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "uuid",
    ],
    limits: Limits {
        levels: 10,
        properties: 5_000,
        enum_values: 1_000,
        text: 120_000,
        large_enum: 250,
        large_enum_text: 15_000,
        ..NO_LIMITS
    },
};

const ANTHROPIC: Rules = Rules {
    keeps_refs: true,
    recursion: false,
    all_required: false,
    says_closed: true,
    open: false,
    tuples: false,
    consts: true,
    root_object: false,
    // A list may be said not to be empty; `largest_bound` keeps it to that.
    bounds: &[("minItems", "array")],
    largest_bound: 1,
    formats: &[
        "date-time",
        "time",
        "date",
        "duration",
        "email",
        "hostname",
        "uri",
        "ipv4",
        "ipv6",
        "uuid",
    ],
    limits: Limits {
        optional: 24,
        unions: 16,
        ..NO_LIMITS
    },
};

const GEMINI: Rules = Rules {
    keeps_refs: false,
    recursion: false,
    all_required: false,
    says_closed: false,
    open: false,
    tuples: false,
    consts: false,
    root_object: false,
    bounds: &[
        ("minimum", "number"),
        ("maximum", "number"),
        ("minItems", "array"),
        ("maxItems", "array"),
    ],
    largest_bound: u64::MAX,
    formats: &["date-time"],
    limits: NO_LIMITS,
};

const GRAMMAR: Rules = Rules {
    keeps_refs: false,
    recursion: false,
    all_required: false,
    says_closed: true,
    open: true,
    tuples: true,
    consts: true,
    root_object: false,
    bounds: &[
        ("minimum", "integer"),
        ("maximum", "integer"),
        ("minItems", "array"),
        ("maxItems", "array"),
        ("minLength", "string"),
        ("maxLength", "string"),
    ],
    // Repetitions are unrolled into the grammar; large ones make servers refuse or crawl.
    largest_bound: 256,
    formats: &[],
    limits: NO_LIMITS,
};

pub(super) const fn of(dialect: Dialect) -> &'static Rules {
    match dialect {
        Dialect::OpenAiStrict => &OPENAI_STRICT,
        Dialect::Anthropic => &ANTHROPIC,
        Dialect::Gemini => &GEMINI,
        Dialect::Grammar => &GRAMMAR,
    }
}

/// Keywords that only narrow what a value may be within its type: left out, they are told in words.
pub(super) const BOUNDS: [&str; 14] = [
    "pattern",
    "format",
    "multipleOf",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];

/// Keywords that change what a value is and that no dialect has.
pub(super) const UNSUPPORTED: [&str; 11] = [
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "patternProperties",
    "propertyNames",
    "contains",
    "$dynamicRef",
];
