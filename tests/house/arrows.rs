//! The rooms of the house stand above each other, and whatever one file takes from another it takes
//! from the same room or from below: no room and no file is in a circle. A door and what is behind it,
//! `sgd.rs` and `sgd/`, may know each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use syn::{
    Attribute, Item, ItemUse, UseTree, Visibility,
    visit::{self, Visit},
};

/// The rooms, from the ground up. Those of one floor take nothing from each other, but for the helpers
/// on the ground, where anything may take from anything else.
const FLOORS: [&[&str]; 16] = [
    &[
        "awake",
        "error",
        "file",
        "ids",
        "numbers",
        "pool",
        "rng",
        "share",
        "spec",
        "statistics",
        "suggest",
        "sync",
    ],
    &["dataset", "picture"],
    &["engine"],
    &["cluster"],
    &["sgd"],
    &["theory"],
    &["estimate"],
    &["advise"],
    &["record"],
    &["race"],
    &["raster"],
    &["svg"],
    &["report"],
    &["timeline"],
    &["cli"],
    &["lib", "main"],
];

/// A path of the crate, such as `sgd::scheduler::Scheduler`.
type Name = Vec<String>;

/// What a file says of others.
#[derive(Default)]
struct Source {
    /// Where it stands: `sgd::scheduler`.
    module: Name,
    /// What it takes.
    takes: Vec<Name>,
    /// What it hands on under a name of its own.
    hands_on: BTreeMap<String, Name>,
}

impl Source {
    /// Reads a file, without its tests.
    fn read(module: Name, text: &str) -> Self {
        let mut source = Self { module, ..Self::default() };
        source.visit_file(&syn::parse_file(text).expect("it compiles"));
        source
    }

    /// The name that a path stands for, if it is one of this crate.
    fn absolute(&self, path: &[String]) -> Option<Name> {
        let (first, mut rest) = path.split_first()?;
        let mut from = match &**first {
            "crate" => Vec::new(),
            "self" => self.module.clone(),
            "super" => self.module[..self.module.len().saturating_sub(1)].to_vec(),
            _ => return None,
        };
        while let Some(("super", more)) = rest.split_first().map(|(name, more)| (&**name, more)) {
            from.pop();
            rest = more;
        }
        from.extend_from_slice(rest);
        Some(from)
    }
}

/// Every path of a tree of uses, and the name that it goes by.
fn leaves(tree: &UseTree, before: &[String], found: &mut Vec<(String, Name)>) {
    let with = |name: String| [before, &[name]].concat();
    match tree {
        UseTree::Path(path) => leaves(&path.tree, &with(path.ident.to_string()), found),
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, before, found)),
        UseTree::Name(name) if name.ident == "self" => {
            found.push((before.last().cloned().unwrap_or_default(), before.to_vec()));
        }
        UseTree::Name(name) => found.push((name.ident.to_string(), with(name.ident.to_string()))),
        UseTree::Rename(one) => found.push((one.rename.to_string(), with(one.ident.to_string()))),
        UseTree::Glob(_) => found.push((String::new(), before.to_vec())),
    }
}

fn is_of_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let list = attribute.meta.require_list();
        attribute.path().is_ident("cfg") && list.is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

impl<'a> Visit<'a> for Source {
    fn visit_item(&mut self, item: &'a Item) {
        let of_tests = match item {
            Item::Mod(module) => is_of_tests(&module.attrs),
            Item::Use(one) => is_of_tests(&one.attrs),
            Item::Fn(function) => is_of_tests(&function.attrs),
            _ => false,
        };
        if !of_tests {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        let mut found = Vec::new();
        leaves(&item.tree, &[], &mut found);
        for (name, path) in found {
            let Some(path) = self.absolute(&path) else { continue };
            if matches!(item.vis, Visibility::Inherited) {
                self.takes.push(path);
            } else {
                self.hands_on.insert(name, path);
            }
        }
    }

    /// Who may see something takes nothing.
    fn visit_visibility(&mut self, _: &'a Visibility) {}

    fn visit_path(&mut self, path: &'a syn::Path) {
        let names: Name = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.takes.extend(self.absolute(&names));
        visit::visit_path(self, path);
    }
}

/// All sources of the crate.
#[derive(Default)]
struct House(BTreeMap<Name, Source>);

impl House {
    fn read() -> Self {
        let mut house = Self::default();
        house.read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &[]);
        house
    }

    fn read_folder(&mut self, folder: &Path, module: &[String]) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = [module, &[path.file_stem().unwrap().to_str().unwrap().to_owned()]].concat();
            if path.is_dir() {
                self.read_folder(&path, &name);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                self.add(name, &fs::read_to_string(path).unwrap());
            }
        }
    }

    fn add(&mut self, module: Name, text: &str) {
        self.0.insert(module.clone(), Source::read(module, text));
    }

    /// The file that has what `name` stands for, whoever hands it on.
    fn file_of(&self, name: &[String]) -> Option<&Name> {
        let (file, source) =
            (1..=name.len()).rev().find_map(|length| self.0.get_key_value(&name[..length]))?;
        let rest = &name[file.len()..];
        let further = rest.first().and_then(|first| source.hands_on.get(first));
        match further {
            Some(further) if further != name => self.file_of(&[further, &rest[1..]].concat()),
            _ => Some(file),
        }
    }

    /// Who takes something from whom.
    fn arrows(&self) -> BTreeSet<(&Name, &Name)> {
        let of = |source: &'_ Source| -> Vec<_> {
            source.takes.iter().filter_map(|name| self.file_of(name)).collect()
        };
        let all = self.0.iter().flat_map(|(from, source)| {
            of(source).into_iter().map(move |to| (from, to)).collect::<Vec<_>>()
        });
        all.filter(|(from, to)| from != to).collect()
    }

    /// What is not as it should be.
    fn faults(&self) -> Vec<String> {
        let arrows = self.arrows();
        let floor = |file: &Name| FLOORS.iter().position(|rooms| rooms.contains(&&*file[0]));
        let mut faults = Vec::new();
        for &(from, to) in &arrows {
            let (Some(above), Some(below)) = (floor(from), floor(to)) else {
                faults.push(format!("{} or {} stands on no floor", from[0], to[0]));
                continue;
            };
            let may = from[0] == to[0] || below < above || above == 0;
            if below > above || !may {
                faults.push(format!("{} takes from {}", from.join("::"), to.join("::")));
            }
        }
        let behind = |from: &Name, to: &Name| to.starts_with(from);
        faults.extend(circle(arrows.into_iter().filter(|(from, to)| !behind(from, to)).collect()));
        faults
    }
}

/// A circle of files, if there is one: without one, whoever takes from nobody can be taken away again
/// and again until nobody is left.
fn circle(mut left: BTreeSet<(&Name, &Name)>) -> Option<String> {
    loop {
        let froms: BTreeSet<_> = left.iter().map(|(from, _)| *from).collect();
        let tos: BTreeSet<_> = left.iter().map(|(_, to)| *to).collect();
        let before = left.len();
        left.retain(|(from, to)| froms.contains(to) && tos.contains(from));
        if left.is_empty() {
            return None;
        }
        if left.len() == before {
            let arrows =
                left.iter().map(|(from, to)| [from.join("::"), to.join("::")].join(" -> "));
            return Some(format!("in a circle: {}", arrows.collect::<Vec<_>>().join(", ")));
        }
    }
}

#[test]
fn whatever_is_taken_is_taken_from_below() {
    let faults = House::read().faults();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_core_takes_little() {
    let house = House::read();
    let takes = |module: &[&str]| {
        let module: Name = module.iter().map(|&name| name.to_owned()).collect();
        let arrows = house.arrows();
        let tos = arrows.iter().filter(|(from, _)| **from == module).map(|(_, to)| to.join("::"));
        tos.collect::<Vec<_>>()
    };
    assert_eq!(takes(&["sgd", "scheduler"]), ["ids"]);
    assert!(takes(&["ids"]).is_empty());
}

fn house(files: &[(&str, &str)]) -> House {
    let mut house = House::default();
    for (module, text) in files {
        house.add(module.split("::").map(str::to_owned).collect(), text);
    }
    house
}

#[test]
fn what_is_wrong_is_seen() {
    for (files, fault) in [
        (vec![("cluster", "use crate::sgd::Run;"), ("sgd", "")], "cluster takes from sgd"),
        (vec![("sgd", "fn a() { crate::cli::b() }"), ("cli", "")], "sgd takes from cli"),
        (
            vec![
                ("sgd", "pub mod a; pub mod b; pub use self::b::B;"),
                ("sgd::a", "use super::B;"),
                ("sgd::b", "fn b() { super::a::a() }"),
            ],
            "in a circle: sgd::a -> sgd::b, sgd::b -> sgd::a",
        ),
    ] {
        assert_eq!(house(&files).faults(), [fault]);
    }
    let right = [
        ("sgd", "pub mod a; pub use self::a::A; use self::a::C; struct B(C);"),
        (
            "sgd::a",
            "use super::B; use crate::cluster::{Cluster, self}; #[cfg(test)] mod t { use crate::cli; }",
        ),
        ("cluster", "use crate::error::Error;"),
        ("error", "use crate::file;"),
        ("file", ""),
        ("cli", "use crate::sgd::A;"),
    ];
    assert_eq!(house(&right).faults(), [""; 0]);
}
