//! The operators of mutants, and the text that each substitutes for an expression.

use std::fmt;

use syn::{BinOp, Expr, ExprMethodCall};

/// The kind of change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Operator {
    /// `<` becomes `<=`, `==` becomes `!=`, and so on.
    Relation,
    /// A condition is negated.
    Negation,
    /// `&&` becomes `||`, and the reverse.
    Connective,
    /// A statement that is an effect, or changes the state, is left out.
    Removal,
    /// An integer is one more or one less.
    Literal,
    /// `+` becomes `-`, `*` becomes `/`, and the reverse.
    Arithmetic,
    /// A `return` does not return.
    Return,
    /// `max` becomes `min`, and the reverse.
    Extremum,
    /// An effect that waits for the disk no longer does.
    Haste,
    /// A mutant that a person wrote.
    ByHand,
}

/// The name of each operator, in one word.
const NAMES: [(Operator, &str); 10] = [
    (Operator::Relation, "relation"),
    (Operator::Negation, "negation"),
    (Operator::Connective, "connective"),
    (Operator::Removal, "removal"),
    (Operator::Literal, "literal"),
    (Operator::Arithmetic, "arithmetic"),
    (Operator::Return, "return"),
    (Operator::Extremum, "extremum"),
    (Operator::Haste, "haste"),
    (Operator::ByHand, "by-hand"),
];

impl Operator {
    /// The operator of this name.
    pub fn named(name: &str) -> Option<Operator> {
        NAMES.iter().find(|(_, one)| *one == name).map(|(operator, _)| *operator)
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.iter().find(|(operator, _)| operator == self).map_or("", |(_, name)| name))
    }
}

/// Verbs of `Context` without a value, which a handler may also end with.
const VERBS: [&str; 9] = [
    "send",
    "send_after",
    "broadcast",
    "emit",
    "emit_after",
    "set_timer",
    "cancel_timer",
    "checkpoint",
    "checkpoint_done",
];

/// The operator that takes the place of this one.
pub fn instead_of(operator: &BinOp) -> Option<(Operator, &'static str)> {
    Some(match operator {
        BinOp::Lt(_) => (Operator::Relation, "<="),
        BinOp::Le(_) => (Operator::Relation, "<"),
        BinOp::Gt(_) => (Operator::Relation, ">="),
        BinOp::Ge(_) => (Operator::Relation, ">"),
        BinOp::Eq(_) => (Operator::Relation, "!="),
        BinOp::Ne(_) => (Operator::Relation, "=="),
        BinOp::And(_) => (Operator::Connective, "||"),
        BinOp::Or(_) => (Operator::Connective, "&&"),
        BinOp::Add(_) => (Operator::Arithmetic, "-"),
        BinOp::Sub(_) => (Operator::Arithmetic, "+"),
        BinOp::Mul(_) => (Operator::Arithmetic, "/"),
        BinOp::Div(_) => (Operator::Arithmetic, "*"),
        BinOp::AddAssign(_) => (Operator::Arithmetic, "-="),
        BinOp::SubAssign(_) => (Operator::Arithmetic, "+="),
        _ => return None,
    })
}

/// The other end of an order.
pub fn other_extreme(method: &str) -> Option<&'static str> {
    Some(match method {
        "max" => "min",
        "min" => "max",
        "max_by_key" => "min_by_key",
        "min_by_key" => "max_by_key",
        _ => return None,
    })
}

/// Whether this is a call of a method of the context, such as `cx.send(to, message)`.
pub fn is_on_context(call: &ExprMethodCall) -> bool {
    matches!(&*call.receiver, Expr::Path(path) if path.path.is_ident("cx"))
}

/// Whether this is a remark for the trace, which is no effect.
pub fn is_note(call: &ExprMethodCall) -> bool {
    is_on_context(call) && call.method == "note"
}

/// Whether a statement that consists of this may be left out: a call or an assignment, but no remark.
pub fn is_removable(expression: &Expr) -> bool {
    match expression {
        Expr::MethodCall(call) => !is_note(call),
        Expr::Call(_) | Expr::Assign(_) => true,
        Expr::Binary(binary) => is_compound(&binary.op),
        _ => false,
    }
}

/// Whether a handler may end with this and have no value: then it can be left out there, too.
pub fn is_last_effect(expression: &Expr) -> bool {
    let ends_with_context = |last: Option<&Expr>| matches!(last, Some(Expr::Path(path)) if path.path.is_ident("cx"));
    match expression {
        Expr::MethodCall(call) if is_on_context(call) => VERBS.iter().any(|verb| call.method == verb),
        Expr::MethodCall(call) => ends_with_context(call.args.last()),
        Expr::Call(call) => ends_with_context(call.args.last()),
        Expr::Assign(_) => true,
        Expr::Binary(binary) => is_compound(&binary.op),
        _ => false,
    }
}

/// Whether this is `+=` or one of its kind.
pub fn is_compound(operator: &BinOp) -> bool {
    matches!(
        operator,
        BinOp::AddAssign(_) | BinOp::SubAssign(_) | BinOp::MulAssign(_) | BinOp::DivAssign(_) | BinOp::RemAssign(_)
    )
}

/// Whether this is `==` or `!=`, whose change is a negation already.
pub fn is_equality(expression: &Expr) -> bool {
    matches!(expression, Expr::Binary(binary) if matches!(binary.op, BinOp::Eq(_) | BinOp::Ne(_)))
}

/// Whether a condition binds names: `let Some(x) = y && x > 1`.
pub fn has_let(condition: &Expr) -> bool {
    match condition {
        Expr::Let(_) => true,
        Expr::Binary(binary) if matches!(binary.op, BinOp::And(_)) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

/// The same effect without waiting for what was written before it.
pub fn hasty(method: &str, arguments: &[&str]) -> Option<String> {
    const NONE: &str = "volvox_core::Position::NONE";
    Some(match (method, arguments) {
        ("send", [to, message]) => format!("cx.send_after({NONE}, {to}, {message})"),
        ("emit", [event]) => format!("cx.emit_after({NONE}, {event})"),
        ("broadcast", [peers, message]) => format!(
            "for peer in {peers} {{ if *peer != cx.id() {{ cx.send_after({NONE}, *peer, {message}.clone()); }} }}"
        ),
        _ => return None,
    })
}
