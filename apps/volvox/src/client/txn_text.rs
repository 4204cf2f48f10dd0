//! The text form of a transaction, as etcdctl reads it.
//!
//! Three paragraphs, each ended by an empty line: compares, operations when all of them hold,
//! operations otherwise. A line of the first is `target("key") relation "value"`; a line of the
//! others is a `put`, `get` or `del` command with its flags. Double-quoted strings take escapes (`\n`, `\x00`,
//! `\u00e9`), single-quoted strings are literal.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use anyhow::{Context, Result, anyhow, bail, ensure};
use bytes::Bytes;
use clap::{Parser, Subcommand};
use volvox_etcd::proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use volvox_etcd::proto::etcdserverpb::request_op::Request;
use volvox_etcd::proto::etcdserverpb::{Compare, RequestOp, TxnRequest};

use super::keys::{DeleteArguments, PutArguments};
use super::range::GetArguments;

#[derive(Parser)]
#[command(no_binary_name = true, disable_help_subcommand = true)]
struct OperationLine {
    #[command(subcommand)]
    operation: Operation,
}

#[derive(Subcommand)]
enum Operation {
    Put(PutArguments),
    Get(GetArguments),
    Del(DeleteArguments),
}

/// Reads a whole transaction.
///
/// # Errors
/// When the text is malformed; names the line and the mistake.
pub fn parse(text: &str) -> Result<TxnRequest> {
    let mut request = TxnRequest::default();
    let mut paragraph = 0;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            paragraph += 1;
            continue;
        }
        let number = index + 1;
        let context = || format!("line {number}: {line}");
        match paragraph {
            0 => request.compare.push(parse_compare(line).with_context(context)?),
            1 => request.success.push(parse_operation(line).with_context(context)?),
            2 => request.failure.push(parse_operation(line).with_context(context)?),
            _ => bail!(
                "line {number}: a transaction has three paragraphs (compares, operations on \
                 success, operations on failure), this is in a fourth"
            ),
        }
    }
    Ok(request)
}

fn parse_compare(line: &str) -> Result<Compare> {
    const FORM: &str = "a compare has the form mod(\"key\") > \"0\"";
    let (target, rest) = line.split_once('(').context(FORM)?;
    let (key, rest) = take_quoted(rest.trim_start())?;
    let rest = rest.trim_start().strip_prefix(')').context(FORM)?.trim_start();
    let (relation, rest) = rest.split_at(rest.find(['"', '`', ' ']).context(FORM)?);
    let (value, rest) = take_quoted(rest.trim_start())?;
    ensure!(rest.trim().is_empty(), "unexpected text after the value; {FORM}");
    let result = match relation {
        "=" => CompareResult::Equal,
        "!=" => CompareResult::NotEqual,
        ">" => CompareResult::Greater,
        "<" => CompareResult::Less,
        other => bail!("unknown relation {other:?}; use =, !=, < or >"),
    };
    let (target, union) = parse_target(target.trim(), value)?;
    Ok(Compare {
        result: result.into(),
        target: target.into(),
        key: Bytes::from(key),
        range_end: Bytes::new(),
        target_union: Some(union),
    })
}

fn parse_target(target: &str, value: Vec<u8>) -> Result<(CompareTarget, TargetUnion)> {
    let number = |radix: u32| -> Result<i64> {
        let text = std::str::from_utf8(&value).unwrap_or("");
        i64::from_str_radix(text, radix).map_err(|error| anyhow!("value {text:?}: {error}"))
    };
    Ok(match target {
        "ver" | "version" => (CompareTarget::Version, TargetUnion::Version(number(10)?)),
        "c" | "create" => (CompareTarget::Create, TargetUnion::CreateRevision(number(10)?)),
        "m" | "mod" => (CompareTarget::Mod, TargetUnion::ModRevision(number(10)?)),
        "lease" => (CompareTarget::Lease, TargetUnion::Lease(number(16)?)),
        "val" | "value" => (CompareTarget::Value, TargetUnion::Value(Bytes::from(value))),
        other => bail!("unknown target {other:?}; use version, create, mod, value or lease"),
    })
}

fn parse_operation(line: &str) -> Result<RequestOp> {
    let words = split_words(line)?.into_iter().map(OsString::from_vec);
    let line = OperationLine::try_parse_from(words).map_err(|error| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        anyhow!("{}; use put, get or del", first.trim_start_matches("error: "))
    })?;
    let request = match line.operation {
        Operation::Put(arguments) => {
            let missing = || bail!("put needs a value");
            Request::RequestPut(arguments.request(missing)?)
        }
        Operation::Get(arguments) => Request::RequestRange(arguments.request()),
        Operation::Del(arguments) => Request::RequestDeleteRange(arguments.request()),
    };
    Ok(RequestOp { request: Some(request) })
}

/// Splits a line at spaces outside quotes.
fn split_words(line: &str) -> Result<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        if matches!(first, '"' | '`' | '\'') {
            let (word, after) = take_quoted(rest)?;
            words.push(word);
            rest = after.trim_start();
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            words.push(rest.as_bytes()[..end].to_vec());
            rest = rest[end..].trim_start();
        }
    }
    Ok(words)
}

/// Takes a quoted string from the front of `text`; returns its bytes and what follows.
fn take_quoted(text: &str) -> Result<(Vec<u8>, &str)> {
    let quote = match text.chars().next() {
        Some(quote @ ('"' | '`' | '\'')) => quote,
        _ => bail!("expected a quoted string at {text:?}"),
    };
    let mut bytes = Vec::new();
    let mut position = quote.len_utf8();
    while let Some(character) = text[position..].chars().next() {
        position += character.len_utf8();
        if character == quote {
            return Ok((bytes, &text[position..]));
        }
        if character == '\\' && quote == '"' {
            position += unescape(&text[position..], &mut bytes)?;
        } else {
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    bail!("unclosed quote in {text:?}")
}

/// Reads what follows a backslash; returns how many bytes of text it used.
fn unescape(text: &str, bytes: &mut Vec<u8>) -> Result<usize> {
    let kind = text.chars().next().context("the line ends with a backslash")?;
    let digits = |from: usize, count: usize, radix: u32| -> Result<u32> {
        let digits = text.get(from..from + count);
        digits
            .filter(|digits| digits.chars().all(|digit| digit.is_digit(radix)))
            .and_then(|digits| u32::from_str_radix(digits, radix).ok())
            .with_context(|| format!("the escape \\{kind} needs {count} hexadecimal digits"))
    };
    let (code, length) = match kind {
        'x' => (digits(1, 2, 16)?, 3),
        '0'..='7' => (digits(0, 3, 8)?, 3),
        'u' | 'U' => {
            let count = if kind == 'u' { 4 } else { 8 };
            let code = digits(1, count, 16)?;
            let character = char::from_u32(code).context("no such character")?;
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return Ok(1 + count);
        }
        'n' => (u32::from(b'\n'), 1),
        't' => (u32::from(b'\t'), 1),
        'r' => (u32::from(b'\r'), 1),
        'a' => (7, 1),
        'b' => (8, 1),
        'f' => (12, 1),
        'v' => (11, 1),
        '\\' | '"' | '\'' => (kind as u32, 1),
        other => bail!("unknown escape \\{other}"),
    };
    bytes.push(u8::try_from(code).context("the escape is larger than a byte")?);
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(line: &str) -> Compare {
        parse_compare(line).unwrap_or_else(|error| panic!("{line}: {error:#}"))
    }

    fn puts(operations: &[RequestOp]) -> Vec<(&[u8], &[u8])> {
        let pairs = operations.iter().map(|operation| match &operation.request {
            Some(Request::RequestPut(put)) => (&put.key[..], &put.value[..]),
            other => panic!("not a put: {other:?}"),
        });
        pairs.collect()
    }

    #[test]
    fn the_example_of_the_etcdctl_manual() {
        let text = "mod(\"key1\") > \"0\"\n\nput key1 \"overwrote-key1\"\n\n\
                    put key1 \"created-key1\"\nput key2 \"some extra key\"\n\n";
        let request = parse(text).unwrap();
        assert_eq!(request.compare.len(), 1);
        assert_eq!(request.compare[0].key, &b"key1"[..]);
        assert_eq!(request.compare[0].target(), CompareTarget::Mod);
        assert_eq!(request.compare[0].result(), CompareResult::Greater);
        assert_eq!(puts(&request.success), [(&b"key1"[..], &b"overwrote-key1"[..])]);
        let failure = [(&b"key1"[..], &b"created-key1"[..]), (b"key2", b"some extra key")];
        assert_eq!(puts(&request.failure), failure);
    }

    #[test]
    fn every_target_and_relation() {
        let union = |line| compare(line).target_union.unwrap();
        assert_eq!(union(r#"ver("k") = "3""#), TargetUnion::Version(3));
        assert_eq!(union(r#"c("k") != "0""#), TargetUnion::CreateRevision(0));
        assert_eq!(union(r#"m("k")<"7""#), TargetUnion::ModRevision(7));
        assert_eq!(union(r#"val("k") > "x""#), TargetUnion::Value(Bytes::from_static(b"x")));
        assert_eq!(union(r#"lease("k") = "1f""#), TargetUnion::Lease(31));
        assert_eq!(compare(r#"c("k") != "0""#).result(), CompareResult::NotEqual);
        assert_eq!(compare(r#"m("k")<"7""#).result(), CompareResult::Less);
    }

    #[test]
    fn keys_and_values_are_bytes() {
        let line = r#"val("a\x00\"b\u00e9") = "\377\n""#;
        let compare = compare(line);
        assert_eq!(compare.key, &b"a\0\"b\xc3\xa9"[..]);
        let value = Bytes::from_static(b"\xff\n");
        assert_eq!(compare.target_union, Some(TargetUnion::Value(value)));
        let words = split_words(r"put 'a \n b'  x").unwrap();
        assert_eq!(words, [&b"put"[..], br"a \n b", b"x"]);
    }

    #[test]
    fn operations_take_their_flags() {
        let request = parse("\nget k --prefix --limit 3\ndel k z\nput k -5\n").unwrap();
        let Some(Request::RequestRange(range)) = &request.success[0].request else { panic!() };
        assert_eq!((&range.range_end[..], range.limit), (&b"l"[..], 3));
        let Some(Request::RequestDeleteRange(delete)) = &request.success[1].request else { panic!() };
        assert_eq!(&delete.range_end[..], b"z");
        assert_eq!(puts(&request.success[2..]), [(&b"k"[..], &b"-5"[..])]);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let cases = [
            ("mod(key) > \"0\"", "line 1"),
            ("mod(\"key\") >= \"0\"", "unknown relation"),
            ("size(\"key\") > \"0\"", "unknown target"),
            ("mod(\"key\") > \"zero\"", "invalid digit"),
            ("mod(\"key\") > \"0\" x", "unexpected text"),
            ("mod(\"key", "unclosed quote"),
            ("mod(\"\\xg0\") > \"0\"", "2 hexadecimal digits"),
            ("mod(\"\\", "backslash"),
            ("\nput k", "line 2"),
            ("\nfrobnicate k", "use put, get or del"),
            ("\n\n\nput k v", "fourth"),
        ];
        for (text, expected) in cases {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    #[test]
    fn no_text_makes_it_panic() {
        let pieces = ["mod(", "\"", "k", "\\", "x", "é", ")", " ", ">", "\n", "put", "'", "u00"];
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let length = random.usize(0..12);
            let text: String = (0..length).map(|_| pieces[random.usize(0..pieces.len())]).collect();
            let _ = parse(&text);
        }
    }
}
