//! Texts in narrow places: words and numbers stay whole.

/// As much of the text as fits. A word that does not fit is dropped as a whole if that leaves something: half a number
/// is another number.
pub(super) fn fitted(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_string();
    }
    let head: String = text.chars().take(room.saturating_sub(1)).collect();
    let next = text.chars().nth(room.saturating_sub(1));
    let is_inside = next.is_some_and(|next| next != ' ') && !head.ends_with(' ');
    let mut fitting = match head.rfind(' ') {
        Some(space) if is_inside => head[..space].to_string(),
        None if is_inside && head.contains(|letter: char| letter.is_ascii_digit()) => {
            head.trim_end_matches(|letter: char| letter.is_ascii_digit() || ".:+-".contains(letter)).to_string()
        }
        _ => head.trim_end().to_string(),
    };
    if room > 0 {
        fitting.push('…');
    }
    fitting
}

/// The text in at most this many lines with this much room, broken between words only; `None` when it does not fit.
pub(super) fn lines_of_text(text: &str, room: usize, most: usize) -> Option<Vec<String>> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if let Some(line) = lines.last_mut()
            && line.chars().count() + 1 + length <= room
        {
            line.push(' ');
            line.push_str(word);
            continue;
        }
        if length > room || lines.len() == most {
            return None;
        }
        lines.push(word.to_string());
    }
    Some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_never_broken() {
        assert_eq!(fitted("starts at 00:00:00.000000", 25), "starts at 00:00:00.000000");
        assert_eq!(fitted("starts at 00:00:00.000000", 20), "starts at…");
        assert_eq!(fitted("12345678", 5), "…");
        assert_eq!(fitted("Append t2 prev=1", 12), "Append t2…");
        assert_eq!(
            lines_of_text("starts at 00:00:00.000000", 15, 2),
            Some(vec!["starts at".to_string(), "00:00:00.000000".to_string()])
        );
        assert_eq!(lines_of_text("starts at 00:00:00.000000", 14, 2), None, "it has a line of its own");
        assert_eq!(lines_of_text("one two three", 5, 2), None);
    }
}
