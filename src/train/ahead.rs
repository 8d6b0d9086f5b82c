//! Outputs that a validation requests in one call and takes in a later one.

use std::time::Duration;

use super::encode::{dispatches, encode_some};
use super::forward::{Columns, Pass};
use super::rates::{SUBMISSION, whole_rows};
use super::submitter::Submitter;
use crate::gpu::ReadbackRing;
use crate::plan::Program;
use crate::{Error, Result};

/// The state of the rows last handed over.
#[derive(Default)]
pub(super) enum Ahead {
    /// No rows were handed over.
    #[default]
    Nothing,
    /// Their outputs are in flight.
    OnItsWay(Flight),
    /// Their outputs (rows, positions, outputs) arrived and wait to be taken.
    Came(Vec<f32>),
}

/// A pass whose outputs are in flight.
pub(super) struct Flight {
    ring: ReadbackRing<()>,
    pass: Pass,
}

impl Ahead {
    /// Hands over as many of these rows as keep the GPU busy for about this long.
    pub fn begin(
        program: &Program,
        submitter: &mut Submitter,
        features: &[f32],
        columns: Columns,
        time: Duration,
    ) -> Result<Ahead> {
        let (gpu, rates) = (program.gpu(), submitter.rates());
        let seconds = time.as_secs_f64().min(SUBMISSION);
        let within = rates.rows_within(program.forward(), seconds).min(rates.rows(program.forward()));
        let rows = whole_rows(within, program.plan().micro_batch, true, 1).min(features.len() / columns.features);
        let pass = Pass::begin(program, &features[..rows * columns.features], columns)?;
        let jobs = pass.jobs(program);
        let mut encoder = gpu.encoder()?;
        let mut work = dispatches(&jobs, rates).peekable();
        let load = encode_some(gpu, &mut encoder, &mut work, (rates, f64::INFINITY), None);
        pass.copy_outputs(program, &mut encoder)?;
        pass.copy_proof(program, &mut encoder);
        let submission = submitter.submit_ahead(encoder, load)?;
        let mut ring = ReadbackRing::new(gpu, vec![program.output_staging().0.clone()], 0);
        ring.sent(Some(submission), ());
        Ok(Ahead::OnItsWay(Flight { ring, pass }))
    }

    /// Waits for outputs in flight, because others need their staging buffer.
    pub fn land(&mut self, program: &Program) -> Result<()> {
        *self = match std::mem::take(self) {
            Ahead::OnItsWay(flight) => Ahead::Came(flight.outputs(program)?),
            other => other,
        };
        Ok(())
    }

    /// Takes outputs that arrived.
    pub fn take(&mut self) -> Option<Vec<f32>> {
        match std::mem::take(self) {
            Ahead::Came(outputs) => Some(outputs),
            other => {
                *self = other;
                None
            }
        }
    }
}

impl Flight {
    fn outputs(mut self, program: &Program) -> Result<Vec<f32>> {
        let Some(((), landed)) = self.ring.receive(true)? else {
            return Err(Error::Internal("no outputs are in flight".to_owned()));
        };
        self.pass.proven_outputs(program, landed)
    }
}
