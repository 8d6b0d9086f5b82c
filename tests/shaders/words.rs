//! No name in our WGSL is a word of a language that it is translated to.

use std::collections::{BTreeMap, BTreeSet};

use naga::{Function, Module};

use super::variants::{all_shaders, parse};

/// Each reserved word, and the languages that keep it for themselves.
fn reserved() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut words: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut language = "";
    for line in include_str!("reserved.txt").lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix('[') {
            Some(name) => language = name.trim_end_matches(']'),
            None => line.split_whitespace().for_each(|word| words.entry(word).or_default().push(language)),
        }
    }
    words
}

fn names_in(function: &Function) -> impl Iterator<Item = &String> {
    let arguments = function.arguments.iter().filter_map(|argument| argument.name.as_ref());
    let variables = function.local_variables.iter().filter_map(|(_, variable)| variable.name.as_ref());
    arguments.chain(variables).chain(function.named_expressions.values()).chain(&function.name)
}

/// Every name that a shader gives to anything.
fn names(module: &Module) -> BTreeSet<&str> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for (_, ty) in module.types.iter() {
        names.extend(ty.name.as_deref());
        if let naga::TypeInner::Struct { members, .. } = &ty.inner {
            names.extend(members.iter().filter_map(|member| member.name.as_deref()));
        }
    }
    names.extend(module.constants.iter().filter_map(|(_, constant)| constant.name.as_deref()));
    names.extend(module.overrides.iter().filter_map(|(_, constant)| constant.name.as_deref()));
    names.extend(module.global_variables.iter().filter_map(|(_, variable)| variable.name.as_deref()));
    names.extend(module.functions.iter().flat_map(|(_, function)| names_in(function)).map(String::as_str));
    for entry in &module.entry_points {
        names.insert(&entry.name);
        names.extend(names_in(&entry.function).map(String::as_str));
    }
    names
}

#[test]
fn no_name_in_a_shader_is_a_word_of_a_language_that_it_is_translated_to() {
    let reserved = reserved();
    let (mut found, mut seen) = (BTreeSet::new(), 0);
    for shader in all_shaders() {
        let (module, _) = parse(shader);
        for name in names(&module) {
            seen += 1;
            if let Some(languages) = reserved.get(name) {
                found.insert(format!("{name} (reserved in {})", languages.join(", ")));
            }
        }
    }
    assert!(found.is_empty(), "rename {found:?}");
    assert!(seen > 10 * all_shaders().len(), "{seen} names");
}

#[test]
fn a_reserved_word_is_found_wherever_a_shader_has_it() {
    let source = "
        struct dx { vk: u32 }
        const half: u32 = 1u;
        override kernel: f32 = 1.0;
        @group(0) @binding(0) var<storage, read_write> vertices: array<dx>;
        fn technique(payload: u32) -> u32 { let thread = payload; var device = thread; device += half; return device; }
        @compute @workgroup_size(1)
        fn row_major() { vertices[0].vk = technique(u32(kernel)); }";
    let module = naga::front::wgsl::parse_str(source).unwrap();
    let (names, reserved) = (names(&module), reserved());
    let found: Vec<&str> = names.iter().copied().filter(|name| reserved.contains_key(name)).collect();
    let wanted = ["device", "dx", "half", "kernel", "payload", "row_major", "technique", "thread", "vertices", "vk"];
    assert_eq!(found, wanted);
}
