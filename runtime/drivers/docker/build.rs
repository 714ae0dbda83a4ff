//! Building images from a folder.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::{Path, PathBuf};

use bollard::query_parameters::BuildImageOptionsBuilder;
use futures_util::stream::unfold;

use super::build_context::{Rules, pack, text};
use super::errors::{failure, refusal};
use super::{Engine, Image, Login, Reference, stream};
use crate::drivers::disk::Tree;
use crate::failure::{Failure, FailureKind};

/// Lines of output shown when a build fails.
const LINES: usize = 20;

/// What to build.
#[derive(Clone, Debug, Default)]
pub struct BuildRequest {
    /// The folder whose files the build may use.
    pub folder: PathBuf,
    /// The Dockerfile, relative to the folder; empty is `Dockerfile`.
    pub dockerfile: PathBuf,
    /// Names of the image.
    pub tags: Vec<Reference>,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// The stage to stop at.
    pub target: Option<String>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Build every layer anew.
    pub no_cache: bool,
    /// Ask the registries for newer base images.
    pub pull: bool,
    /// As in `linux/arm64`.
    pub platform: Option<String>,
    /// The network of `RUN` steps: `host`, `none`.
    pub network: Option<String>,
    /// Logins for base images, by registry.
    pub logins: BTreeMap<String, Login>,
}

/// Something a build said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildStep {
    /// It began an instruction: its number, how many there are, and its text.
    Instruction(u64, u64, String),
    /// A line of output.
    Line(String),
}

impl Engine {
    /// Builds an image with the engine's own builder and returns it.
    ///
    /// A failure names the instruction, its line in the Dockerfile and the last lines of its output.
    pub async fn build(
        &self,
        request: &BuildRequest,
        on_step: &mut (dyn FnMut(BuildStep) + Send),
    ) -> Result<Image, Failure> {
        let given = Some(&request.dockerfile).filter(|path| !path.as_os_str().is_empty());
        let dockerfile: PathBuf = given.map_or("Dockerfile".as_ref(), PathBuf::as_path).components().collect();
        let what = format!("build `{}`", request.folder.display());
        let folder = Tree::at(&request.folder).map_err(|error| Failure::system(&what, &error))?;
        let text = text(&folder, &dockerfile).map_err(|error| {
            Failure::system(format!("read `{}`", request.folder.join(&dockerfile).display()), &error)
        })?;
        let rules = Rules::of(&folder)?;
        let pieces = pack(folder, dockerfile.clone(), rules);
        let body = unfold(pieces, async |mut pieces| pieces.recv().await.map(|piece| (piece, pieces)));
        let logins: HashMap<_, _> = request
            .logins
            .iter()
            .map(|(registry, login)| {
                let credentials = login.credentials(registry);
                (credentials.serveraddress.clone().unwrap_or_default(), credentials)
            })
            .collect();
        let api = self.patient(stream::IDLE * 10).await?;
        let options = options(request, &dockerfile);
        let answers = api.build_image(options, Some(logins), Some(bollard::body_try_stream(Box::pin(body))));
        let mut answers = std::pin::pin!(answers);
        let mut watch = Watch::default();
        // A RUN step may compile for a long time without a word.
        while let Some(item) = stream::next(&mut answers, stream::IDLE * 30, "building").await? {
            let item =
                item.map_err(|error| watch.explain(failure(self.address(), &what, error), &dockerfile, &text))?;
            if let Some(problem) = item.error_detail.and_then(|detail| detail.message) {
                return Err(watch.explain(refusal(&what, None, &problem), &dockerfile, &text));
            }
            if let Some(id) = item.aux.and_then(|aux| aux.id) {
                watch.image = Some(id);
            }
            item.stream.iter().for_each(|text| watch.heard(text, on_step));
            if let Some(status) = item.status {
                on_step(BuildStep::Line(status));
            }
        }
        let built = match &watch.image {
            Some(id) => {
                // bollard passes on a single name.
                for tag in request.tags.iter().skip(1) {
                    self.tag(id, tag).await?;
                }
                self.image(id).await?
            }
            None => None,
        };
        built.ok_or_else(|| Failure::new(FailureKind::System, format!("cannot {what}: the engine named no image")))
    }
}

fn options(request: &BuildRequest, dockerfile: &Path) -> bollard::query_parameters::BuildImageOptions {
    let map = |map: &BTreeMap<String, String>| map.clone().into_iter().collect::<HashMap<String, String>>();
    let mut options = BuildImageOptionsBuilder::default()
        .dockerfile(&dockerfile.to_string_lossy())
        .nocache(request.no_cache)
        .rm(true)
        .forcerm(true)
        .buildargs(&map(&request.args))
        .labels(&map(&request.labels));
    if let Some(tag) = request.tags.first() {
        options = options.t(&tag.to_string());
    }
    if request.pull {
        options = options.pull("true");
    }
    if let Some(target) = &request.target {
        options = options.target(target);
    }
    if let Some(platform) = &request.platform {
        options = options.platform(platform);
    }
    if let Some(network) = &request.network {
        options = options.networkmode(network);
    }
    options.build()
}

/// What a build said so far.
#[derive(Default)]
struct Watch {
    instruction: Option<(u64, u64, String)>,
    lines: VecDeque<String>,
    image: Option<String>,
}

impl Watch {
    fn heard(&mut self, text: &str, on_step: &mut (dyn FnMut(BuildStep) + Send)) {
        for line in text.lines().filter(|line| !is_bookkeeping(line)) {
            if let Some(begun) = instruction(line) {
                self.lines.clear();
                self.instruction = Some(begun.clone());
                on_step(BuildStep::Instruction(begun.0, begun.1, begun.2));
                continue;
            }
            self.lines.push_back(line.to_owned());
            if self.lines.len() > LINES {
                self.lines.pop_front();
            }
            on_step(BuildStep::Line(line.to_owned()));
        }
    }

    /// Turns "something returned a non-zero code" into which line of which file did.
    fn explain(&mut self, failure: Failure, dockerfile: &Path, text: &str) -> Failure {
        let file = dockerfile.display();
        if failure.message.contains("dockerfile parse error") || failure.message.contains("Dockerfile parse error") {
            return Failure { kind: FailureKind::Invalid, ..failure };
        }
        let Some((number, total, instruction)) = self.instruction.take() else { return failure };
        let place = line_of(text, number).map_or_else(|| file.to_string(), |line| format!("{file}:{line}"));
        let code = failure.message.rsplit_once("returned a non-zero code: ").map(|(_, code)| code.to_owned());
        let failure = match code {
            Some(code) => Failure::new(
                FailureKind::Exit,
                format!("the build failed at {place}: `{instruction}` exited with code {code}"),
            ),
            None => Failure {
                message: format!("the build failed at {place}: `{instruction}`: {}", failure.message),
                ..failure
            },
        };
        let lines = Vec::from(std::mem::take(&mut self.lines)).join("\n");
        let failure = failure.evidence(format!("step {number} of {total}"), instruction);
        if lines.is_empty() { failure } else { failure.evidence("last lines of its output", lines) }
    }
}

/// `Step 2/5 : RUN make` as the engine announces an instruction.
fn instruction(line: &str) -> Option<(u64, u64, String)> {
    let (numbers, text) = line.strip_prefix("Step ")?.split_once(" : ")?;
    let (number, total) = numbers.split_once('/')?;
    Some((number.parse().ok()?, total.parse().ok()?, text.trim().to_owned()))
}

/// What the builder says about its own layers and containers.
fn is_bookkeeping(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with(" ---> ") || line.starts_with("Removing intermediate container ")
}

/// The line on which the instruction of that number begins.
fn line_of(dockerfile: &str, number: u64) -> Option<usize> {
    let mut count = 0;
    let mut continued = false;
    for (index, line) in dockerfile.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !continued {
            count += 1;
        }
        if count == number {
            return Some(index + 1);
        }
        continued = line.ends_with('\\');
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_counted_past_comments_and_continued_lines() {
        let dockerfile = "# syntax\nFROM scratch\n\nRUN a && \\\n  # not this\n  b\nRUN c\n";
        assert_eq!([1, 2, 3, 4].map(|number| line_of(dockerfile, number)), [Some(2), Some(4), Some(7), None]);
    }
}
