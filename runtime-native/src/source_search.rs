//! The search for marks in a project's sources, for build plugins; no part of running tasks.
//!
//! Takes a folder. Gives the sources in it, those among them that may have marks, and those with classes. The rules are those of
//! `transformer/src/adapters/source-search.ts`, which does the same where this library can't be loaded: a test compares the two. Of the processor's time this takes a
//! third, nearly all of it in the kernel, and threads share it.

use std::fs::{self, File};
use std::io::Read;
use std::path::{MAIN_SEPARATOR, Path};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::UNIX_EPOCH;

use memchr::memmem::Finder;

/// Most files are smaller, and come with one read.
const BUFFER_BYTES: usize = 256 * 1024;

/// More threads wait for each other in the kernel, and for the bundler, which has begun to load.
const MOST_THREADS: usize = 4;

/// Files that one more thread pays for.
const FILES_PER_THREAD: usize = 250;

/// Beside a package.json they are what a build made.
const OUTPUTS: [&str; 4] = ["dist", "build", "out", "coverage"];

static PARALLEL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("parallel"));
static CLASS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("class"));

/// Paths begin with that of the folder, as it was given.
#[derive(Debug, Default, PartialEq)]
pub struct Sources {
    pub files: Vec<String>,
    /// Those that may have marks.
    pub marked: Vec<String>,
    pub with_classes: Vec<String>,
    /// Folders that were searched, and the time at which something was added to each or taken away last, in ms.
    pub folders: Vec<(String, f64)>,
    /// Folders that were not, those of packages not among them.
    pub skipped: Vec<String>,
}

/// Searches a folder.
///
/// `output` is one that is left out. None: there are more than `limit` sources.
pub fn search(folder: &str, output: &str, limit: usize) -> Option<Sources> {
    let mut found = Sources::default();
    list(folder.to_owned(), output, limit, &mut found)?;
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MOST_THREADS)
        .min(1 + found.files.len() / FILES_PER_THREAD);
    let contents = look_into(&found.files, threads);
    let of = |has: fn(&Contents) -> bool| -> Vec<String> {
        let files = found.files.iter().zip(&contents);
        files
            .filter(|(_, contents)| has(contents))
            .map(|(file, _)| file.clone())
            .collect()
    };
    found.marked = of(|contents| contents.mark);
    found.with_classes = of(|contents| contents.class);
    Some(found)
}

fn list(folder: String, output: &str, limit: usize, found: &mut Sources) -> Option<()> {
    let entries = entries_of(&folder);
    found.folders.push((folder.clone(), time_of(&folder)));
    let is_package = entries.iter().any(|entry| entry.name == "package.json");
    for Entry { name, kind } in entries {
        let path = format!("{folder}{MAIN_SEPARATOR}{name}");
        match kind {
            Kind::Folder if name == "node_modules" => {}
            Kind::Folder => {
                let is_output = is_package && OUTPUTS.contains(&name.as_str());
                if is_output || name.starts_with('.') || path == output {
                    found.skipped.push(path);
                } else {
                    list(path, output, limit, found)?;
                }
            }
            Kind::File if is_source(&name) => found.files.push(path),
            _ => {}
        }
    }
    (found.files.len() <= limit).then_some(())
}

struct Entry {
    name: String,
    kind: Kind,
}

enum Kind {
    Folder,
    File,
    /// Links among them: what they lead to has a path of its own.
    Other,
}

/// In the order of their names, so that the same folder gives the same results.
fn entries_of(folder: &str) -> Vec<Entry> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut entries: Vec<Entry> = entries
        .flatten()
        .map(|entry| Entry {
            name: entry.file_name().to_string_lossy().into_owned(),
            kind: match entry.file_type() {
                Ok(kind) if kind.is_dir() => Kind::Folder,
                Ok(kind) if kind.is_file() => Kind::File,
                _ => Kind::Other,
            },
        })
        .collect();
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    entries
}

/// 0 when there is no such folder.
fn time_of(folder: &str) -> f64 {
    let modified = fs::metadata(folder).and_then(|metadata| metadata.modified()).ok();
    let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    // As Node computes it.
    since.map_or(0.0, |since| {
        since.as_secs() as f64 * 1e3 + f64::from(since.subsec_nanos()) / 1e6
    })
}

/// `.ts`, `.tsx`, `.mts`, `.cts`, and the same of JavaScript.
fn is_source(name: &str) -> bool {
    let Some((_, ending)) = name.rsplit_once('.') else {
        return false;
    };
    let ending = ending.strip_prefix(['c', 'm']).unwrap_or(ending);
    matches!(ending, "ts" | "tsx" | "js" | "jsx")
}

#[derive(Clone, Copy, Default)]
struct Contents {
    mark: bool,
    class: bool,
}

/// What is in each of the files. One that has gone, or can't be read, has nothing in it: the bundler says so if it is part of the build.
fn look_into(files: &[String], threads: usize) -> Vec<Contents> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut seen = Vec::new();
        // The counter only shares the indices out; what a thread found passes to this one when it is joined.
        while let Some((index, file)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|index| Some((index, files.get(index)?)))
        {
            let contents = look(Path::new(file), &mut buffer).unwrap_or_default();
            if contents.mark || contents.class {
                seen.push((index, contents));
            }
        }
        seen
    };
    let mut all = vec![Contents::default(); files.len()];
    let mut note = |seen: Vec<(usize, Contents)>| {
        for (index, contents) in seen {
            all[index] = contents;
        }
    };
    thread::scope(|scope| {
        // Where no thread can be started, this one does it all.
        let others: Vec<_> = (1..threads)
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        note(work());
        for other in others {
            note(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
    });
    all
}

fn look(file: &Path, buffer: &mut [u8]) -> Option<Contents> {
    let mut file = File::open(file).ok()?;
    let length = file.read(buffer).ok()?;
    if length < buffer.len() {
        return Some(contents_of(&buffer[..length]));
    }
    let mut bytes = buffer.to_vec();
    file.read_to_end(&mut bytes).ok()?;
    Some(contents_of(&bytes))
}

fn contents_of(bytes: &[u8]) -> Contents {
    Contents {
        mark: may_contain_mark(bytes),
        class: CLASS.find(bytes).is_some(),
    }
}

/// As `mayContainMarkBytes` in `transformer/src/analyze/marks.ts`: `@parallel`, or `makeparallel` and a quotation mark.
fn may_contain_mark(bytes: &[u8]) -> bool {
    PARALLEL.find_iter(bytes).any(|at| {
        let (before, after) = (&bytes[..at], &bytes[at + "parallel".len()..]);
        before.ends_with(b"@") || before.ends_with(b"make") && matches!(after.first(), Some(b'"' | b'\'' | b'`'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_the_tag_or_the_package_between_quotation_marks() {
        let marks: [&[u8]; 5] = [
            b"/** @parallel */",
            b"@parallel",
            b"import \"makeparallel\"",
            b"from 'makeparallel'; parallel",
            b"`makeparallel`",
        ];
        let others: [&[u8]; 6] = [
            b"",
            b"parallel",
            b"makeparallel",
            b"\"makeparallel/esbuild\"",
            b"in parallel\"",
            b"paralle@parall",
        ];
        for text in marks {
            assert!(may_contain_mark(text), "{}", String::from_utf8_lossy(text));
        }
        for text in others {
            assert!(!may_contain_mark(text), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_source_is_known_by_its_ending() {
        for name in [
            "a.ts", "a.b.tsx", "a.mts", "a.cts", ".ts", "a.js", "a.jsx", "a.mjs", "a.cjs", "a.d.ts", "a.mtsx",
        ] {
            assert!(is_source(name), "{name}");
        }
        for name in ["ts", "a.tsc", "a.ts.map", "a.json", "a.xts", "a.cmts", "a.", "a.TS"] {
            assert!(!is_source(name), "{name}");
        }
    }

    #[test]
    fn files_are_found_by_any_number_of_threads_however_long_they_are() {
        let folder = std::env::temp_dir().join(format!("makeparallel-search-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut files = Vec::new();
        for index in 0..100 {
            let mut text = vec![b' '; if index == 50 { BUFFER_BYTES + 10 } else { index }];
            if index % 7 == 0 {
                text.extend_from_slice(b"class");
            }
            if index % 10 == 0 {
                text.extend_from_slice(b"@parallel");
            }
            let file = folder.join(format!("{index}.ts"));
            fs::write(&file, text).unwrap();
            files.push(file.to_string_lossy().into_owned());
        }
        files.push(folder.join("gone.ts").to_string_lossy().into_owned());
        for threads in [1, 2, 5] {
            let contents = look_into(&files, threads);
            for (index, contents) in contents.iter().enumerate() {
                assert_eq!(contents.class, index < 100 && index % 7 == 0, "{index}");
                assert_eq!(contents.mark, index < 100 && index % 10 == 0, "{index}");
            }
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
