//! The values that the kernels of one micro-batch or update read.

use bytemuck::{Pod, Zeroable};

/// `Clock` in `shaders/lib/clock.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub(super) struct Clock {
    /// Rows in this micro-batch.
    pub rows: u32,
    /// Its first row's number in the window.
    pub row0: u32,
    /// 1: this micro-batch starts the window.
    pub first: u32,
    /// 1: this micro-batch ends the window.
    pub last: u32,
    /// Offset of its rows in the list of samples.
    pub index0: u32,
    /// The update at the window's end, counted from 1.
    pub update: u32,
    /// Slot of the window's result.
    pub slot: u32,
    /// 1: no update is made after a window that was not finite.
    pub hold: u32,
    /// 1: `index0` says where its rows are in the list of samples of the data; 0: its rows are the records.
    pub gather: u32,
    /// The command: [`Command::kind`](super::commands::Command::kind).
    pub kind: u32,
    /// Slots in the list that begins here.
    pub slots: u32,
    /// Its sequence number among micro-batches and updates; the first one is the trainer's.
    pub sequence: u32,
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::Clock;
    use crate::plan::SHADERS;

    #[test]
    fn the_clock_is_the_same_struct_in_rust_and_in_wgsl() {
        // A new field is a compile error until it is listed here.
        let Clock { rows: _, row0: _, first: _, last: _, index0: _, update: _, slot: _, hold: _, gather: _, .. } =
            Clock::default();
        let ours = [
            ("rows", offset_of!(Clock, rows)),
            ("row0", offset_of!(Clock, row0)),
            ("first", offset_of!(Clock, first)),
            ("last", offset_of!(Clock, last)),
            ("index0", offset_of!(Clock, index0)),
            ("update", offset_of!(Clock, update)),
            ("slot", offset_of!(Clock, slot)),
            ("hold", offset_of!(Clock, hold)),
            ("gather", offset_of!(Clock, gather)),
            ("kind", offset_of!(Clock, kind)),
            ("slots", offset_of!(Clock, slots)),
            ("sequence", offset_of!(Clock, sequence)),
        ];
        for shader in SHADERS {
            let module = shader.reflect().unwrap().module;
            let (_, clock) = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some("Clock")).unwrap();
            let naga::TypeInner::Struct { members, span } = &clock.inner else { panic!("Clock is no struct") };
            let theirs: Vec<_> =
                members.iter().map(|m| (m.name.as_deref().unwrap_or_default(), m.offset as usize)).collect();
            assert_eq!(theirs, ours, "{}", shader.name);
            assert!(members.iter().all(|m| module.types[m.ty].inner == naga::TypeInner::Scalar(naga::Scalar::U32)));
            assert_eq!(*span as usize, size_of::<Clock>(), "{}", shader.name);
        }
    }
}
