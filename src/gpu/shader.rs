//! WGSL text -> module -> pipeline. A kernel's bindings are read from the shader itself, so the two cannot disagree.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use naga::valid::{Capabilities, GlobalUse, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};

use super::texels;
use crate::{Error, Result};

/// A WGSL program: files joined in this order.
#[derive(Debug)]
pub struct Shader {
    /// Unique; it begins the label of every pipeline made from the shader.
    pub name: &'static str,
    /// The files' texts.
    pub parts: &'static [&'static str],
}

impl Shader {
    /// The shader of these files, one object per combination: for combinations that only a network decides. Each combination
    /// stays in memory.
    pub fn joined(name: String, parts: Vec<&'static str>) -> &'static Shader {
        static KNOWN: Mutex<BTreeMap<String, &'static Shader>> = Mutex::new(BTreeMap::new());
        let mut known = KNOWN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(shader) = known.get(&name) {
            return shader;
        }
        let own: &'static str = Box::leak(name.clone().into_boxed_str());
        let shader: &'static Shader = Box::leak(Box::new(Shader { name: own, parts: Vec::leak(parts) }));
        known.insert(name, shader);
        shader
    }

    /// The joined text for naga, which does not know `enable subgroups`.
    pub fn source(&self) -> String {
        self.parts.concat()
    }

    /// The joined text in standard WGSL, for any other tool.
    pub fn wgsl(&self) -> String {
        let source = self.source();
        let calls = |rest: &str| rest.starts_with(|c: char| c.is_ascii_uppercase());
        let enable = if source.split("subgroup").skip(1).any(calls) { "enable subgroups;\n" } else { "" };
        format!("{enable}{source}")
    }

    /// Whether all of it is standard WGSL: `subgroupBarrier` is naga's own. Such a kernel needs a feature that no browser's
    /// device has, so browsers never get it.
    pub fn is_standard(&self) -> bool {
        self.parts.iter().all(|part| !part.contains("subgroupBarrier("))
    }
}

/// One variable that a kernel uses.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// The variable's name.
    pub name: String,
    /// Its `@binding`.
    pub index: u32,
    /// The kind of buffer.
    pub access: Access,
}

/// How a kernel accesses a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `var<uniform>`
    Uniform,
    /// `var<storage, read>`
    Read,
    /// `var<storage, read_write>`
    ReadWrite,
    /// A buffer of which a copy is read through a texture, however it was declared.
    Texels,
}

/// What was read from a shader.
#[derive(Debug)]
pub struct Reflection {
    /// The parsed module.
    pub module: naga::Module,
    /// For each entry point, the indices of the variables that it uses.
    pub entries: HashMap<String, Entry>,
}

/// An entry point of a shader.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The indices of the variables that it uses.
    pub bindings: Vec<Binding>,
    /// Its `@workgroup_size`.
    pub workgroup: [u32; 3],
    /// The variables that it can read through textures: arrays that it only reads, whatever other entry points do.
    pub readable: Vec<String>,
}

impl Shader {
    /// Parses and validates the shader.
    pub fn reflect(&self) -> Result<Reflection> {
        self.reflect_reading("", &[])
    }

    /// The same; if variables are given, of this entry point alone, which reads them through textures.
    pub fn reflect_reading(&self, entry: &str, through: &[&str]) -> Result<Reflection> {
        let source = self.source();
        let mut module = self.parse(&source)?;
        let readable = texels::readable(&module);
        let variables: Vec<_> = readable.iter().filter(|(name, _)| through.contains(&name.as_str())).cloned().collect();
        if !variables.is_empty() {
            module = self.parse(&(texels::declarations(&variables) + &source))?;
            texels::redirect(&mut module, &variables);
            // The textures have the numbers of their variables, which other kernels may use.
            module.entry_points.retain(|known| known.name == entry);
        }
        let info = Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP | Capabilities::SUBGROUP_BARRIER)
            .subgroup_stages(ShaderStages::COMPUTE)
            .subgroup_operations(SubgroupOperationSet::all())
            .validate(&module)
            .map_err(|e| self.broken(e.emit_to_string(&source)))?;
        let mut entries = HashMap::new();
        for (at, entry) in module.entry_points.iter().enumerate() {
            let used = info.get_entry_point(at);
            let mut bindings: Vec<Binding> = module
                .global_variables
                .iter()
                .filter(|(handle, _)| !(used[*handle] as GlobalUse).is_empty())
                .filter_map(|(_, variable)| binding(variable))
                .collect();
            bindings.sort_by_key(|binding| binding.index);
            let only_reads = |(name, _): &&(String, u32)| {
                let found = module.global_variables.iter().find(|(_, variable)| variable.name.as_ref() == Some(name));
                found.is_some_and(|(handle, _)| used[handle] == GlobalUse::READ)
            };
            let readable = readable.iter().filter(only_reads).map(|(name, _)| name.clone()).collect();
            entries.insert(entry.name.clone(), Entry { bindings, workgroup: entry.workgroup_size, readable });
        }
        Ok(Reflection { module, entries })
    }

    /// As [`Shader::reflect`], once.
    pub fn reflection(&self) -> Result<Arc<Reflection>> {
        self.reflection_reading("", &[])
    }

    /// As [`Shader::reflect_reading`], once.
    pub fn reflection_reading(&self, entry: &str, through: &[&str]) -> Result<Arc<Reflection>> {
        type Key = (&'static str, usize, String);
        static KNOWN: Mutex<BTreeMap<Key, Arc<Reflection>>> = Mutex::new(BTreeMap::new());
        // Two hosts' shaders may have one name.
        let reads = if through.is_empty() { String::new() } else { format!("{entry} {through:?}") };
        let key = (self.name, self.parts.as_ptr().addr(), reads);
        let mut known = KNOWN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(reflection) = known.get(&key) {
            return Ok(reflection.clone());
        }
        let reflection = Arc::new(self.reflect_reading(entry, through)?);
        known.insert(key, reflection.clone());
        Ok(reflection)
    }

    fn parse(&self, source: &str) -> Result<naga::Module> {
        naga::front::wgsl::parse_str(source).map_err(|e| self.broken(e.emit_to_string(source)))
    }

    fn broken(&self, message: String) -> Error {
        Error::Internal(format!("shader {}: {message}", self.name))
    }
}

fn binding(variable: &naga::GlobalVariable) -> Option<Binding> {
    let access = match variable.space {
        naga::AddressSpace::Uniform => Access::Uniform,
        naga::AddressSpace::Storage { access } if access.contains(naga::StorageAccess::STORE) => Access::ReadWrite,
        naga::AddressSpace::Storage { .. } => Access::Read,
        naga::AddressSpace::Handle => Access::Texels,
        _ => return None,
    };
    let name = variable.name.as_deref()?;
    let name = if access == Access::Texels { texels::original(name) } else { name };
    Some(Binding { name: name.to_owned(), index: variable.binding?.binding, access })
}

impl Reflection {
    /// The bytes of an array.
    pub fn bytes(&self, name: &str) -> u64 {
        let variable = self.module.global_variables.iter().find(|(_, v)| v.name.as_deref() == Some(name));
        let array = variable.map(|(_, variable)| &self.module.types[variable.ty].inner);
        match array {
            Some(naga::TypeInner::Array { size: naga::ArraySize::Constant(count), stride, .. }) => {
                u64::from(count.get()) * u64::from(*stride)
            }
            _ => 0,
        }
    }

    /// The bytes of one element of the uniform `name`, an array of structs, with its fields taken by name from `fields`.
    ///
    /// It is an error if the shader has a field that `fields` lacks, or the other way round.
    pub fn pack(&self, name: &str, fields: &[(&str, Scalar)]) -> Result<Vec<u8>, String> {
        let variable = self.module.global_variables.iter().find(|(_, v)| v.name.as_deref() == Some(name));
        let (_, variable) = variable.ok_or_else(|| format!("has no variable {name}"))?;
        let naga::TypeInner::Array { base, .. } = self.module.types[variable.ty].inner else {
            return Err(format!("{name} is no array"));
        };
        let naga::TypeInner::Struct { members, span } = &self.module.types[base].inner else {
            return Err(format!("{name} is no array of structs"));
        };
        let mut bytes = vec![0; *span as usize];
        for member in members {
            let field = member.name.as_deref().unwrap_or_default();
            let value = fields.iter().find(|(given, _)| *given == field);
            let (_, value) = value.ok_or_else(|| format!("{name}.{field} is not given"))?;
            let wanted = match self.module.types[member.ty].inner {
                naga::TypeInner::Scalar(naga::Scalar::F32) => matches!(value, Scalar::F32(_)),
                naga::TypeInner::Scalar(naga::Scalar::U32) => matches!(value, Scalar::U32(_)),
                _ => false,
            };
            if !wanted {
                return Err(format!("{name}.{field} is not of the type of {value:?}"));
            }
            bytes[member.offset as usize..][..4].copy_from_slice(&value.bytes());
        }
        if let Some((extra, _)) =
            fields.iter().find(|(given, _)| !members.iter().any(|m| m.name.as_deref() == Some(given)))
        {
            return Err(format!("{name} has no field {extra}"));
        }
        Ok(bytes)
    }
}

/// The value of one field of a uniform.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// A `u32` field.
    U32(u32),
    /// An `f32` field.
    F32(f32),
}

impl Scalar {
    fn bytes(self) -> [u8; 4] {
        match self {
            Scalar::U32(value) => value.to_le_bytes(),
            Scalar::F32(value) => value.to_le_bytes(),
        }
    }
}
