use super::Dialect;

/// The first form of a value in which every reader reads `NAME=…` as this value.
pub(super) fn form_for(dialects: &[Dialect], name: &str, value: &str) -> Option<String> {
    let is_read = |form: &String| {
        let line = format!("{name}={form}\n");
        dialects.iter().all(|dialect| {
            dialect.read(&line).is_ok_and(|found| matches!(&found[..], [one] if one.name == name && one.value == value))
        })
    };
    forms(value).into_iter().find(is_read)
}

/// How a value may be written after `NAME=`, the form that most readers agree on first.
///
/// Which of them a reader takes for this value is for the reader to say.
fn forms(value: &str) -> Vec<String> {
    if value.chars().all(is_plain) {
        return vec![value.to_owned()];
    }
    let single = (!value.contains('\'')).then(|| format!("'{value}'"));
    // Older readers disagree about a backslash in single quotes, and some take a carriage return for a line break.
    let is_safe = !value.contains(['\\', '\r']);
    let mut forms = Vec::new();
    forms.extend(single.clone().filter(|_| is_safe));
    forms.push(double(value, &[('\r', r"\r")]));
    forms.push(double(value, &[('`', r"\`")]));
    forms.extend(single.filter(|_| !is_safe));
    forms.push(value.to_owned());
    forms
}

/// Characters that no reader gives a meaning.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_./:@%+,".contains(c)
}

/// In double quotes, with backslashes before what every reader of such quotes gives a meaning, and these replacements.
fn double(value: &str, more: &[(char, &str)]) -> String {
    let mut quoted = String::from("\"");
    for c in value.chars() {
        match more.iter().find(|(special, _)| *special == c) {
            Some((_, replacement)) => quoted.push_str(replacement),
            None if matches!(c, '\\' | '"' | '$') => quoted.extend(['\\', c]),
            None => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_values_stay_bare_and_others_are_quoted_in_the_most_common_way_first() {
        assert_eq!(forms(""), [""]);
        assert_eq!(forms("redis://redis:6379/0"), ["redis://redis:6379/0"]);
        assert_eq!(forms("P@$$w0rd")[0], "'P@$$w0rd'");
        assert_eq!(forms("it's")[0], "\"it's\"");
        assert_eq!(forms(r"a\b")[0], r#""a\\b""#);
    }
}
