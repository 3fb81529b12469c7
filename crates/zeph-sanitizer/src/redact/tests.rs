//! Redaction in every encoding, and its limits.

use super::{MAX_SECRETS, MAX_SECRETS_BYTES, Redactor, SecretError};

fn one(value: &str) -> Redactor {
    Redactor::new([("key", value)]).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_debug_print_shows_names_only() {
    assert_eq!(format!("{:?}", one("hunter2!")), r#"Redactor["key"]"#);
}

#[test]
fn invalid_secrets_are_refused_without_showing_them() {
    let table = [
        ("a b", "long enough", "is invalid"),
        ("", "long enough", "is invalid"),
        ("pin", "1234 ", "4 bytes"),
        ("odd", "abc›defg", "‹` or `›"),
        ("key", "redacted", "rename"),
    ];
    for (name, value, wanted) in table {
        let refused = Redactor::new([(name, value)]);
        let text = refused.err().map(|error: SecretError| error.to_string());
        let text = text.unwrap_or_default();
        assert!(text.contains(wanted), "{name:?}: {text}");
        assert!(name == "key" || !text.contains(value.trim()), "{text}");
    }
}

#[test]
fn overlapping_secrets_leave_no_half() {
    let both = Redactor::new([("a", "abcdefgh"), ("b", "fghijklm")]);
    let both = both.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(both.redact("xabcdefghijklmx"), "x‹redacted: a›x");
}

#[test]
fn usual_encodings_are_found() {
    let key = one("p@ss/w\"rd");
    for text in [
        "p@ss/w\"rd",
        "p@ss/\r\nw\"rd",
        "p@ss/\u{200b}w\"rd",
        "p%40ss%2Fw%22rd",
        "%70%40%73%73%2f%77%22%72%64",
        "p&#64;ss&#x2f;w&quot;rd",
        r#"p@ss\/w\"rd"#,
        r"p\u0040ss/w\x22rd",
        "70407373 2f772272 64".replace(' ', "").as_str(),
        "704073732F77227264",
        "70:40:73:73:2F:77:22:72:64",
        "7040 7373 2f77 2272 64",
        "70 40 73 73\n2f 77 22 72 64",
        "70, 0x40, 0x73, 0x73, 0x2F, 0x77, 0x22, 0x72, 0x64",
        r"70\x40\x73\x73\x2f\x77\x22\x72\x64",
        "704073732f77227264".replace('f', "F").as_str(),
        "OBAHG4ZPO4RHEZA=",
        "obahg4zpo4rheza",
        "cEBzcy93InJk",
        "cEBzcy93InJk==",
        "cEBzcy\n93InJk",
        "cEBzcy%393InJk",
        "p@ss\x1b[1;31m/w\x1b[0m\"rd",
        "p@ss\u{9b}0m/w\"rd",
        r"cEBzcy\n93InJk",
        "cEBzcy%0D%0A93InJk",
        "cEBzcy&#10;93InJk",
        r#"p@ss/\u200bw\"rd"#,
    ] {
        assert_eq!(key.redact(text), "‹redacted: key›", "{text:?}");
    }
}

#[test]
fn neighbours_in_other_lines_stay() {
    let key = one("hunter2secret");
    for text in [
        "hunter2secret",
        "aHVudGVyMnNlY3JldA==",
        "68756e74657232736563726574",
    ] {
        let found = key.redact(&format!("13\n{text}\n14")).into_owned();
        assert_eq!(found, "13\n‹redacted: key›\n14", "{text:?}");
    }
}

#[test]
fn each_line_of_a_pem_is_found_by_itself() {
    let lines = ["MIIEvQIBADANBgkqhkiG9w0B", "AQEFAASCBKcwggSjAgEAAoIB"];
    let key = one(&format!(
        "-----BEGIN KEY-----\n{}\n{}\n-----END KEY-----",
        lines[0], lines[1]
    ));
    for line in lines {
        assert_eq!(
            key.redact(&format!("pem: {line}!")),
            "pem: ‹redacted: key›!"
        );
    }
    let whole = format!("a: -----BEGIN KEY-----\na: {}\na: {}", lines[0], lines[1]);
    assert_eq!(key.redact(&whole).matches("redacted").count(), 2);
}

#[test]
fn base64_inside_of_something_longer_is_found() {
    // "user:p@ss/w\"rd" and "Xuser:p@ss/w\"rd" and "XXuser:p@ss/w\"rd!".
    for text in ["dXNlcjpwQHNzL3ciCg", "dXNlcjpwQHNzL3cicmQ="] {
        let found = one("p@ss/w\"rd").redact(text).into_owned();
        assert_eq!(found.contains("redacted"), text.ends_with('='), "{found}");
    }
}

#[test]
fn bytes_that_are_no_text_are_redacted_too() {
    let found = one("hunter2!")
        .redact_bytes(b"\xff\xfehunter2!\xff")
        .into_owned();
    assert_eq!(found, b"\xff\xfe\xe2\x80\xb9redacted: key\xe2\x80\xba\xff");
}

#[test]
fn secrets_that_end_in_each_other_take_memory_for_the_text_only() {
    let secret = |len: usize| ("nested", "z".repeat(len));
    let nested = Redactor::new((6..200).map(secret)).expect("fine secrets");
    let text = "z".repeat(4_000);
    let inner = nested.inner.as_ref().expect("it has secrets");
    // One place for each end, whatever number of secrets ends there.
    let places = inner.places(
        &crate::normalized::normalized_forms(text.as_bytes())
            .next()
            .expect("the text"),
        false,
    );
    assert!(places.len() <= text.len(), "{} places", places.len());
    assert_eq!(nested.redact(&text), "‹redacted: nested›");
}

#[test]
fn there_is_a_limit_to_secrets() {
    let many = |count: usize| (0..count).map(|number| ("many", format!("value-{number:06}")));
    assert!(Redactor::new(many(MAX_SECRETS)).is_ok());
    let error = Redactor::new(many(MAX_SECRETS + 1)).expect_err("too many");
    assert!(error.to_string().contains("512 secrets"), "{error}");
    let long = "x".repeat(MAX_SECRETS_BYTES / 2 + 1);
    let error = Redactor::new([("a", &long), ("b", &long)]).expect_err("too long");
    assert!(matches!(error, SecretError::OverLimit { name } if name == "b"));
}

#[test]
fn a_secret_in_a_hex_dump_is_found_across_its_lines() {
    let key = one("hunter2-secret-value");
    for dump in [
        // xxd
        "00000000: 6b65 793d 6875 6e74 6572 322d 7365 6372  key=hunter2-secr\n00000010: 6574 2d76 616c 7565 0a                   et-value.\n",
        // hexdump -C
        "00000000  6b 65 79 3d 68 75 6e 74  65 72 32 2d 73 65 63 72  |key=hunter2-secr|\n00000010  65 74 2d 76 61 6c 75 65  0a                       |et-value.|\n00000019\n",
        // od -A x -t x1z, and od -t x1
        "000000 6b 65 79 3d 68 75 6e 74 65 72 32 2d 73 65 63 72  >key=hunter2-secr<\n000010 65 74 2d 76 61 6c 75 65 0a                       >et-value.<\n",
        "0000000 6b 65 79 3d 68 75 6e 74 65 72 32 2d 73 65 63 72\n0000020 65 74 2d 76 61 6c 75 65 0a\n",
        "00000000: 6B65 793D 6875 6E74 6572 322D 7365 6372  key=hunter2-secr\n00000010: 6574 2D76 616C 7565 0A                   et-value.\n",
    ] {
        let redacted = key.redact(dump);
        assert!(redacted.contains("‹redacted: key›"), "{redacted}");
        for part in [
            "hunter", "secr", "value", "6572 32", "65 72 32", "616c", "61 6c",
        ] {
            assert!(!redacted.contains(part), "{part}: {redacted}");
        }
        assert!(
            redacted.starts_with("00"),
            "what precedes it stays: {redacted}"
        );
    }
    // The text beside the digits shows a dot for the line break; a line has the whole secret.
    let broken = one("hunter2\nsecret");
    for dump in [
        "00000000: 6875 6e74 6572 320a 7365 6372 6574       hunter2.secret\n",
        "00000000  68 75 6e 74 65 72 32 0a  73 65 63 72 65 74        |hunter2.secret|\n0000000e\n",
        "\t0x0000:  6875 6e74 6572 320a 7365 6372 6574       hunter2.secret\n",
    ] {
        let redacted = broken.redact(dump);
        assert!(redacted.contains("‹redacted: key›"), "{redacted}");
        assert!(!redacted.contains("secret"), "{redacted}");
    }
    let other = "00000000: 6b65 793d 6f74 6865 7220 7465 7874 2061  key=other text a\n00000010: 6e64 206d 6f72 650a                      nd more.\n";
    assert_eq!(key.redact(other), other);
}
