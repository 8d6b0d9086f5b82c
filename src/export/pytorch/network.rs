//! The network as nested modules, whose names are those of the weights in the file.

use super::super::Module;

/// The classes of modules that PyTorch does not have, and the network. `shape` is that of a sample, empty for features of one
/// position.
pub fn network(shape: &[usize], modules: &[Module]) -> Vec<String> {
    let mut classes: Vec<&str> = Vec::new();
    if !shape.is_empty() {
        classes.push(include_str!("shaped.py"));
    }
    name_classes(modules, &mut classes);
    let mut known = std::collections::HashSet::new();
    classes.retain(|class| known.insert(*class));
    let mut pieces: Vec<String> = classes.into_iter().map(str::to_owned).collect();
    let about = "The network; the numbers of its layers are in the names of the weights.";
    let layers = lines(modules, 8);
    let module = match shape {
        [] => format!("nn.Sequential(\n{layers}    )"),
        dims => {
            let dims: Vec<String> = dims.iter().map(usize::to_string).collect();
            format!("Shaped(\n        ({}),\n{layers}    )", dims.join(", "))
        }
    };
    pieces.push(format!("def network():\n    \"\"\"{about}\"\"\"\n    return {module}\n"));
    pieces
}

/// The classes that modules need, in the order in which they are needed.
fn name_classes<'a>(modules: &'a [Module], classes: &mut Vec<&'a str>) {
    for module in modules {
        match module {
            Module::Op(layer) if layer.export.torch_class.is_empty() => {}
            Module::Op(layer) => classes.push(layer.export.torch_class),
            Module::Residual { body, shortcut, .. } => {
                classes.push(include_str!("residual.py"));
                name_classes(body, classes);
                name_classes(shortcut, classes);
            }
            Module::Repeat(times) => times.iter().for_each(|modules| name_classes(modules, classes)),
            Module::Concat { branches, .. } => {
                classes.push(include_str!("concat.py"));
                branches.iter().for_each(|modules| name_classes(modules, classes));
            }
        }
    }
}

/// The modules, a line or more each.
fn lines(modules: &[Module], indent: usize) -> String {
    modules.iter().map(|module| format!("{:indent$}{},\n", "", expression(module, indent))).collect()
}

/// What makes a module; the lines that follow its first are indented by this much.
fn expression(module: &Module, indent: usize) -> String {
    let each = |lists: &[Vec<Module>], indent: usize| -> String {
        let line = |modules: &Vec<Module>| format!("{:indent$}{},\n", "", sequential(modules, indent));
        lists.iter().map(line).collect()
    };
    match module {
        Module::Op(layer) => layer.export.torch.clone(),
        Module::Residual { body, shortcut, .. } => {
            let inner = indent + 4;
            let body = format!("{:inner$}{},\n", "", sequential(body, inner));
            let shortcut = match shortcut.as_slice() {
                [] => String::new(),
                modules => format!("{:inner$}{},\n", "", sequential(modules, inner)),
            };
            format!("Residual(\n{body}{shortcut}{:indent$})", "")
        }
        Module::Repeat(times) => format!("nn.Sequential(\n{}{:indent$})", each(times, indent + 4), ""),
        Module::Concat { branches, axis, .. } => {
            let inner = indent + 4;
            format!("Concat(\n{:inner$}{axis},\n{}{:indent$})", "", each(branches, inner), "")
        }
    }
}

fn sequential(modules: &[Module], indent: usize) -> String {
    match modules {
        [] => "nn.Sequential()".to_owned(),
        modules => format!("nn.Sequential(\n{}{:indent$})", lines(modules, indent + 4), ""),
    }
}
