//! The search for marks in a project's sources, as build plugins get it. Needs no pool, and starts nothing that outlives the call.

use napi_derive::napi;

use crate::source_search;

/// Paths begin with that of the folder, as it was given. Those lists that may be long, and are seldom looked at, are one string, with `\0` between the paths:
/// a string costs as much as ten times its bytes.
#[napi(object, object_from_js = false)]
pub struct BindingSources {
    pub files: String,
    /// Those that may have marks.
    pub marked: Vec<String>,
    pub with_classes: Vec<String>,
    /// Folders that were searched.
    pub folders: String,
    /// For each of these, the time at which something was added to it or taken away last, in ms.
    pub times: Vec<f64>,
    /// Folders that were not, those of packages not among them.
    pub skipped: Vec<String>,
}

/// The sources in a folder. Null when there are more than `limit`.
///
/// @param output absolute path of a folder that is left out
#[napi]
pub fn search_sources(folder: String, output: String, limit: u32) -> Option<BindingSources> {
    let found = source_search::search(&folder, &output, limit as usize)?;
    let (folders, times): (Vec<String>, Vec<f64>) = found.folders.into_iter().unzip();
    Some(BindingSources {
        files: found.files.join("\0"),
        marked: found.marked,
        with_classes: found.with_classes,
        folders: folders.join("\0"),
        times,
        skipped: found.skipped,
    })
}
