use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use sha2::{Digest, Sha256};

/// What every object is, by its kind and name, and who may do what with all of them: hashes of what `pg_dump -s` prints.
pub fn read(text: &str) -> (BTreeMap<String, String>, String) {
    let (mut objects, mut rights): (BTreeMap<String, String>, Vec<String>) = Default::default();
    let mut entry: Option<(String, String)> = None;
    for line in text.lines() {
        if let Some(header) = line.strip_prefix("-- Name: ") {
            let (kind, name, owner) = header_of(header);
            rights.push(format!("{kind} {name}: {owner}"));
            entry = Some((kind, name));
            continue;
        }
        let Some((kind, name)) = &entry else { continue };
        let says_nothing = line.is_empty() || line == "--" || line == "-- PostgreSQL database dump complete";
        // Settings of the script, which stand wherever they are first needed.
        let sets = ["SET default_tablespace", "SET default_table_access_method", "\\restrict", "\\unrestrict"];
        if says_nothing || sets.iter().any(|start| line.starts_with(start)) {
            continue;
        }
        if kind.ends_with("ACL") || (line.starts_with("ALTER ") && line.contains(" OWNER TO ")) {
            rights.push(line.to_owned());
            continue;
        }
        let object = objects.entry(format!("{kind} {name}")).or_default();
        object.push_str(&if kind == "FUNCTION" || kind == "PROCEDURE" { format!("{line}\n") } else { plain(line) });
    }
    rights.sort();
    let objects = objects.into_iter().map(|(name, text)| (name, hash(&text))).collect();
    (objects, hash(&rights.join("\n")))
}

/// `orders; Type: TABLE; Schema: public; Owner: shop`
fn header_of(header: &str) -> (String, String, String) {
    let field = |name: &str| {
        let (_, rest) = header.rsplit_once(&format!("; {name}: ")).unwrap_or_default();
        rest.split(';').next().unwrap_or_default().to_owned()
    };
    let name = header.rsplit_once("; Type: ").map_or(header, |(name, _)| name);
    let schema = field("Schema");
    let name = if schema.is_empty() || schema == "-" { name.to_owned() } else { format!("{schema}.{name}") };
    (field("Type"), name, field("Owner"))
}

/// Without what the server writes in another way each time an expression goes through a dump: `'a'::text` and `('a')`.
fn plain(line: &str) -> String {
    static CAST: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let types = "character varying|double precision|bit varying|(?:timestamp|time)(?: with(?:out)? time zone)?";
        Regex::new(&format!(r#"::(?:{types}|[\w."]+)(?:\([\d,]+\))?(?:\[\])*"#)).ok()
    });
    let line = CAST.as_ref().map_or(line.into(), |cast| cast.replace_all(line, ""));
    line.chars().filter(|character| !character.is_whitespace() && !"()".contains(*character)).collect()
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest[..8].iter().fold(String::new(), |text, byte| text + format!("{byte:02x}").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n\n\
        --\n-- Name: orders; Type: TABLE; Schema: public; Owner: shop\n--\n\nCREATE TABLE public.orders (\n    id bigint,\n    \
        state character varying CHECK (((state)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))\n);\n\n\
        ALTER TABLE public.orders OWNER TO shop;\n\nSET default_tablespace = '';\n\n\
        --\n-- Name: TABLE orders; Type: ACL; Schema: public; Owner: shop\n--\n\nGRANT SELECT ON TABLE public.orders TO reader;\n";

    #[test]
    fn an_object_is_the_same_however_the_server_writes_it_and_another_one_is_not() {
        let (objects, rights) = read(DUMP);
        assert_eq!(objects.keys().collect::<Vec<_>>(), ["TABLE public.orders"]);
        let written_again = DUMP.replace(
            "ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])",
            "ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text])",
        );
        assert_ne!(written_again, DUMP);
        assert_eq!(read(&written_again), (objects.clone(), rights.clone()));
        assert_ne!(read(&DUMP.replace("'b'", "'c'")).0, objects);
        assert_ne!(read(&DUMP.replace("bigint", "integer")).0, objects);
        for other in [DUMP.replace("TO reader", "TO writer"), DUMP.replace("Owner: shop", "Owner: other")] {
            assert_eq!(read(&other).0, objects);
            assert_ne!(read(&other).1, rights);
        }
    }
}
