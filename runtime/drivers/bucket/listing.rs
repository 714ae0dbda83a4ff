use super::xml::leaves;

/// Something in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name, with the whole prefix.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// What the server calls its content; empty where it says nothing.
    pub etag: String,
    /// When it was written, as the server says.
    pub modified: String,
}

/// What is known of an object so far.
#[derive(Default)]
struct Named {
    key: Option<String>,
    size: Option<u64>,
    etag: String,
    modified: String,
}

/// A part of a listing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub objects: Vec<Object>,
    /// With what to ask for the next part.
    pub next: Option<String>,
}

impl Page {
    /// Reads an answer to `ListObjectsV2`. Whatever is not as it must be is an error: what a listing lacks is believed not to
    /// be there, and removed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut page, mut is_cut, mut next, mut names, mut count) = (Self::default(), None, None, Vec::new(), None);
        // The number of an element, and what is known of it.
        let mut open: Option<(usize, Named)> = None;
        for leaf in leaves(text)? {
            let path: Vec<&str> = leaf.path.iter().map(String::as_str).collect();
            if path.first() != Some(&"ListBucketResult") {
                return Err(format!("it is a `{}`", path.first().unwrap_or(&"")));
            }
            match path[1..] {
                ["IsTruncated"] => is_cut = Some(leaf.text == "true"),
                ["KeyCount"] => count = leaf.text.parse::<usize>().ok(),
                ["NextContinuationToken"] => next = Some(leaf.text),
                ["Contents", name] => {
                    if open.as_ref().is_none_or(|(number, ..)| *number != leaf.parent) {
                        names.extend(open.replace((leaf.parent, Named::default())));
                    }
                    let Some((_, named)) = &mut open else { continue };
                    match name {
                        "Key" => named.key = Some(leaf.text),
                        "Size" => named.size = Some(leaf.text.parse().map_err(|_| "a size is no number".to_owned())?),
                        "ETag" => named.etag = leaf.text,
                        "LastModified" => named.modified = leaf.text,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        for (_, Named { key, size, etag, modified }) in names.into_iter().chain(open) {
            let (Some(key), Some(size)) = (key, size) else { return Err("an object has no name or no size".into()) };
            page.objects.push(Object { key, size, etag, modified });
        }
        if count.is_some_and(|count| count != page.objects.len()) {
            return Err("it has another number of objects than it says".into());
        }
        match (is_cut.ok_or("it does not say whether it is complete")?, next) {
            (true, None) => return Err("there is more, and it does not say how to ask for it".into()),
            (true, next) => page.next = next,
            (false, _) => {}
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><Prefix/>\
        <KeyCount>2</KeyCount><IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b=</NextContinuationToken>\
        <Contents><Key>x&lt;y&#228;</Key><Size>5</Size><Owner><ID>1</ID></Owner></Contents>\
        <Contents><Size>7</Size><Key>z</Key></Contents></ListBucketResult>\n";

    #[test]
    fn a_listing_is_read() {
        let page = Page::parse(LISTING).unwrap();
        let found: Vec<(&str, u64)> = page.objects.iter().map(|object| (object.key.as_str(), object.size)).collect();
        assert_eq!((found, page.next.as_deref()), (vec![("x<yä", 5), ("z", 7)], Some("a&b=")));
    }

    #[test]
    fn a_listing_that_is_cut_anywhere_is_none() {
        for length in 0..LISTING.trim_end().len() {
            assert!(Page::parse(&LISTING[..LISTING.floor_char_boundary(length)]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_listing_that_lacks_something_is_none() {
        for (from, to, why) in [
            ("<IsTruncated>true</IsTruncated>", "", "does not say whether it is complete"),
            ("<NextContinuationToken>a&amp;b=</NextContinuationToken>", "", "how to ask for it"),
            ("<Size>7</Size>", "", "no size"),
            ("<Size>7</Size>", "<Size>many</Size>", "no number"),
            ("<Contents><Size>7</Size><Key>z</Key></Contents>", "", "another number of objects"),
            ("&amp;", "&", "lonely"),
            ("</Owner>", "", "is closed by"),
        ] {
            let error = Page::parse(&LISTING.replace(from, to)).unwrap_err();
            assert!(error.contains(why), "{from}: {error}");
        }
        assert!(Page::parse("<html><body>It works!</body></html>").unwrap_err().contains("it is a `html`"));
    }
}
