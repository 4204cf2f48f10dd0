//! Numbers with a bound.

/// Generates the binary form, the text and the parser of newtypes around a `u64` from one table.
///
/// ```text
/// numbers! {
///     Round <= 1 << 48, "round";               "round" names it in an error
///     Token <= TOKEN_MAX, "token" => "t";    printed as t3; read from t3 and from 3
/// }
/// ```
///
/// `Decode` refuses a number beyond the bound, so that no handler has to: the bound is far beyond anything reached by
/// counting, and far below the maximum, so that a faulty peer cannot drive the others to a number without a successor.
#[macro_export]
macro_rules! numbers {
    ($($name:ident <= $most:expr , $what:literal $(=> $prefix:literal)?);+ $(;)?) => {$(
        impl $crate::Encode for $name {
            fn encode(&self, out: &mut $crate::vocabulary::expansion::Vec<u8>) {
                $crate::codec::put_varint(self.0, out);
            }
        }

        impl $crate::Decode for $name {
            fn decode(input: &mut $crate::Reader<'_>) -> ::core::result::Result<Self, $crate::DecodeError> {
                match input.varint()? {
                    number if number <= $most => ::core::result::Result::Ok($name(number)),
                    _ => ::core::result::Result::Err($crate::DecodeError::Invalid($what)),
                }
            }
        }

        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::write!(f, "{}{}", concat!($($prefix)?), self.0)
            }
        }

        impl ::core::str::FromStr for $name {
            type Err = $crate::DecodeError;

            fn from_str(text: &str) -> ::core::result::Result<Self, $crate::DecodeError> {
                let digits = text.strip_prefix(concat!($($prefix)?)).unwrap_or(text);
                match digits.parse::<u64>() {
                    ::core::result::Result::Ok(number) if number <= $most => ::core::result::Result::Ok($name(number)),
                    _ => ::core::result::Result::Err($crate::DecodeError::Invalid($what)),
                }
            }
        }
    )+};
}
