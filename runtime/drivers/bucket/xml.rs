//! As much of XML as the answers of S3 servers are made of, read strictly: a listing that is cut off, or holds something
//! that is not understood, is none.

/// A text with the names of the elements it is in, the outermost first.
pub struct Leaf {
    pub path: Vec<String>,
    pub text: String,
    /// The number of the element around it: leaves of one element are told from those of the next by it.
    pub parent: usize,
}

/// The texts of a document, in its order.
pub fn leaves(document: &str) -> Result<Vec<Leaf>, String> {
    // Of each open element: its name, its number, its text, has it elements in it?
    let mut open: Vec<(String, usize, String, bool)> = Vec::new();
    let (mut found, mut count, mut has_root) = (Vec::new(), 0, false);
    let mut rest = document.trim_start_matches('\u{feff}');
    while let Some(start) = rest.find('<') {
        let text = decoded(&rest[..start])?;
        match open.last_mut() {
            Some(element) => element.2.push_str(&text),
            None if text.trim().is_empty() => {}
            None => return Err("there is text outside of it".into()),
        }
        let end = rest[start..].find('>').ok_or("it is cut off")? + start;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if tag.starts_with('?') {
            continue;
        }
        if tag.starts_with('!') {
            return Err(format!("it has `<{tag}>`, which no listing needs"));
        }
        if let Some(name) = tag.strip_prefix('/') {
            let (opened, _, text, has_elements) = open.pop().ok_or("it closes what was not opened")?;
            if opened != name.trim_end() {
                return Err(format!("`{opened}` is closed by `{name}`"));
            }
            if !has_elements {
                let parent = open.last().map_or(0, |element| element.1);
                let path = open.iter().map(|element| element.0.clone()).chain([opened]).collect();
                found.push(Leaf { path, text, parent });
            }
            continue;
        }
        let (name, is_empty) = tag.strip_suffix('/').map_or((tag, false), |name| (name, true));
        let name = name.split_whitespace().next().unwrap_or_default().to_owned();
        if open.is_empty() && std::mem::replace(&mut has_root, true) {
            return Err("it has two outermost elements".into());
        }
        if let Some(element) = open.last_mut() {
            element.3 = true;
        }
        count += 1;
        if is_empty {
            let parent = open.last().map_or(0, |element| element.1);
            let path = open.iter().map(|element| element.0.clone()).chain([name]).collect();
            found.push(Leaf { path, text: String::new(), parent });
        } else {
            open.push((name, count, String::new(), false));
        }
    }
    if !open.is_empty() || !has_root || !rest.trim().is_empty() {
        return Err("it is cut off".into());
    }
    Ok(found)
}

fn decoded(text: &str) -> Result<String, String> {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        done.push_str(&rest[..start]);
        let end = rest[start..].find(';').ok_or("it has a lonely `&`")? + start;
        let name = &rest[start + 1..end];
        let number = name.strip_prefix('#').and_then(|digits| {
            digits.strip_prefix('x').map_or_else(|| digits.parse().ok(), |digits| u32::from_str_radix(digits, 16).ok())
        });
        done.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => number.and_then(char::from_u32).ok_or_else(|| format!("it has the unknown `&{name};`"))?,
        });
        rest = &rest[end + 1..];
    }
    done.push_str(rest);
    Ok(done)
}
