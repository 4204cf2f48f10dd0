//! The branches that no run of a chapter meets while every rule is kept: those that are the fault which a removed rule lets in, and
//! branches beyond a named limit. A mutant there is no mutant of the protocol.

use syn::{BinOp, Expr, Pat};

/// Whether this compares with a named limit.
pub fn has_limit(text: &str) -> bool {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word.ends_with("_MAX"))
}

/// Whether this condition, when it has this value, says that a rule is removed or that a limit is reached.
pub fn is_excluded(condition: &Expr, value: bool, text: &impl Fn(&Expr) -> String) -> bool {
    match condition {
        Expr::Paren(inner) => is_excluded(&inner.expr, value, text),
        Expr::Unary(not) if matches!(not.op, syn::UnOp::Not(_)) => is_excluded(&not.expr, !value, text),
        Expr::MethodCall(call) => call.method == "keeps" && !value && text(condition).contains("Rule::"),
        Expr::Binary(binary) => {
            let left = || is_excluded(&binary.left, value, text);
            let right = || is_excluded(&binary.right, value, text);
            match binary.op {
                BinOp::And(_) if value => left() || right(),
                BinOp::And(_) => left() && right(),
                BinOp::Or(_) if value => left() && right(),
                BinOp::Or(_) => left() || right(),
                BinOp::Eq(_) => value && is_removed(binary, text),
                BinOp::Ne(_) => !value && is_removed(binary, text),
                BinOp::Gt(_) | BinOp::Ge(_) => value && is_limit(&binary.right, text),
                BinOp::Lt(_) | BinOp::Le(_) => !value && is_limit(&binary.right, text),
                _ => false,
            }
        }
        _ => false,
    }
}

/// Whether an arm with this pattern is that of a removed rule: `Some(Rule::Order) => ...`.
pub fn is_of_removed_rule(pattern: &Pat) -> bool {
    match pattern {
        Pat::TupleStruct(some) => some.path.is_ident("Some") && some.elems.iter().all(is_rule),
        Pat::Or(either) => either.cases.iter().all(is_of_removed_rule),
        _ => false,
    }
}

fn is_rule(pattern: &Pat) -> bool {
    match pattern {
        Pat::Path(path) => path.path.segments.first().is_some_and(|first| first.ident == "Rule"),
        Pat::Or(either) => either.cases.iter().all(is_rule),
        _ => false,
    }
}

/// Whether this compares with the removed rule: `without == Some(Rule::Slew)`.
fn is_removed(binary: &syn::ExprBinary, text: &impl Fn(&Expr) -> String) -> bool {
    text(&binary.left).ends_with("without") && text(&binary.right).starts_with("Some(Rule::")
}

fn is_limit(side: &Expr, text: &impl Fn(&Expr) -> String) -> bool {
    matches!(side, Expr::Path(_)) && has_limit(&text(side))
}
