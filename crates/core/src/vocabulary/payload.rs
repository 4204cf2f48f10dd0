//! The table of an enum: tags, kinds and texts.

use crate::bytes::Bytes;
use crate::codec::{Decode, DecodeError, Reader};
use alloc::string::String;
use alloc::vec::Vec;

/// Generates what a message, record, event or timer needs beside its declaration from one table.
///
/// ```text
/// payload! { Message: "ring message";                                   a name for errors: Encode and Decode
///     1 Election { election, list <= RING_MAX } => "Election {election}",   tag, variant, fields in their order on the wire, text
///     2 Vote(ballot, vote) as vote: Vote        => "{vote} {ballot}",   the kind is that of a field of type Vote
///     3 VoteReq(ballot) as "Vote-req"           => ("Vote-req {}", ballot.round),   another kind, and a text with arguments
/// }
/// payload! { Event; Leads => "leads", Follows(leader) => "follows {leader}" }        without tags: no binary form
/// payload! { Timer; Answer, Round }                                     without texts: no Display
/// payload! { struct Begun { number } as "Begun" => "begun {number}" }   a structure; no tag, and no kind without `as`
/// payload! { struct Vector(counts) }                                    another; no text
/// ```
///
/// A field with `<= MOST` is a collection or a number that [`decode_at_most`](crate::vocabulary::decode_at_most) refuses
/// when it is longer or greater. Two rows with one tag, a forgotten variant and a forgotten field do not compile.
#[macro_export]
macro_rules! payload {
    (struct $name:ident $(<$($param:ident),+>)? { $($fields:tt)* } $($rest:tt)*) => {
        $crate::payload!(@structure [$name $(<$($param),+>)?] { $($fields)* } $($rest)*);
    };
    (struct $name:ident $(<$($param:ident),+>)? ( $($fields:tt)* ) $($rest:tt)*) => {
        $crate::payload!(@structure [$name $(<$($param),+>)?] ( $($fields)* ) $($rest)*);
    };
    ($name:ident $(<$($param:ident),+>)? : $what:literal; $($rows:tt)+) => {
        $crate::payload!(@codec [$name $(<$($param),+>)?] $what; $($rows)+);
        $crate::payload!(@kinds [$name $(<$($param),+>)?]; $($rows)+);
        $crate::payload!(@text [$name $(<$($param),+>)?]; $($rows)+);
    };
    ($name:ident $(<$($param:ident),+>)? ; $($rows:tt)+) => {
        $crate::payload!(@kinds [$name $(<$($param),+>)?]; $($rows)+);
        $crate::payload!(@text [$name $(<$($param),+>)?]; $($rows)+);
    };

    (@codec [$name:ident $(<$($param:ident),+>)?] $what:literal;
        $($tag:literal $variant:ident
            $({ $($field:ident $(<= $field_most:expr)?),* $(,)? })? $(( $($place:ident $(<= $place_most:expr)?),* $(,)? ))?
            $(as $kind:tt $(: $inner:ty)?)? $(=> $text:tt)?),+ $(,)?) => {
        impl $(<$($param: $crate::Encode),+>)? $crate::Encode for $name $(<$($param),+>)? {
            fn encode(&self, out: &mut $crate::vocabulary::expansion::Vec<u8>) {
                match self {
                    $($name::$variant $({ $($field),* })? $(( $($place),* ))? => {
                        out.push($tag);
                        $($($crate::Encode::encode($field, out);)*)?
                        $($($crate::Encode::encode($place, out);)*)?
                    })+
                }
            }
        }

        impl $(<$($param: $crate::Decode),+>)? $crate::Decode for $name $(<$($param),+>)? {
            fn decode(input: &mut $crate::Reader<'_>) -> ::core::result::Result<Self, $crate::DecodeError> {
                ::core::result::Result::Ok(match input.u8()? {
                    $($tag => {
                        $($(let $field = $crate::payload!(@read input $(<= $field_most)?);)*)?
                        $($(let $place = $crate::payload!(@read input $(<= $place_most)?);)*)?
                        $name::$variant $({ $($field),* })? $(( $($place),* ))?
                    })+
                    unknown => {
                        let unknown = ::core::primitive::u64::from(unknown);
                        return ::core::result::Result::Err($crate::DecodeError::Unknown($what, unknown));
                    }
                })
            }
        }
    };
    (@read $input:ident) => { $crate::Decode::decode($input)? };
    (@read $input:ident <= $most:expr) => { $crate::vocabulary::decode_at_most($input, $most)? };

    (@kinds [$name:ident $(<$($param:ident),+>)?];
        $($($tag:literal)? $variant:ident
            $({ $($field:ident $(<= $field_most:expr)?),* $(,)? })? $(( $($place:ident $(<= $place_most:expr)?),* $(,)? ))?
            $(as $kind:tt $(: $inner:ty)?)? $(=> $text:tt)?),+ $(,)?) => {
        #[allow(trivial_bounds)]
        impl $(<$($param),+>)? $crate::Kinds for $name $(<$($param),+>)? where $($($($inner: $crate::Kinds,)?)?)+ {
            const KINDS: &'static [&'static str] = const {
                &$crate::vocabulary::JoinedKinds::of(&[$($crate::payload!(@kinds_of $variant $($kind $(: $inner)?)?)),+])
            }
            .as_slice();

            #[allow(unused_variables)]
            fn kind(&self) -> &'static str {
                match self {
                    $($name::$variant $({ $($field),* })? $(( $($place),* ))? => {
                        $crate::payload!(@kind_of $variant $($kind $(: $inner)?)?)
                    })+
                }
            }
        }
    };
    (@kinds_of $variant:ident) => { &[stringify!($variant)] };
    (@kinds_of $variant:ident $kind:literal) => { &[$kind] };
    (@kinds_of $variant:ident $kind:ident : $inner:ty) => { <$inner as $crate::Kinds>::KINDS };
    (@kind_of $variant:ident) => { stringify!($variant) };
    (@kind_of $variant:ident $kind:literal) => { $kind };
    (@kind_of $variant:ident $kind:ident : $inner:ty) => { <$inner as $crate::Kinds>::kind($kind) };

    (@text [$name:ident $(<$($param:ident),+>)?];
        $($($tag:literal)? $variant:ident
            $({ $($field:ident $(<= $field_most:expr)?),* $(,)? })? $(( $($place:ident $(<= $place_most:expr)?),* $(,)? ))?
            $(as $kind:tt $(: $inner:ty)?)? => $text:tt),+ $(,)?) => {
        impl $(<$($param: ::core::fmt::Display),+>)? ::core::fmt::Display for $name $(<$($param),+>)? {
            #[allow(unused_variables)]
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match self {
                    $($name::$variant $({ $($field),* })? $(( $($place),* ))? => $crate::payload!(@write f $text),)+
                }
            }
        }
    };
    (@text $($without_text:tt)*) => {};
    (@write $f:ident $text:literal) => { ::core::write!($f, $text) };
    (@write $f:ident ($($text:tt)+)) => { ::core::write!($f, $($text)+) };

    (@structure $head:tt $fields:tt $(as $kind:tt $(: $inner:ty)?)? $(=> $text:tt)?) => {
        $crate::payload!(@structure_codec $head $fields);
        $($crate::payload!(@structure_kind $head $kind $(: $inner)?);)?
        $crate::payload!(@structure_text $head $fields $(=> $text)?);
    };
    (@structure_codec [$name:ident $(<$($param:ident),+>)?]
        $({ $($field:ident $(<= $field_most:expr)?),* $(,)? })? $(( $($place:ident $(<= $place_most:expr)?),* $(,)? ))?) => {
        impl $(<$($param: $crate::Encode),+>)? $crate::Encode for $name $(<$($param),+>)? {
            fn encode(&self, out: &mut $crate::vocabulary::expansion::Vec<u8>) {
                let $name $({ $($field),* })? $(( $($place),* ))? = self;
                $($($crate::Encode::encode($field, out);)*)?
                $($($crate::Encode::encode($place, out);)*)?
            }
        }

        impl $(<$($param: $crate::Decode),+>)? $crate::Decode for $name $(<$($param),+>)? {
            fn decode(input: &mut $crate::Reader<'_>) -> ::core::result::Result<Self, $crate::DecodeError> {
                $($(let $field = $crate::payload!(@read input $(<= $field_most)?);)*)?
                $($(let $place = $crate::payload!(@read input $(<= $place_most)?);)*)?
                ::core::result::Result::Ok($name $({ $($field),* })? $(( $($place),* ))?)
            }
        }
    };
    (@structure_kind [$name:ident $(<$($param:ident),+>)?] $kind:literal) => {
        impl $(<$($param),+>)? $crate::Kinds for $name $(<$($param),+>)? {
            const KINDS: &'static [&'static str] = &[$kind];

            fn kind(&self) -> &'static str {
                $kind
            }
        }
    };
    (@structure_kind [$name:ident $(<$($param:ident),+>)?] $kind:ident : $inner:ty) => {
        #[allow(trivial_bounds)]
        impl $(<$($param),+>)? $crate::Kinds for $name $(<$($param),+>)? where $inner: $crate::Kinds {
            const KINDS: &'static [&'static str] = <$inner as $crate::Kinds>::KINDS;

            fn kind(&self) -> &'static str {
                <$inner as $crate::Kinds>::kind(&self.$kind)
            }
        }
    };
    (@structure_text $head:tt $fields:tt) => {};
    (@structure_text [$name:ident $(<$($param:ident),+>)?]
        $({ $($field:ident $(<= $field_most:expr)?),* $(,)? })? $(( $($place:ident $(<= $place_most:expr)?),* $(,)? ))?
        => $text:tt) => {
        impl $(<$($param: ::core::fmt::Display),+>)? ::core::fmt::Display for $name $(<$($param),+>)? {
            #[allow(unused_variables)]
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                let $name $({ $($field),* })? $(( $($place),* ))? = self;
                $crate::payload!(@write f $text)
            }
        }
    };
}

/// A value that a table can bound by `<=`.
pub trait Bounded {
    /// The type of its bound.
    type Most;

    /// Refuses a value beyond the bound.
    ///
    /// # Errors
    /// When the value is beyond the bound.
    fn at_most(self, most: Self::Most) -> Result<Self, DecodeError>
    where
        Self: Sized;
}

macro_rules! collections {
    ($($collection:ty $(, $param:ident)?);+) => {$(
        impl $(<$param>)? Bounded for $collection {
            type Most = usize;

            fn at_most(self, most: usize) -> Result<Self, DecodeError> {
                if self.len() > most { Err(DecodeError::TooLong) } else { Ok(self) }
            }
        }
    )+};
}
collections!(Vec<T>, T; String; Bytes);

impl Bounded for u64 {
    type Most = u64;

    fn at_most(self, most: u64) -> Result<u64, DecodeError> {
        if self > most { Err(DecodeError::Invalid("number: out of range")) } else { Ok(self) }
    }
}

/// Decodes a collection of at most `most` elements, or a number of at most `most`.
///
/// # Errors
/// When it does not decode, or is beyond the bound.
pub fn decode_at_most<T: Decode + Bounded>(input: &mut Reader<'_>, most: T::Most) -> Result<T, DecodeError> {
    T::decode(input)?.at_most(most)
}
