//! A module whose arrays are textures: where it computed the address of an element, it calls a function that reads it.

use std::collections::{HashMap, HashSet};

use naga::{
    AddressSpace, ArraySize, Block, Expression, Function, GlobalVariable, Handle, Literal, Module, Range, Scalar,
};
use naga::{Span, Statement, SwizzleComponent, TypeInner, VectorSize};

use super::WIDTH;

/// What the name of a variable's texture ends with.
const SUFFIX: &str = "_texels";

/// The variable whose texture has this name.
pub(in crate::gpu) fn original(name: &str) -> &str {
    name.strip_suffix(SUFFIX).unwrap_or(name)
}

/// The variables, by name and binding, that a module's kernels can read through textures where they write none of their elements:
/// arrays of vec4 whose length nobody asks for.
pub(in crate::gpu) fn readable(module: &Module) -> Vec<(String, u32)> {
    let functions = module.functions.iter().map(|(_, function)| function);
    let functions = functions.chain(module.entry_points.iter().map(|entry| &entry.function));
    let measured: Vec<Handle<GlobalVariable>> = functions.flat_map(measured).collect();
    let globals = module.global_variables.iter().filter(|(handle, _)| !measured.contains(handle));
    globals.filter(|(_, variable)| is_readable(module, variable)).filter_map(|(_, variable)| named(variable)).collect()
}

fn measured(function: &Function) -> impl Iterator<Item = Handle<GlobalVariable>> {
    function.expressions.iter().filter_map(|(_, expression)| match *expression {
        Expression::ArrayLength(array) => global(function, array),
        _ => None,
    })
}

fn is_readable(module: &Module, variable: &GlobalVariable) -> bool {
    let AddressSpace::Storage { .. } = variable.space else { return false };
    let TypeInner::Array { base, size: ArraySize::Dynamic, .. } = module.types[variable.ty].inner else { return false };
    let vec4 = TypeInner::Vector { size: VectorSize::Quad, scalar: Scalar::F32 };
    module.types[base].inner == vec4
}

fn named(variable: &GlobalVariable) -> Option<(String, u32)> {
    Some((variable.name.clone()?, variable.binding?.binding))
}

/// The WGSL of a texture in place of each variable, and of the function that reads an element of it.
pub(in crate::gpu) fn declarations(variables: &[(String, u32)]) -> String {
    let one = |(name, binding): &(String, u32)| {
        format!(
            "@group(0) @binding({binding}) var {name}{SUFFIX}: texture_2d<f32>;
fn {name}_texel(at: u32) -> vec4<f32> {{
    return textureLoad({name}{SUFFIX}, vec2(at % {WIDTH}u, at / {WIDTH}u), 0);
}}
"
        )
    };
    variables.iter().map(one).collect()
}

/// Makes a module with [`declarations`] read its variables through them.
pub(in crate::gpu) fn redirect(module: &mut Module, variables: &[(String, u32)]) {
    let mut readers = HashMap::new();
    for (name, _) in variables {
        let array = module.global_variables.iter().find(|(_, variable)| variable.name.as_ref() == Some(name));
        let reader = format!("{name}_texel");
        let reader = module.functions.iter().find(|(_, function)| function.name.as_ref() == Some(&reader));
        if let (Some((array, _)), Some((reader, _))) = (array, reader) {
            readers.insert(array, reader);
        }
    }
    let functions = module.functions.iter_mut().map(|(_, function)| function);
    for function in functions.chain(module.entry_points.iter_mut().map(|entry| &mut entry.function)) {
        redirect_in(function, &readers);
    }
}

/// The call that reads an element: the function, and the element's index.
type Call = (Handle<Function>, Handle<Expression>);

/// Where an element's address was computed, and not for a store, the element itself is read; what was loaded from that address is taken from it.
fn redirect_in(function: &mut Function, readers: &HashMap<Handle<GlobalVariable>, Handle<Function>>) {
    let calls = calls_for(function, readers);
    for handle in function.expressions.iter().map(|(handle, _)| handle).collect::<Vec<_>>() {
        let Expression::Load { pointer } = function.expressions[handle] else { continue };
        if let Some(taken) = taken_from(function, pointer, &calls) {
            function.expressions[handle] = taken;
        }
    }
    for (&handle, &(reader, _)) in &calls {
        function.expressions[handle] = Expression::CallResult(reader);
    }
    call(&mut function.body, &calls);
}

/// The calls in place of the addresses of elements.
fn calls_for(
    function: &mut Function,
    readers: &HashMap<Handle<GlobalVariable>, Handle<Function>>,
) -> HashMap<Handle<Expression>, Call> {
    let mut calls = HashMap::new();
    let mut stored = HashSet::new();
    stores(&function.body, &mut |pointer| {
        stored.extend([Some(pointer), base_of(function, pointer)].into_iter().flatten())
    });
    for handle in function.expressions.iter().map(|(handle, _)| handle).collect::<Vec<_>>() {
        let (base, index) = match function.expressions[handle] {
            Expression::Access { base, index } => (base, Ok(index)),
            Expression::AccessIndex { base, index } => (base, Err(index)),
            _ => continue,
        };
        if stored.contains(&handle) {
            continue;
        }
        let Some(&reader) = global(function, base).and_then(|array| readers.get(&array)) else { continue };
        let number = |index| function.expressions.append(Expression::Literal(Literal::U32(index)), Span::UNDEFINED);
        calls.insert(handle, (reader, index.unwrap_or_else(number)));
    }
    calls
}

/// What a load was from the address of an element, taken from the element: all of it, or one component.
fn taken_from(
    function: &Function,
    pointer: Handle<Expression>,
    calls: &HashMap<Handle<Expression>, Call>,
) -> Option<Expression> {
    if calls.contains_key(&pointer) {
        let pattern = [SwizzleComponent::X, SwizzleComponent::Y, SwizzleComponent::Z, SwizzleComponent::W];
        return Some(Expression::Swizzle { size: VectorSize::Quad, vector: pointer, pattern });
    }
    match &function.expressions[pointer] {
        part @ (Expression::Access { base, .. } | Expression::AccessIndex { base, .. }) if calls.contains_key(base) => {
            Some(part.clone())
        }
        _ => None,
    }
}

fn base_of(function: &Function, expression: Handle<Expression>) -> Option<Handle<Expression>> {
    match function.expressions[expression] {
        Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => Some(base),
        _ => None,
    }
}

/// Calls `with` for every address that something is stored to.
fn stores(block: &Block, with: &mut impl FnMut(Handle<Expression>)) {
    for statement in block.iter() {
        match statement {
            Statement::Store { pointer, .. } => with(*pointer),
            Statement::Block(block) => stores(block, with),
            Statement::If { accept, reject, .. } => [accept, reject].into_iter().for_each(|block| stores(block, with)),
            Statement::Switch { cases, .. } => cases.iter().for_each(|case| stores(&case.body, with)),
            Statement::Loop { body, continuing, .. } => {
                [body, continuing].into_iter().for_each(|block| stores(block, with))
            }
            _ => {}
        }
    }
}

fn global(function: &Function, expression: Handle<Expression>) -> Option<Handle<GlobalVariable>> {
    match function.expressions[expression] {
        Expression::GlobalVariable(variable) => Some(variable),
        _ => None,
    }
}

/// Puts the calls where the addresses were evaluated.
fn call(block: &mut Block, calls: &HashMap<Handle<Expression>, Call>) {
    let mut body = Block::with_capacity(block.len());
    for (mut statement, span) in std::mem::take(block).span_into_iter() {
        match &mut statement {
            Statement::Emit(range) => {
                call_within(range.clone(), calls, |statement| body.push(statement, span));
                continue;
            }
            Statement::Block(block) => call(block, calls),
            Statement::If { accept, reject, .. } => [accept, reject].into_iter().for_each(|block| call(block, calls)),
            Statement::Switch { cases, .. } => cases.iter_mut().for_each(|case| call(&mut case.body, calls)),
            Statement::Loop { body, continuing, .. } => {
                [body, continuing].into_iter().for_each(|block| call(block, calls));
            }
            _ => {}
        }
        body.push(statement, span);
    }
    *block = body;
}

/// Evaluates a range of expressions piece by piece, with the calls between them.
fn call_within(range: Range<Expression>, calls: &HashMap<Handle<Expression>, Call>, mut push: impl FnMut(Statement)) {
    let mut piece: Option<(Handle<Expression>, Handle<Expression>)> = None;
    for handle in range {
        let Some(&(function, index)) = calls.get(&handle) else {
            piece = Some((piece.map_or(handle, |(first, _)| first), handle));
            continue;
        };
        if let Some((first, last)) = piece.take() {
            push(Statement::Emit(Range::new_from_bounds(first, last)));
        }
        push(Statement::Call { function, arguments: vec![index], result: Some(handle) });
    }
    if let Some((first, last)) = piece {
        push(Statement::Emit(Range::new_from_bounds(first, last)));
    }
}

#[cfg(test)]
mod tests {
    use crate::gpu::{Access, Shader};

    static READS: Shader = Shader {
        name: "reads",
        parts: &["
@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> scalars: array<f32>;
@group(0) @binding(3) var<storage, read> measured: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> kept: array<vec4<f32>>;

fn twice(i: u32) -> vec4<f32> { return a[i] + b[i + 1u]; }

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var sum = a[3] + measured[min(id.x, arrayLength(&measured) - 1u)];
    for (var i = 0u; i < id.x; i++) {
        if i % 2u == 0u { sum += twice(i) * a[i].y; } else { sum.x += b[i][id.x % 4u]; }
        switch i {
            case 1u: { sum *= b[i]; }
            default: { sum -= vec4(scalars[i]); }
        }
    }
    y[id.x] = sum * kept[id.x];
}

@compute @workgroup_size(8)
fn keep(@builtin(global_invocation_id) id: vec3<u32>) {
    kept[id.x] = a[id.x];
    kept[id.x].y += a[id.x].x;
}
"],
    };

    #[test]
    fn whatever_a_kernel_reads_of_an_array_it_reads_from_the_texture() {
        let before = READS.reflect().unwrap();
        assert_eq!(before.entries["main"].readable, ["a", "b", "kept"], "vec4 whose length nobody asks for");
        assert_eq!(before.entries["keep"].readable, ["a"], "it writes kept");
        let after = READS.reflect_reading("main", &["a", "b", "kept", "scalars"]).unwrap();
        let kinds = |of: &crate::gpu::Reflection| -> Vec<(String, u32, Access)> {
            of.entries["main"].bindings.iter().map(|b| (b.name.clone(), b.index, b.access)).collect()
        };
        let changed = |(name, index, access): (String, u32, Access)| match name.as_str() {
            "a" | "b" | "kept" => (name, index, Access::Texels),
            _ => (name, index, access),
        };
        assert_eq!(kinds(&after), kinds(&before).into_iter().map(changed).collect::<Vec<_>>());
    }
}
