use std::path::Path;

/// The git revision checked out at or above `folder`, read from the repository's files; `None` outside a repository.
pub fn revision(folder: &Path) -> Option<String> {
    let git = folder.ancestors().map(|folder| folder.join(".git")).find(|git| git.exists())?;
    let git = match std::fs::read_to_string(&git) {
        // A worktree's `.git` is a file that names the real folder.
        Ok(pointer) => folder.join(pointer.trim().strip_prefix("gitdir: ")?),
        Err(_) => git,
    };
    let head = std::fs::read_to_string(git.join("HEAD")).ok()?;
    let Some(reference) = head.trim().strip_prefix("ref: ") else { return Some(head.trim().to_owned()) };
    let common =
        std::fs::read_to_string(git.join("commondir")).map_or_else(|_| git.clone(), |path| git.join(path.trim()));
    if let Ok(id) = std::fs::read_to_string(common.join(reference)) {
        return Some(id.trim().to_owned());
    }
    let packed = std::fs::read_to_string(common.join("packed-refs")).ok()?;
    packed.lines().find_map(|line| line.strip_suffix(reference)?.split_whitespace().next().map(str::to_owned))
}
