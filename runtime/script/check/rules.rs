//! What every lint is about, for the reference and for SARIF.

use crate::failure::Rule;

const fn rule(code: &'static str, summary: &'static str, help: &'static str) -> Rule {
    Rule { code, summary, help }
}

/// Every lint there is, by name.
pub const RULES: &[Rule] = &[
    rule(
        "assignment-in-condition",
        "`=` stands where a comparison is meant.",
        "`=` assigns, `==` compares. Write `==`.",
    ),
    rule(
        "code-in-module",
        "A module does something when it is imported.",
        "Modules hold functions, constants and imports. Put the code into a function and call it from the runbook.",
    ),
    rule(
        "computed-import",
        "An import path is not a literal string.",
        "Everything a run executes is read before it starts and kept with the run, so import paths are literals.",
    ),
    rule("constant", "A constant is assigned to.", "Declare it with `let` if it has to change."),
    rule(
        "duplicate-function",
        "Two functions have the same name and number of parameters.",
        "Remove one of them, or give it another name.",
    ),
    rule(
        "duplicate-step",
        "Two steps of one block have the same name.",
        "Step names are how a run is read, searched and resumed from. Give each its own.",
    ),
    rule("empty-step-name", "A step has no name.", "Say in a few words what the step does."),
    rule(
        "header",
        "A line of the header is not understood.",
        "A header knows `@param name: type = default  doc`, `@needs`, `@budget`, `@lock name`, `@timeout duration` and `@schedule name { … }`.",
    ),
    rule(
        "hides-built-in",
        "A function has the name of a primitive or a built-in function.",
        "It would replace that one everywhere, in the standard library too. Give it another name.",
    ),
    rule(
        "import-circle",
        "Modules import each other in a circle.",
        "Move what both need into a third module that imports neither.",
    ),
    rule(
        "loop-variable-captured",
        "A closure that runs after the loop uses the loop's variable.",
        "Closures share the variables they use. When the closure runs, the loop's variable has its last value. \
         Copy it inside the loop (`let name = item;`) and use the copy.",
    ),
    rule(
        "lost-in-branch",
        "A parallel branch changes a variable of the script.",
        "A branch works on copies, so the change is lost. Return the value: `parallel` returns all of them in order.",
    ),
    rule(
        "method-not-called",
        "A method stands without its parentheses.",
        "`app.ps` reads a field; the method is called with `app.ps()`.",
    ),
    rule(
        "misplaced-secret",
        "A secret stands where none may.",
        "A secret may go into an environment, a file of mode 0600, standard input, a header or a login: each call says into which of \
         its options.",
    ),
    rule(
        "missing-file",
        "A call reads a file that the project does not have.",
        "Paths are relative to the project's folder. Only files that are part of a project are looked for, not those a run makes.",
    ),
    rule(
        "missing-import",
        "An imported module does not exist, or lies outside of the project.",
        "Paths start at the project's folder, `./` and `../` at the importing file, `std/` is the standard library.",
    ),
    rule(
        "needs",
        "A call needs something that is not declared or not granted.",
        "Declare it in the header with `@needs`: `runbook check --fix` writes what is missing. What `policy.toml` does not grant \
         has to be granted there. Where the header says nothing, the environment is not protected and there is no \
         `policy.toml`, nothing is limited.",
    ),
    rule(
        "no-value",
        "The value of a call is used that has none.",
        "Methods such as `replace`, `trim`, `push` and `sort` change the text or list that they are called on. Call them first, \
         and use the changed value after that.",
    ),
    rule(
        "not-start-first",
        "A service is to be replaced start-first and cannot be.",
        "Two of its containers cannot run beside each other: a port, name or address is fixed, or both would write to the same volume. Take that away, name the volume in `shared_volumes` when two may write to it, or let the order be stop-first.",
    ),
    rule(
        "private-function",
        "A private function of a module is called from outside.",
        "Remove `private` from its definition, or call a public one.",
    ),
    rule(
        "stale-upstream",
        "A proxy would go on asking a container that was replaced.",
        "nginx looks a name up once, unless a variable or `resolve` makes it look again, and keeps it as long as `valid=` says. Without these the proxy has to be reloaded: `up` has the option `reload`.",
    ),
    rule(
        "syntax",
        "The text is not a script.",
        "The compiler stops at the first such place; the rest of the file is checked once it is repaired.",
    ),
    rule(
        "undeclared-variable",
        "A variable is used that is not declared, or not declared there.",
        "Declare it with `let` before its use. A variable declared in a block ends with the block.",
    ),
    rule(
        "unknown-field",
        "A field is read that the value cannot have.",
        "Strings, numbers and lists have methods, written with parentheses; maps have fields.",
    ),
    rule(
        "unknown-function",
        "A function is called that does not exist.",
        "The reference lists the primitives; a module's functions are called with its alias: `deploy::compose(…)`.",
    ),
    rule(
        "unknown-host",
        "The environment has no host of that name.",
        "Add it to `[env.NAME.hosts]` in runbook.toml, or correct the name.",
    ),
    rule(
        "unknown-key",
        "The environment has no such key.",
        "`env::key` reads a key of `[env.NAME]` in runbook.toml. With `--all-envs`, each environment must have it, unless the code asks for `env::name` first.",
    ),
    rule(
        "unknown-method",
        "A method is called that its handle or value does not have.",
        "The reference lists the methods of each kind of handle.",
    ),
    rule(
        "unknown-module",
        "A module is used that is not imported.",
        "Import it at the top: `import \"std/deploy\" as deploy;`.",
    ),
    rule(
        "unknown-option",
        "A call is given an option it does not have.",
        "The reference lists the options of each primitive.",
    ),
    rule(
        "unknown-parameter",
        "`param(…)` asks for a parameter that the header does not declare.",
        "Declare it at the top: `//! @param name: type = default  doc`.",
    ),
    rule(
        "unknown-service",
        "The compose files define no service of that name.",
        "Correct the name, or add the service to the compose files of the environment.",
    ),
    rule(
        "unreachable-code",
        "Code stands where the script never gets to.",
        "Nothing after `return`, `throw`, `break`, `continue` or `exit` runs. Remove it, or move it up.",
    ),
    rule(
        "unused-parameter",
        "A declared parameter is never read.",
        "Read it with `param(\"name\")`, or remove its line. A person who sets it would wonder why nothing changes.",
    ),
    rule(
        "variable-outside-function",
        "A function uses a variable of the script.",
        "Functions see their parameters only. Pass the value as an argument, or use a closure.",
    ),
    rule(
        "wrong-arguments",
        "A call has too few or too many arguments.",
        "The message shows how the function is written.",
    ),
    rule(
        "wrong-closure",
        "A closure takes more parameters than it is given.",
        "`step`, `undo`, `always` and `wait_until` give none, `retry` the attempt's number, `parallel` the item.",
    ),
    rule("wrong-option", "An option has a value that the call refuses.", "The reference says what each option takes."),
    rule("wrong-type", "An argument has the wrong type.", "The reference says what each argument is."),
    rule("wrong-url", "A literal address is not a URL.", "A URL starts with `http://` or `https://` and names a host."),
];
