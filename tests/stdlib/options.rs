use crate::harness::Project;

#[test]
fn options_win_over_defaults_and_a_mistyped_one_is_an_error() {
    let good = r#"
import "std/options" as given;
let all = given::with_defaults("f", #{ a: 2 }, #{ a: 1, b: 1 });
info(`${all.a}${all.b} ${given::list([1, "two"])}`);
"#;
    Project::script(good).run().code(0).says("21 1, two");
    let bad = "import \"std/options\" as given;\ngiven::with_defaults(\"f\", #{ c: 2 }, #{ a: 1, b: 1 });\n";
    Project::script(bad).run().code(1).says("f: there is no option `c`; the options are a, b");
}
