//! The calls between the functions of a protocol: handlers are its roots, and only what they reach is mutated.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{Block, ExprMethodCall, Signature};

/// The calls between functions, by name alone.
#[derive(Default)]
pub struct Calls {
    by_function: BTreeMap<String, BTreeSet<String>>,
    roots: BTreeSet<String>,
    all: BTreeSet<String>,
    called: BTreeSet<String>,
}

impl Calls {
    /// The handlers, and what they call, directly or not.
    pub fn reached(&self) -> BTreeSet<String> {
        let mut reached = if self.roots.is_empty() { self.all.clone() } else { self.roots.clone() };
        let mut new: Vec<String> = reached.iter().cloned().collect();
        while let Some(name) = new.pop() {
            let called = self.by_function.get(&name).into_iter().flatten();
            new.extend(called.filter(|called| reached.insert((*called).clone())).cloned().collect::<Vec<_>>());
        }
        reached
    }

    /// The functions that call this one, directly or not.
    pub fn leading_to(&self, called: &str) -> BTreeSet<String> {
        let mut leading = BTreeSet::new();
        let mut new = vec![called.to_string()];
        while let Some(name) = new.pop() {
            let callers =
                self.by_function.iter().filter(|(_, called)| called.contains(&name)).map(|(caller, _)| caller);
            new.extend(callers.filter(|caller| leading.insert((*caller).clone())).cloned().collect::<Vec<_>>());
        }
        leading
    }

    fn function(&mut self, signature: &Signature, block: &Block) {
        let name = signature.ident.to_string();
        self.called.clear();
        self.visit_block(block);
        let called = std::mem::take(&mut self.called);
        self.all.insert(name.clone());
        self.by_function.entry(name).or_default().extend(called);
    }
}

impl<'a> Visit<'a> for Calls {
    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        let of = trait_of(item);
        let is_root = of.as_deref().is_some_and(|of| ["Process", "Ord", "PartialOrd", "PartialEq"].contains(&of));
        for one in &item.items {
            if let syn::ImplItem::Fn(function) = one {
                if is_root {
                    self.roots.insert(function.sig.ident.to_string());
                }
                self.function(&function.sig, &function.block);
            }
        }
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.function(&item.sig, &item.block);
    }

    fn visit_expr_method_call(&mut self, call: &'a ExprMethodCall) {
        self.called.insert(call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_path(&mut self, path: &'a syn::ExprPath) {
        self.called.extend(path.path.segments.last().map(|last| last.ident.to_string()));
    }

    fn visit_macro(&mut self, call: &'a syn::Macro) {
        fn names(tokens: proc_macro2::TokenStream, into: &mut BTreeSet<String>) {
            for token in tokens {
                match token {
                    proc_macro2::TokenTree::Ident(name) => drop(into.insert(name.to_string())),
                    proc_macro2::TokenTree::Group(group) => names(group.stream(), into),
                    _ => {}
                }
            }
        }
        names(call.tokens.clone(), &mut self.called);
    }
}

/// The functions of a file, by name.
pub fn functions(file: &syn::File) -> BTreeSet<String> {
    let mut calls = Calls::default();
    calls.visit_file(file);
    calls.all
}

/// The last word of the trait that an `impl` is of.
pub fn trait_of(item: &syn::ItemImpl) -> Option<String> {
    let (_, path, _) = item.trait_.as_ref()?;
    path.segments.last().map(|last| last.ident.to_string())
}
