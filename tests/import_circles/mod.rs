//! Circles of imports between the files of `src`. A name is followed through re-exports to the file that defines it, so
//! a `mod.rs` that only passes names on is in no circle. Unit tests do not count.

mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::project_files::rust_files;
use tokens::Import;
pub use tokens::Source;

/// Path of a module, without `crate`.
type Module = Vec<String>;

/// The files of a source tree, by module.
pub struct Files(BTreeMap<Module, Source>);

/// A name's place: the module itself, or the file of an item.
#[derive(Debug, PartialEq)]
enum Place {
    Module(Module),
    ItemIn(Module),
}

impl Files {
    /// Reads every product file below `source`.
    pub fn read(source: &Path) -> Self {
        let texts = rust_files(source).into_iter().filter_map(|path| {
            let module = module_of(path.strip_prefix(source).ok()?)?;
            Some((module, fs::read_to_string(path).ok()?))
        });
        Self::of(texts)
    }

    /// The files of these texts, by module.
    pub fn of(texts: impl IntoIterator<Item = (Module, String)>) -> Self {
        let product = texts.into_iter().filter(|(_, text)| !text.lines().any(|line| line == "#![cfg(test)]"));
        let mut files: BTreeMap<Module, Source> =
            product.map(|(module, text)| (module, Source::parse(&text))).collect();
        let tests: Vec<Module> = files
            .iter()
            .flat_map(|(module, source)| source.test_modules.iter().map(|name| child(module, name)))
            .collect();
        files.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        Self(files)
    }

    /// Groups of files that import each other, each in the order of their names.
    pub fn circles(&self) -> Vec<BTreeSet<String>> {
        let arrows: BTreeMap<&Module, BTreeSet<Module>> =
            self.0.keys().map(|module| (module, self.imported_by(module))).collect();
        let reached: BTreeMap<&Module, BTreeSet<&Module>> =
            arrows.keys().map(|module| (*module, reached_from(module, &arrows))).collect();
        let mut circles: Vec<BTreeSet<String>> = Vec::new();
        for (module, far) in reached.iter().filter(|(module, far)| far.contains(*module)) {
            let circle = far.iter().filter(|other| reached.get(*other).is_some_and(|back| back.contains(module)));
            let circle: BTreeSet<String> = circle.map(|module| module.join("/")).collect();
            if !circles.contains(&circle) {
                circles.push(circle);
            }
        }
        circles
    }

    /// The files whose items `module` names.
    fn imported_by(&self, module: &Module) -> BTreeSet<Module> {
        let Some(source) = self.0.get(module) else { return BTreeSet::new() };
        let mut imported = BTreeSet::new();
        let mut aliases: BTreeMap<&str, Module> = BTreeMap::new();
        for import in &source.imports {
            match self.absolute(module, &import.path).and_then(|path| self.resolve(&path, &mut Vec::new())) {
                Some(Place::Module(target)) if import.name != "*" => drop(aliases.insert(&import.name, target)),
                Some(Place::Module(target) | Place::ItemIn(target))
                    if !import.is_public || source.names.contains(&import.name) =>
                {
                    imported.insert(target);
                }
                Some(_) | None => {}
            }
        }
        for path in &source.paths {
            let path = match aliases.get(path[0].as_str()) {
                Some(alias) => Some([alias.as_slice(), &path[1..]].concat()),
                None => self.absolute(module, path),
            };
            if let Some(Place::ItemIn(target)) = path.and_then(|path| self.resolve(&path, &mut Vec::new())) {
                imported.insert(target);
            }
        }
        // The root of the crate lists modules and nothing else.
        imported.retain(|target| target != module && !target.is_empty());
        imported
    }

    /// `path` as it is written in `module`, from the root of the crate; `None` where it leads out of it.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Module> {
        let supers = path.iter().take_while(|word| *word == "super").count();
        match path.first()?.as_str() {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some([module.as_slice(), &path[1..]].concat()),
            "super" => Some([&module[..module.len().checked_sub(supers)?], &path[supers..]].concat()),
            first if self.0.contains_key(&child(module, first)) => Some([module.as_slice(), path].concat()),
            _ => None,
        }
    }

    fn resolve(&self, path: &[String], seen: &mut Vec<(Module, String)>) -> Option<Place> {
        let depth = (0..=path.len()).rev().find(|&depth| depth == 0 || self.0.contains_key(&path[..depth]))?;
        let (module, rest) = (path[..depth].to_vec(), &path[depth..]);
        let Some(name) = rest.first().filter(|name| *name != "*") else { return Some(Place::Module(module)) };
        let step = (module.clone(), name.clone());
        if seen.contains(&step) {
            return None;
        }
        seen.push(step);
        let Some(source) = self.0.get(&module) else { return Some(Place::ItemIn(module)) };
        for Import { path, name: alias, .. } in &source.imports {
            if alias == name {
                let target = self.absolute(&module, path)?;
                return self.resolve(&[target.as_slice(), &rest[1..]].concat(), seen);
            }
            if alias == "*"
                && let Some(target) = self.absolute(&module, path)
                && let Some(Place::Module(target)) = self.resolve(&target, seen)
                && self.0.get(&target).is_some_and(|source| source.defined.contains(name))
            {
                return Some(Place::ItemIn(target));
            }
        }
        Some(Place::ItemIn(module))
    }
}

fn reached_from<'a>(start: &Module, arrows: &'a BTreeMap<&'a Module, BTreeSet<Module>>) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<&Module> = arrows.get(start).into_iter().flatten().collect();
    while let Some(module) = waiting.pop() {
        if reached.insert(module) {
            waiting.extend(arrows.get(module).into_iter().flatten());
        }
    }
    reached
}

fn child(module: &Module, name: &str) -> Module {
    let mut child = module.clone();
    child.push(name.to_owned());
    child
}

/// The module of a file by its path below `src`; `None` for the binary's root and for tests in files of their own.
fn module_of(inside: &Path) -> Option<Module> {
    let mut module: Module =
        inside.with_extension("").components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    if matches!(module.last()?.as_str(), "mod" | "lib") {
        module.pop();
    }
    let is_product = module != ["main"] && !module.iter().any(|name| name.ends_with("tests"));
    is_product.then_some(module)
}

#[test]
fn a_circle_is_found_through_re_exports_and_paths_in_code() {
    let file = |module: &str, text: &str| (module.split('/').map(str::to_owned).collect(), text.to_owned());
    let files = Files::of([
        file("a", "pub mod b; pub mod c; pub mod d; pub use b::Thing; #[cfg(test)] mod checks;"),
        file("a/b", "use super::c::Other; pub struct Thing(Other);"),
        file("a/c", "pub struct Other; fn f(_: crate::a::Thing) {}"),
        file("a/d", "use super::{Thing, c}; fn g(_: c::Other, _: Thing) {} // not a circle: super::e::E"),
        file("a/checks", "use super::b::Thing; use super::d::g;"),
        file("e", "use crate::f::*; pub struct E; #[cfg(test)] mod tests { use crate::a::Thing; }"),
        file("f", "pub fn h() { let _ = \"crate::e::E\"; }"),
    ]);
    let circle = BTreeSet::from(["a/b".to_owned(), "a/c".to_owned()]);
    assert_eq!(files.circles(), [circle]);
}
