//! The removable rules of a protocol.

/// A rule of a protocol that can be removed, to show what it is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RuleCard {
    /// Its name on the command line: `--without order`.
    pub name: &'static str,
    /// The statement of the rule, and what happens without it.
    pub text: &'static str,
}

/// Declares the removable rules of a protocol: the name and the sentence of each, once.
///
/// ```text
/// rules! {
///     /// The removable rules.
///     pub enum Rule of Config;
///     Order = "order": "a node that is behind waits for the reply" / "every node replies at once, and two are inside",
/// }
/// ```
///
/// `Config` has a field `without: Option<Rule>` and gets the query `keeps(rule)`. The enum has `ALL`, `CARDS` (for the
/// laboratory), `named`, `name` and `text`. The documentation of a variant is its sentence; attributes before it, such as
/// further documentation, are kept. Without `of Config` there is no query.
#[macro_export]
macro_rules! rules {
    ($(#[$attribute:meta])* $visibility:vis enum $rule:ident $(of $config:ident $(<$($param:ident),+>)?)?;
        $($(#[$note:meta])* $variant:ident = $name:literal : $says:literal / $without:literal),+ $(,)?) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        $visibility enum $rule {
            $(
                #[doc = concat!("`", $name, "`: ", $says, "; without it ", $without, ".")]
                $(#[$note])*
                $variant,
            )+
        }

        impl $rule {
            /// All rules.
            pub const ALL: &'static [$rule] = &[$($rule::$variant),+];

            /// All rules, with their names and sentences.
            pub const CARDS: &'static [$crate::RuleCard] = &[
                $($crate::RuleCard { name: $name, text: concat!($says, "; without it ", $without) }),+
            ];

            /// The rule of this name.
            pub fn named(name: &str) -> ::core::option::Option<$rule> {
                match name {
                    $($name => ::core::option::Option::Some($rule::$variant),)+
                    _ => ::core::option::Option::None,
                }
            }

            /// Its name on the command line.
            pub const fn name(self) -> &'static str {
                $rule::CARDS[self as usize].name
            }

            /// The statement of the rule, and what happens without it.
            pub const fn text(self) -> &'static str {
                $rule::CARDS[self as usize].text
            }
        }

        $(impl $(<$($param),+>)? $config $(<$($param),+>)? {
            /// Whether this rule is in force.
            pub fn keeps(&self, rule: $rule) -> bool {
                self.without != ::core::option::Option::Some(rule)
            }
        })?
    };
}
