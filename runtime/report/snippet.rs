use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use super::Style;
use crate::primitive::Site;

/// How many places of a chain are shown; a deep recursion has hundreds.
const PLACES: usize = 8;

/// The source lines of a chain of places, innermost first, with a caret under each: no title, no line end.
///
/// `sources` gives the text of a file by the name the sites use; a file it does not know is shown as `file:line:column`.
pub fn snippet(trace: &[Site], sources: &dyn Fn(&str) -> Option<String>, style: Style) -> String {
    let mut places: Vec<&Site> = Vec::new();
    for site in trace.iter().filter(|site| !site.file.is_empty()) {
        if !places.contains(&site) && places.len() < PLACES {
            places.push(site);
        }
    }
    let Some(innermost) = places.first().copied() else { return String::new() };
    let mut files: Vec<&str> = Vec::new();
    for site in &places {
        if !files.contains(&site.file.as_str()) {
            files.push(&site.file);
        }
    }
    let elements = files.into_iter().map(|file| {
        let sites = places.iter().copied().filter(|site| site.file == file);
        file_element(file, sites, innermost, sources(file))
    });
    let group = Group::with_level(Level::ERROR).elements(elements);
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() };
    renderer.term_width(style.width).decor_style(DecorStyle::Ascii).render(&[group]).trim_end().to_owned()
}

fn file_element<'a>(
    file: &'a str,
    sites: impl Iterator<Item = &'a Site>,
    innermost: &Site,
    source: Option<String>,
) -> Element<'a> {
    let sites: Vec<&Site> = sites.collect();
    let spans: Vec<(Range<usize>, bool)> = sites
        .iter()
        .filter_map(|site| Some((word_at(source.as_deref()?, site)?, std::ptr::eq(*site, innermost))))
        .collect();
    match source {
        Some(source) if !spans.is_empty() => {
            let annotations = spans.into_iter().map(|(span, is_innermost)| {
                if is_innermost {
                    AnnotationKind::Primary.span(span)
                } else {
                    AnnotationKind::Context.span(span).label("called from here")
                }
            });
            Snippet::source(source).path(file).annotations(annotations).into()
        }
        _ => {
            let (line, column) = sites.first().map_or((0, 0), |site| (site.line, site.column));
            let origin = Origin::path(file);
            if line == 0 { origin.into() } else { origin.line(line).char_column(column.max(1)).into() }
        }
    }
}

/// The bytes of the word at a place, at least one character; `None` when the text has no such place.
fn word_at(source: &str, site: &Site) -> Option<Range<usize>> {
    let line_start: usize = source.split_inclusive('\n').take(site.line.checked_sub(1)?).map(str::len).sum();
    let line = source.get(line_start..)?.lines().next()?;
    let offset = line.char_indices().nth(site.column.saturating_sub(1)).map_or(line.len(), |(offset, _)| offset);
    let rest = &line[offset..];
    let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let length = word.max(rest.chars().next().map_or(0, char::len_utf8));
    Some(line_start + offset..line_start + offset + length)
}
