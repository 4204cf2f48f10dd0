//! Commands as text that a person types.

use crate::vocabulary::nearest;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Generates the kinds, the text and the parser of the commands of a protocol from one table.
///
/// ```text
/// commands! { Command;
///     Propose(value)   = "propose {value}",        the value is read by its FromStr and printed by its Display
///     Say { text, to } = "say {text} to {to}",
///     Learn            = "learn",
/// }
/// commands! { Command<C>; Snapshot = "snapshot"; else Application: C }        any other text is a command of C
/// ```
///
/// A form is words and names of fields. Rows are tried in their order, so two may begin with the same word.
#[macro_export]
macro_rules! commands {
    ($name:ident $(<$($param:ident),+>)? ;
        $($variant:ident $({ $($field:ident),+ $(,)? })? $(( $($place:ident),+ $(,)? ))? = $form:literal),+ $(,)?
        $(; else $carried:ident : $inner:ident)?) => {
        impl $(<$($param: $crate::Kinds),+>)? $crate::Kinds for $name $(<$($param),+>)? {
            const KINDS: &'static [&'static str] = const {
                &$crate::vocabulary::JoinedKinds::of(
                    &[&[$(stringify!($variant)),+] $(, <$inner as $crate::Kinds>::KINDS)?]
                )
            }
            .as_slice();

            fn kind(&self) -> &'static str {
                match self {
                    $($name::$variant { .. } => stringify!($variant),)+
                    $($name::$carried(carried) => <$inner as $crate::Kinds>::kind(carried),)?
                }
            }
        }

        impl $(<$($param: ::core::fmt::Display),+>)? ::core::fmt::Display for $name $(<$($param),+>)? {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match self {
                    $($name::$variant $({ $($field),+ })? $(( $($place),+ ))? => ::core::write!(f, $form),)+
                    $($name::$carried(carried) => <$inner as ::core::fmt::Display>::fmt(carried, f),)?
                }
            }
        }

        impl $(<$($param: ::core::str::FromStr<Err = $crate::CommandError>),+>)? ::core::str::FromStr
            for $name $(<$($param),+>)? {
            type Err = $crate::CommandError;

            #[allow(unused_variables)]
            fn from_str(line: &str) -> ::core::result::Result<Self, $crate::CommandError> {
                $({
                    let command = $crate::vocabulary::Holes::read($form, line).and_then(|holes| {
                        $($(let $field = holes.value(stringify!($field))?;)+)?
                        $($(let $place = holes.value(stringify!($place))?;)+)?
                        ::core::option::Option::Some($name::$variant $({ $($field),+ })? $(( $($place),+ ))?)
                    });
                    if let ::core::option::Option::Some(command) = command {
                        return ::core::result::Result::Ok(command);
                    }
                })+
                let known = $crate::vocabulary::expansion::vec![$($form),+];
                $(return match <$inner as ::core::str::FromStr>::from_str(line) {
                    ::core::result::Result::Ok(carried) => ::core::result::Result::Ok($name::$carried(carried)),
                    ::core::result::Result::Err(error) => ::core::result::Result::Err(error.or(known)),
                };)?
                #[allow(unreachable_code)]
                ::core::result::Result::Err($crate::CommandError::new(line, known))
            }
        }
    };
}

/// The number of characters of a line that an error repeats.
const READ_MAX: usize = 80;

/// A line that is not a command. The author of the line is at fault, and nothing happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandError {
    /// The beginning of the line.
    pub read: String,
    /// The forms of the known commands.
    pub known: Vec<&'static str>,
}

impl CommandError {
    /// The error for a line that fits none of these forms.
    pub fn new(line: &str, known: Vec<&'static str>) -> CommandError {
        CommandError { read: line.trim().chars().take(READ_MAX).collect(), known }
    }

    /// The same error for a process that also knows these commands, beside those of its child.
    pub fn or(mut self, known: Vec<&'static str>) -> CommandError {
        self.known.splice(0..0, known);
        self
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a command", self.read)?;
        let verb = first_word(&self.read);
        let same: Vec<&str> = self.known.iter().copied().filter(|form| first_word(form) == verb).collect();
        if !same.is_empty() {
            f.write_str("; expected ")?;
            return write_forms(&same, f);
        }
        let are = if self.known.len() == 1 { "he only command is" } else { "he commands are" };
        match nearest(verb, self.known.iter().map(|form| first_word(form))) {
            Some(near) => write!(f, "; did you mean `{near}`? T{are} ")?,
            None => write!(f, "; t{are} ")?,
        }
        write_forms(&self.known, f)
    }
}

impl core::error::Error for CommandError {}

fn first_word(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or("")
}

/// `propose <value>` or `learn`.
fn write_forms(forms: &[&str], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (place, form) in forms.iter().enumerate() {
        let joint = match place {
            0 => "",
            last if last + 1 == forms.len() => " or ",
            _ => ", ",
        };
        write!(f, "{joint}`{}`", form.replace('{', "<").replace('}', ">"))?;
    }
    Ok(())
}

/// The texts of a line at the holes of a form: `n2` at `to` for the form `tell {to}` and the line `tell n2`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holes<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Holes<'a> {
    /// Matches a line with a form. A hole ends at the first space, or before the last occurrence of the words that
    /// follow it; the last hole takes the rest. Space around a hole does not count.
    pub fn read(form: &'static str, line: &'a str) -> Option<Holes<'a>> {
        let (mut form, mut line, mut holes) = (form, line.trim(), Vec::new());
        while let Some((words, after)) = form.split_once('{') {
            line = line.strip_prefix(words)?;
            let (name, rest) = after.split_once('}')?;
            let words = &rest[..rest.find('{').unwrap_or(rest.len())];
            let end = match words {
                "" => Some(line.len()),
                " " => line.trim_start().find(' ').map(|place| place + line.len() - line.trim_start().len()),
                words => line.rfind(words),
            };
            let (hole, behind) = line.split_at(end?);
            holes.push((name, hole.trim()));
            (form, line) = (rest, behind);
        }
        (form == line).then_some(Holes(holes))
    }

    /// The value of a hole; `None` when there is no such hole, or its text is no such value.
    pub fn value<T: core::str::FromStr>(&self, name: &str) -> Option<T> {
        self.0.iter().find(|(hole, _)| *hole == name)?.1.parse().ok()
    }
}
