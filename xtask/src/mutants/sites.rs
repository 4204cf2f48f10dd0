//! Where a protocol can be mutated: every place in the handlers of its own modules, and in what they call, that an
//! operator changes.
//!
//! Left out are tests, codec and text (`Encode`, `Display`, ... and everything inside a macro), defaults, properties, queries
//! that only observers ask, remarks (`cx.note`), comparisons with a named limit (`..._MAX`) and what lies behind one: no small
//! instance reaches a limit, and the tests of the crate meet each. So are branches that run only without a rule.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Block, Expr, ExprMethodCall, ExprReturn, Item, Lit, Local, Signature, Stmt};

use super::calls::{self, Calls, trait_of};
use super::operators::{self, Operator};
use super::unreached::{self, has_limit};

/// Traits whose code is codec, text or defaults.
const TRAITS_OF_VOCABULARY: [&str; 12] = [
    "Encode",
    "Decode",
    "Display",
    "Debug",
    "Default",
    "FromStr",
    "Error",
    "Kinds",
    "Hash",
    "Payload",
    "Described",
    "From",
];

/// Functions of codecs outside these traits, and the picture that readers are given.
const FUNCTIONS_OF_VOCABULARY: [&str; 4] = ["encode", "decode", "encoded_len", "view"];

/// A mutant by a name that other edits of its file leave alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name {
    /// The file, from the folder `src` of its crate.
    pub file: String,
    /// The function.
    pub function: String,
    /// The kind of change.
    pub operator: Operator,
    /// Which of the changes of this kind in functions of this name in this file, from 1.
    pub ordinal: usize,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Name { file, function, operator, ordinal } = self;
        write!(f, "{file} {function} {operator}-{ordinal}")
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.to_string()
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Name, String> {
        let parts = || {
            let (file, rest) = text.split_once(' ')?;
            let (function, change) = rest.rsplit_once(' ')?;
            let (operator, ordinal) = change.rsplit_once('-')?;
            let (operator, ordinal) = (Operator::named(operator)?, ordinal.parse().ok()?);
            Some(Name { file: file.to_string(), function: function.to_string(), operator, ordinal })
        };
        parts().ok_or_else(|| format!("`{text}` is no name of a mutant"))
    }
}

/// Something that can be changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    /// Its name.
    pub name: Name,
    /// The line, from 1.
    pub line: usize,
    /// The replaced text, as bytes of its file.
    pub range: Range<usize>,
    /// Whether it takes the place of a statement, semicolon included, or of an expression.
    pub is_statement: bool,
    /// The substitute; nothing where the text is removed.
    pub instead: String,
}

/// Finds every site in the modules of one protocol: paths with their texts.
pub fn find(modules: &[(String, String)]) -> anyhow::Result<Vec<Site>> {
    let mut files = Vec::new();
    for (path, text) in modules {
        files.push((path, text, syn::parse_file(text).with_context(|| format!("{path} is no Rust"))?));
    }
    let mut calls = Calls::default();
    files.iter().for_each(|(_, _, file)| calls.visit_file(file));
    let reached = calls.reached();
    let persisting = calls.leading_to("persist");
    let mut sites = Vec::new();
    for (path, text, file) in &files {
        let mut finder = Finder {
            path,
            text,
            reached: &reached,
            // A node of a role without records has nothing to wait for.
            persists: calls::functions(file).iter().any(|name| persisting.contains(name)),
            function: String::new(),
            is_return_kept: false,
            ordinals: BTreeMap::new(),
            sites: &mut sites,
        };
        finder.visit_file(file);
    }
    Ok(sites)
}

/// Whether this is only compiled in tests or with a feature.
fn is_conditional(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|one| one.path().is_ident("cfg") || one.path().is_ident("test"))
}

struct Finder<'s> {
    path: &'s str,
    text: &'s str,
    reached: &'s BTreeSet<String>,
    persists: bool,
    function: String,
    /// Inside a closure, or where control flow must leave: a `return` there is no early one.
    is_return_kept: bool,
    ordinals: BTreeMap<(String, Operator), usize>,
    sites: &'s mut Vec<Site>,
}

impl Finder<'_> {
    fn source(&self, of: &impl Spanned) -> &str {
        &self.text[of.span().byte_range()]
    }

    fn add(&mut self, operator: Operator, range: Range<usize>, is_statement: bool, instead: String) {
        let ordinal = self.ordinals.entry((self.function.clone(), operator)).or_default();
        *ordinal += 1;
        let (file, function) = (self.path.to_string(), self.function.clone());
        let name = Name { file, function, operator, ordinal: *ordinal };
        let line = self.text[..range.start].matches('\n').count() + 1;
        self.sites.push(Site { name, line, range, is_statement, instead });
    }

    fn replace(&mut self, operator: Operator, what: &impl Spanned, instead: String) {
        self.add(operator, what.span().byte_range(), false, instead);
    }

    fn function(&mut self, attributes: &[Attribute], signature: &Signature, block: &Block) {
        let name = signature.ident.to_string();
        let is_left_out = is_conditional(attributes)
            || signature.constness.is_some()
            || FUNCTIONS_OF_VOCABULARY.contains(&name.as_str())
            || !self.reached.contains(&name);
        if !is_left_out {
            self.function = name;
            self.visit_block(block);
        }
    }

    fn is_excluded(&self, condition: &Expr, value: bool) -> bool {
        unreached::is_excluded(condition, value, &|part| self.source(part).to_string())
    }

    /// A condition is negated as a whole; where it binds names, each of its other parts is.
    fn condition(&mut self, condition: &Expr) {
        match condition {
            Expr::Binary(binary) if operators::has_let(condition) || has_limit(self.source(binary)) => {
                if operators::instead_of(&binary.op).is_some_and(|(operator, _)| operator == Operator::Connective) {
                    self.condition(&binary.left);
                    self.condition(&binary.right);
                }
            }
            Expr::Let(bound) => self.visit_expr(&bound.expr),
            Expr::Unary(not) if matches!(not.op, syn::UnOp::Not(_)) => {
                let positive = self.source(&not.expr).to_string();
                self.replace(Operator::Negation, condition, positive);
                self.visit_expr(&not.expr);
            }
            Expr::Paren(inner) => self.condition(&inner.expr),
            _ => {
                if !operators::is_equality(condition) {
                    let negative = format!("!({})", self.source(condition));
                    self.replace(Operator::Negation, condition, negative);
                }
                self.visit_expr(condition);
            }
        }
    }

    /// The last expression of a block or an arm, which may be an effect.
    fn last(&mut self, expression: &Expr) {
        if operators::is_last_effect(expression) {
            self.replace(Operator::Removal, expression, String::new());
        }
        self.visit_expr(expression);
    }

    fn binary(&mut self, binary: &syn::ExprBinary) {
        if has_limit(self.source(binary)) {
            return self.condition(&Expr::Binary(binary.clone()));
        }
        let binds = matches!(binary.op, syn::BinOp::And(_)) && (operators::has_let(&Expr::Binary(binary.clone())));
        if let Some((operator, instead)) = operators::instead_of(&binary.op).filter(|_| !binds) {
            let (left, right) = (self.source(&binary.left), self.source(&binary.right));
            let text = format!("{left} {instead} {right}");
            self.replace(operator, binary, text);
        }
        self.visit_expr(&binary.left);
        self.visit_expr(&binary.right);
    }

    fn method_call(&mut self, call: &ExprMethodCall) {
        if operators::is_note(call) {
            return;
        }
        let method = call.method.to_string();
        if let Some(other) =
            operators::other_extreme(&method).filter(|_| !call.args.iter().any(|one| has_limit(self.source(one))))
        {
            let (start, end) = (call.span().byte_range(), call.method.span().byte_range());
            let text = format!("{}{other}{}", &self.text[start.start..end.start], &self.text[end.end..start.end]);
            self.replace(Operator::Extremum, call, text);
        }
        if self.persists && operators::is_on_context(call) {
            let arguments: Vec<&str> = call.args.iter().map(|argument| self.source(argument)).collect();
            if let Some(hasty) = operators::hasty(&method, &arguments) {
                self.replace(Operator::Haste, call, hasty);
            }
        }
        visit::visit_expr_method_call(self, call);
    }

    fn literal(&mut self, literal: &syn::LitInt) {
        let Ok(value) = literal.base10_parse::<u64>() else { return };
        let suffix = literal.suffix();
        self.replace(Operator::Literal, literal, format!("{}{suffix}", value + 1));
        if value > 0 {
            self.replace(Operator::Literal, literal, format!("{}{suffix}", value - 1));
        }
    }

    fn return_early(&mut self, early: &ExprReturn) {
        if !self.is_return_kept {
            let instead = early.expr.as_ref().map(|value| format!("let _ = {};", self.source(value)));
            self.replace(Operator::Return, early, instead.unwrap_or_default());
        }
        if let Some(value) = &early.expr {
            self.last(value);
        }
    }

    /// Visits what must not fall through, or returns from elsewhere.
    fn keeping_returns(&mut self, visit: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.is_return_kept, true);
        visit(self);
        self.is_return_kept = before;
    }
}

impl<'a> Visit<'a> for Finder<'_> {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if !is_conditional(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        let is_vocabulary = trait_of(item).is_some_and(|of| TRAITS_OF_VOCABULARY.contains(&of.as_str()));
        if is_conditional(&item.attrs) || is_vocabulary {
            return;
        }
        for one in &item.items {
            if let syn::ImplItem::Fn(function) = one {
                self.function(&function.attrs, &function.sig, &function.block);
            }
        }
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.function(&item.attrs, &item.sig, &item.block);
    }

    fn visit_block(&mut self, block: &'a Block) {
        for (place, statement) in block.stmts.iter().enumerate() {
            match statement {
                Stmt::Expr(expression, Some(_)) if operators::is_removable(expression) => {
                    self.add(Operator::Removal, statement.span().byte_range(), true, String::new());
                    self.visit_expr(expression);
                }
                Stmt::Expr(expression, None) if place + 1 == block.stmts.len() => self.last(expression),
                Stmt::Expr(expression, _) => self.visit_expr(expression),
                Stmt::Local(local) => self.visit_local(local),
                Stmt::Item(_) | Stmt::Macro(_) => {}
            }
        }
    }

    fn visit_local(&mut self, local: &'a Local) {
        let Some(initial) = &local.init else { return };
        self.visit_expr(&initial.expr);
        if let Some((_, diverging)) = &initial.diverge {
            self.keeping_returns(|finder| finder.visit_expr(diverging));
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::If(branch) => {
                self.condition(&branch.cond);
                if !self.is_excluded(&branch.cond, true) {
                    // A peer's message beyond a limit is forged: it takes a refusal to leave here.
                    let is_refusal = self.is_return_kept || has_limit(self.source(&branch.cond));
                    let before = std::mem::replace(&mut self.is_return_kept, is_refusal);
                    self.visit_block(&branch.then_branch);
                    self.is_return_kept = before;
                }
                if let Some((_, other)) = branch.else_branch.as_ref().filter(|_| !self.is_excluded(&branch.cond, false))
                {
                    self.visit_expr(other);
                }
            }
            Expr::While(repeated) => {
                self.condition(&repeated.cond);
                self.visit_block(&repeated.body);
            }
            Expr::Match(choice) => {
                self.visit_expr(&choice.expr);
                for arm in &choice.arms {
                    let guard = arm.guard.as_ref().map(|(_, guard)| &**guard);
                    if unreached::is_of_removed_rule(&arm.pat) {
                        continue;
                    }
                    guard.into_iter().for_each(|guard| self.condition(guard));
                    if !guard.is_some_and(|guard| self.is_excluded(guard, true)) {
                        self.last(&arm.body);
                    }
                }
            }
            Expr::Binary(binary) => self.binary(binary),
            Expr::Unary(not) if matches!(not.op, syn::UnOp::Not(_)) => {
                let positive = self.source(&not.expr).to_string();
                self.replace(Operator::Negation, expression, positive);
                self.visit_expr(&not.expr);
            }
            Expr::MethodCall(call) => self.method_call(call),
            Expr::Return(early) => self.return_early(early),
            Expr::Closure(closure) => self.keeping_returns(|finder| finder.visit_expr(&closure.body)),
            Expr::Lit(literal) => {
                if let Lit::Int(number) = &literal.lit {
                    self.literal(number);
                }
            }
            _ => visit::visit_expr(self, expression),
        }
    }

    fn visit_item(&mut self, item: &'a Item) {
        match item {
            Item::Mod(_) | Item::Impl(_) | Item::Fn(_) => visit::visit_item(self, item),
            _ => {}
        }
    }

    // Patterns, types and macros are not changed: constants and vocabulary.
    fn visit_pat(&mut self, _: &'a syn::Pat) {}
    fn visit_type(&mut self, _: &'a syn::Type) {}
    fn visit_macro(&mut self, _: &'a syn::Macro) {}
    fn visit_generic_argument(&mut self, _: &'a syn::GenericArgument) {}
}
