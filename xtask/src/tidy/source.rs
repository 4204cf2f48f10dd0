//! Rust text taken apart just far enough for tidy: code without comments and literals, which lines are tests, and where
//! each function begins and ends. It is a scanner and no parser; what it must get right is in its tests.

/// One Rust file, taken apart.
pub struct Source {
    /// The code, line by line, with comments and the insides of literals blanked out.
    pub code: Vec<String>,
    /// For each line: does it belong to a test?
    pub test: Vec<bool>,
    /// For each line: is it compiled for the sweep's planted bugs alone?
    pub planted: Vec<bool>,
    /// Every function with a body, in order.
    pub functions: Vec<Function>,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of the word `fn`, counted from one.
    pub first: usize,
    /// The line of its closing brace.
    pub last: usize,
}

impl Source {
    /// Takes `text` apart; `path` decides whether all of it is a test.
    pub fn parse(path: &str, text: &str) -> Self {
        let masked = mask(text);
        let lines = text.lines().count();
        let test = if is_test_path(path) { vec![true; lines] } else { test_lines(&masked, lines) };
        let mut planted = vec![false; lines];
        mark_items(text.as_bytes(), &masked, b"#[cfg(feature = \"planted-bugs\")]", &mut planted);
        let code = String::from_utf8_lossy(&masked).lines().map(str::to_string).collect();
        Self { code, test, planted, functions: functions(&masked) }
    }

    /// Lines of code, numbered from one, each with whether it belongs to a test.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str, bool)> {
        self.code
            .iter()
            .enumerate()
            .map(|(index, line)| (index + 1, line.as_str(), self.test.get(index).copied().unwrap_or(false)))
    }
}

/// Files that hold nothing but tests.
fn is_test_path(path: &str) -> bool {
    let test_folder = path.split('/').any(|part| matches!(part, "tests" | "benches" | "fuzz"));
    test_folder || path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

/// Blanks comments and the insides of string and character literals; newlines stay where they are.
fn mask(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => line_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => block_comment_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'r' if !is_word_before(bytes, at) => match raw_string_end(bytes, at) {
                Some(end) => end,
                None => {
                    at += 1;
                    continue;
                }
            },
            b'\'' => character_end(bytes, at),
            _ => {
                at += 1;
                continue;
            }
        };
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    out
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length)
}

fn block_comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                at += 2;
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], mut at: usize) -> usize {
    at += 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// `r"..."`, `r#"..."#` and their byte and C forms (whose first letter stands before `at`); `None` for other words.
fn raw_string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    let open = at + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let closes = |from: usize| {
        bytes[from] == b'"' && bytes[from + 1..].iter().take_while(|byte| **byte == b'#').count() >= hashes
    };
    Some((open + 1..bytes.len()).find(|from| closes(*from)).map_or(bytes.len(), |from| from + 1 + hashes))
}

/// The end of a character literal, or just past the quote when it opens a lifetime.
fn character_end(bytes: &[u8], at: usize) -> usize {
    if bytes.get(at + 1) == Some(&b'\\') {
        return bytes[at + 3..]
            .iter()
            .position(|byte| *byte == b'\'')
            .map_or(bytes.len(), |length| at + 3 + length + 1);
    }
    let width = match bytes.get(at + 1) {
        Some(byte) if *byte < 0x80 => 1,
        Some(byte) if *byte < 0xe0 => 2,
        Some(byte) if *byte < 0xf0 => 3,
        _ => 4,
    };
    if bytes.get(at + 1 + width) == Some(&b'\'') { at + width + 2 } else { at + 1 }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether the byte before `at` continues a word; the `b` or `c` of a raw byte or C string does not.
fn is_word_before(bytes: &[u8], at: usize) -> bool {
    let word = |index: usize| bytes.get(index).is_some_and(|byte| is_word(*byte));
    at > 0 && word(at - 1) && !(matches!(bytes[at - 1], b'b' | b'c') && (at < 2 || !word(at - 2)))
}

/// The lines of items under `#[cfg(test)]` and of functions under `#[test]`.
fn test_lines(masked: &[u8], lines: usize) -> Vec<bool> {
    let mut test = vec![false; lines];
    for attribute in [b"#[cfg(test)]".as_slice(), b"#[cfg(all(test", b"#[test]"] {
        mark_items(masked, masked, attribute, &mut test);
    }
    test
}

/// Marks the lines of every item below `attribute`, which is looked for in `text`.
fn mark_items(text: &[u8], masked: &[u8], attribute: &[u8], marks: &mut [bool]) {
    let mut from = 0;
    while let Some(at) = find(text, attribute, from) {
        from = at + attribute.len();
        let end = item_end(masked, from);
        for line in marks.iter_mut().take(line_of(masked, end)).skip(line_of(masked, at) - 1) {
            *line = true;
        }
    }
}

/// Every `fn name` with a body.
fn functions(masked: &[u8]) -> Vec<Function> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = find(masked, b"fn ", from) {
        from = at + 3;
        if at > 0 && is_word(masked[at - 1]) {
            continue;
        }
        let name: Vec<u8> =
            masked[from..].iter().copied().skip_while(|byte| *byte == b' ').take_while(|byte| is_word(*byte)).collect();
        let end = item_end(masked, from);
        if name.is_empty() || end == 0 || masked[end - 1] != b'}' {
            continue;
        }
        found.push(Function {
            name: String::from_utf8_lossy(&name).into_owned(),
            first: line_of(masked, at),
            last: line_of(masked, end - 1),
        });
    }
    found
}

/// Just past the item that starts at `at`: its closing brace, or the semicolon of an item without a body.
fn item_end(masked: &[u8], at: usize) -> usize {
    let (mut braces, mut others) = (0_i32, 0_i32);
    for (index, byte) in masked.iter().enumerate().skip(at) {
        match byte {
            b'(' | b'[' => others += 1,
            b')' | b']' => others -= 1,
            b'{' => braces += 1,
            b'}' => {
                braces -= 1;
                if braces <= 0 {
                    return index + 1;
                }
            }
            b';' if braces == 0 && others <= 0 => return index + 1,
            _ => {}
        }
    }
    masked.len()
}

fn find(haystack: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    haystack.get(from..)?.windows(needle.len()).position(|window| window == needle).map(|index| from + index)
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    1 + bytes[..at.min(bytes.len())].iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Vec<String> {
        Source::parse("crates/x/src/lib.rs", text).code
    }

    #[test]
    fn comments_and_literals_are_blank() {
        let text = "a(\"todo!()\"); // later\nb(r#\"x\"y{\"#, 'c', '\\'', b\"{\"); /* { /* } */ { */ d";
        let code = code(text);
        assert_eq!(code[0].trim_end(), "a(         );");
        assert!(!code[1].contains(['{', '}', '"', 'x']) && code[1].trim_end().ends_with('d'), "{}", code[1]);
    }

    #[test]
    fn lifetimes_are_not_characters() {
        let code = code("fn f<'a>(x: &'a str) -> &'a str { x }");
        assert!(code[0].contains("(x: &") && code[0].contains("{ x }"), "{}", code[0]);
    }

    #[test]
    fn functions_are_found_with_their_lines() {
        let text = "fn one() {\n}\ntrait T {\n    fn none(&self) -> [u8; 4];\n    fn two(&self) {\n        let f: fn(u8) = g; { }\n    }\n}\n";
        let functions = Source::parse("crates/x/src/lib.rs", text).functions;
        let shown: Vec<_> = functions.iter().map(|f| (f.name.as_str(), f.first, f.last)).collect();
        assert_eq!(shown, [("one", 1, 2), ("two", 5, 7)]);
    }

    #[test]
    fn test_modules_are_marked_and_the_rest_is_not() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
        assert_eq!(Source::parse("crates/x/src/lib.rs", text).test, [false, true, true, true, true, false]);
        let planted = "#[cfg(feature = \"planted-bugs\")]\nmod chosen {\n}\nfn c() {}\n";
        assert_eq!(Source::parse("crates/x/src/l.rs", planted).planted, [true, true, true, false]);
        assert_eq!(Source::parse("crates/x/tests/a.rs", "fn a() {}\n").test, [true]);
        assert_eq!(
            Source::parse("crates/x/src/l.rs", "#[cfg(test)]\nmod tests;\nfn c() {}\n").test,
            [true, true, false]
        );
    }
}
