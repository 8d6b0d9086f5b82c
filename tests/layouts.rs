//! Rust and WGSL agree on every number and struct that both write down, without a GPU.

use accrue::gpu::{Reflection, SLOT, Scalar, Shader};
use accrue::{ops, optim, plan};
use naga::{AddressSpace, Expression, Literal, TypeInner};

fn shaders() -> impl Iterator<Item = &'static Shader> {
    let ops = ops::each(1).map(|op| op.shader());
    ops.chain(optim::shaders()).chain(plan::SHADERS.iter().copied())
}

/// The value of a `const NAME: u32`.
fn constant(reflection: &Reflection, name: &str) -> Option<u32> {
    let module = &reflection.module;
    let (_, constant) = module.constants.iter().find(|(_, constant)| constant.name.as_deref() == Some(name))?;
    match module.global_expressions[constant.init] {
        Expression::Literal(Literal::U32(value)) => Some(value),
        ref other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn every_kernel_sums_rows_in_blocks_of_the_plans_size() {
    for shader in shaders() {
        assert_eq!(constant(&shader.reflect().unwrap(), "BLOCK"), Some(plan::BLOCK as u32), "{}", shader.name);
    }
}

#[test]
fn every_uniform_fits_the_slot_that_it_is_bound_to() {
    let mut uniforms = 0;
    for shader in shaders() {
        let module = shader.reflect().unwrap().module;
        for (_, variable) in module.global_variables.iter().filter(|(_, v)| v.space == AddressSpace::Uniform) {
            let TypeInner::Array { stride, .. } = module.types[variable.ty].inner else {
                panic!("{}: {:?} is no array", shader.name, variable.name);
            };
            assert!(2 * stride <= SLOT, "{}: {:?} takes {stride} bytes", shader.name, variable.name);
            uniforms += 1;
        }
    }
    assert!(uniforms >= shaders().count(), "{uniforms} uniforms");
}

/// A uniform of two fields.
static PAIR: Shader = Shader {
    name: "pair",
    parts: &["struct Pair { @align(16) rate: f32, count: u32 }
              @group(0) @binding(0) var<uniform> pair: array<Pair, 2>;
              @group(0) @binding(1) var<storage, read_write> out: array<f32>;
              @compute @workgroup_size(1) fn main() { out[0] = pair[0].rate * f32(pair[1].count); }"],
};

fn pack(fields: &[(&str, Scalar)]) -> Result<Vec<u8>, String> {
    PAIR.reflect().unwrap().pack("pair", fields)
}

const RATE: (&str, Scalar) = ("rate", Scalar::F32(0.5));
const COUNT: (&str, Scalar) = ("count", Scalar::U32(3));

#[test]
fn fields_are_packed_by_name_in_the_shaders_order() {
    let bytes = [0.5f32.to_le_bytes(), 3u32.to_le_bytes(), [0; 4], [0; 4]].concat();
    assert_eq!(pack(&[RATE, COUNT]), Ok(bytes.clone()));
    assert_eq!(pack(&[COUNT, RATE]), Ok(bytes));
}

#[test]
fn a_field_that_is_missing_superfluous_or_of_another_type_is_an_error_that_names_it() {
    for (fields, wanted) in [
        (&[RATE][..], "pair.count is not given"),
        (&[RATE, COUNT, ("size", Scalar::U32(1))], "pair has no field size"),
        (&[("rate", Scalar::U32(1)), COUNT], "pair.rate is not of the type"),
        (&[RATE, ("count", Scalar::F32(3.0))], "pair.count is not of the type"),
    ] {
        let said = pack(fields).unwrap_err();
        assert!(said.contains(wanted), "{said:?}, but {wanted:?} is wanted");
    }
    assert!(PAIR.reflect().unwrap().pack("dims", &[RATE]).unwrap_err().contains("no variable dims"));
}

#[test]
fn a_shader_that_does_not_parse_or_is_not_valid_is_an_error_that_names_it_and_shows_the_line() {
    static BROKEN: [Shader; 2] = [
        Shader { name: "unparsed", parts: &["fn f() { let x = ; }"] },
        Shader { name: "invalid", parts: &["fn f() -> f32 { return 1u; }"] },
    ];
    for shader in &BROKEN {
        let said = shader.reflect().unwrap_err().to_string();
        assert!(said.contains(shader.name) && said.contains("fn f()"), "{said}");
    }
}
