//! An encoder that is in a compute pass wherever it can be.

/// Records dispatches in one pass, which ends only where something else has to be recorded between two of them.
pub struct Recorder<'a> {
    // Before the encoder, so that the pass is over when the encoder is free again.
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: &'a mut wgpu::CommandEncoder,
    label: &'static str,
}

impl<'a> Recorder<'a> {
    /// Records into this encoder, until it is dropped.
    pub fn new(encoder: &'a mut wgpu::CommandEncoder, label: &'static str) -> Recorder<'a> {
        Recorder { pass: None, encoder, label }
    }

    /// The pass, which begins if there is none.
    pub fn pass(&mut self) -> &mut wgpu::ComputePass<'static> {
        self.pass.get_or_insert_with(|| {
            let descriptor = wgpu::ComputePassDescriptor { label: Some(self.label), timestamp_writes: None };
            self.encoder.begin_compute_pass(&descriptor).forget_lifetime()
        })
    }

    /// The encoder, after the pass.
    pub fn between_passes(&mut self) -> &mut wgpu::CommandEncoder {
        self.pass = None;
        self.encoder
    }
}
