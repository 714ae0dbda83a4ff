mod services;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::CommandResult;
use crate::failure::{Failure, FailureKind, Findings};
use crate::policy::{Narrowing, PolicyFile};
use crate::primitives;
use crate::project::{Environment, PROJECT_FILE, ProjectFile, find};
use crate::report::{self, Style};
use crate::script::Library;
use crate::script::check::{RULES, Request, check, declare};

/// Find mistakes in runbooks without running them.
#[derive(Args)]
#[allow(clippy::struct_excessive_bools)]
pub struct Check {
    /// The runbooks to check; without any, all of the project
    scripts: Vec<PathBuf>,
    /// The environment they must be right for
    #[arg(short, long, value_name = "NAME", conflicts_with = "all_envs")]
    env: Option<String>,
    /// Check for every environment of the project file
    #[arg(long)]
    all_envs: bool,
    /// Declare in the header what the script is seen to need: writes or completes its `@needs`
    #[arg(long)]
    fix: bool,
    /// Write the findings to standard output as one JSON object
    #[arg(long, conflicts_with = "sarif")]
    json: bool,
    /// Write the findings to standard output as a SARIF 2.1.0 log
    #[arg(long)]
    sarif: bool,
}

impl Check {
    /// Checks, shows what was found, and exits with 2 when there are errors.
    pub fn run(self) -> CommandResult {
        let all = self.targets()?;
        let mut report = Findings::default();
        for target in &all {
            let file = ProjectFile::load(&target.root)?;
            let environments = self.environments(&file)?;
            let library = Library::load(&target.root, &target.script)?;
            if self.fix {
                fix(target, &file, &library, &environments)?;
            }
            let library = if self.fix { Library::load(&target.root, &target.script)? } else { library };
            report.merge(checked(&target.root, &file, &library, &environments, &Narrowing::default())?);
        }
        self.show(&report, all.len())?;
        Ok(if report.has_errors() { ExitCode::from(2) } else { ExitCode::SUCCESS })
    }

    fn show(&self, report: &Findings, scripts: usize) -> Result<(), Failure> {
        let written = if self.json || self.sarif {
            let value = if self.json { report::findings_json(report) } else { report::findings_sarif(report, RULES) };
            writeln!(report::stdout(), "{value:#}")
        } else if report.findings.is_empty() {
            let what = if scripts == 1 { "1 runbook".to_owned() } else { format!("{scripts} runbooks") };
            writeln!(report::stderr(), "{what} checked, nothing found")
        } else {
            report::findings(&mut report::stderr(), report, Style::detect())
        };
        written.map_err(|error| Failure::system("write the findings", &error))
    }

    /// The runbooks that are meant, each with the folder of its project.
    fn targets(&self) -> Result<Vec<Target>, Failure> {
        if self.scripts.is_empty() {
            let root = super::places::root_here()?;
            let scripts = runbooks(&root)?;
            if scripts.is_empty() {
                let failure =
                    Failure::new(FailureKind::NotFound, format!("there is no runbook in `{}`", root.display()));
                return Err(failure.hint("a runbook is a file that ends in `.rhai`; `runbook init` writes one"));
            }
            return Ok(scripts.into_iter().map(|script| Target { root: root.clone(), script }).collect());
        }
        self.scripts.iter().map(|script| Target::of(script)).collect()
    }

    /// The environments to check against: none when there are several and nobody said which.
    fn environments(&self, file: &ProjectFile) -> Result<Vec<Environment>, Failure> {
        if self.all_envs {
            let all: Vec<Environment> = file.environments.values().cloned().collect();
            if all.is_empty() {
                let failure = Failure::new(FailureKind::NotFound, format!("{PROJECT_FILE} has no environments"));
                return Err(failure.hint("leave `--all-envs` out"));
            }
            return Ok(all);
        }
        match &self.env {
            Some(name) => Ok(vec![file.environment(Some(name))?]),
            None => Ok(file.environment(None).ok().into_iter().collect()),
        }
    }
}

/// Checks a program against the environments it must be right for; none when that is not known.
pub(super) fn checked(
    project: &Path,
    file: &ProjectFile,
    library: &Library,
    environments: &[Environment],
    narrowing: &Narrowing,
) -> Result<Findings, Failure> {
    let services = services::Services::of(project);
    let named = |environment: &Environment, files: &[String]| services.named(environment, files);
    let policy = PolicyFile::load(project)?;
    Ok(check(&Request {
        project,
        file,
        library,
        environments,
        primitives: &primitives::all(),
        policy: policy.as_ref(),
        narrowing,
        services: &named,
        updates: &|_, files, update| services.updates(files, update),
    }))
}

/// Writes what the script needs into its header.
fn fix(target: &Target, file: &ProjectFile, library: &Library, environments: &[Environment]) -> Result<(), Failure> {
    let found = declare(&Request {
        project: &target.root,
        file,
        library,
        environments,
        primitives: &primitives::all(),
        policy: None,
        narrowing: &Narrowing::default(),
        services: &|_, _| None,
        updates: &|_, _, _| Vec::new(),
    });
    let Some(found) = found else { return Ok(()) };
    let shown = target.script.display();
    std::fs::write(&target.script, &found.text).map_err(|error| Failure::system(format!("write `{shown}`"), &error))?;
    report::note(&format!("{shown}: declared `@needs {}`\n", found.added));
    for place in &found.open {
        report::note(&format!("  {place}: known only in the run, so a star stands for it\n"));
    }
    Ok(())
}

struct Target {
    root: PathBuf,
    script: PathBuf,
}

impl Target {
    fn of(script: &Path) -> Result<Self, Failure> {
        let script = script
            .canonicalize()
            .map_err(|error| Failure::system(format!("open the runbook `{}`", script.display()), &error))?;
        let folder = script.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(Self { root: find(&folder).unwrap_or(folder), script })
    }
}

/// Every runbook of a project: scripts that no other script imports.
fn runbooks(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut scripts = scripts(root)?;
    let mut imported = Vec::new();
    for script in &scripts {
        let library = Library::load(root, script)?;
        imported.extend(library.sources().into_iter().skip(1).map(|source| root.join(source.path)));
    }
    scripts.retain(|script| !imported.contains(script));
    Ok(scripts)
}

/// Every script of a project, in order. Hidden and ignored folders are left out.
pub(super) fn scripts(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut scripts = Vec::new();
    for entry in ignore::WalkBuilder::new(root).require_git(false).build() {
        let entry =
            entry.map_err(|error| Failure::new(FailureKind::System, format!("cannot list the project: {error}")))?;
        if entry.path().extension().is_some_and(|extension| extension == "rhai") && entry.path().is_file() {
            scripts.push(entry.into_path());
        }
    }
    scripts.sort();
    Ok(scripts)
}
