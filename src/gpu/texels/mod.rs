//! Arrays read through textures. Mesa's software driver loads from a storage buffer one component of one lane after the other,
//! but from a texture a whole vec4 for all lanes at once: there, what a kernel only reads is copied to a texture first. The
//! bits are the same.

mod module;

use super::{Bound, Gpu};
use crate::Result;
pub(super) use module::{declarations, original, readable, redirect};

/// Texels in a line of a texture; the smallest adapters allow as many.
pub const WIDTH: u64 = 2048;

/// Bytes of a texel.
const TEXEL: u64 = 16;

/// Lines of texels for this many bytes.
pub fn height(bytes: u64) -> u64 {
    bytes.div_ceil(TEXEL * WIDTH)
}

/// Bytes of a texture that takes this many.
pub fn size(bytes: u64) -> u64 {
    height(bytes) * TEXEL * WIDTH
}

/// A texture for the copy of an array of vec4.
#[derive(Clone)]
pub struct Texels {
    texture: wgpu::Texture,
    pub(super) view: wgpu::TextureView,
}

impl Gpu {
    /// Makes a texture that takes this many bytes.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::Error::Memory) if the device has no memory left.
    pub fn texels(&self, bytes: u64) -> Result<Texels> {
        let descriptor = wgpu::TextureDescriptor {
            label: Some("accrue.texels"),
            size: wgpu::Extent3d { width: WIDTH as u32, height: height(bytes) as u32, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba32Float,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        };
        self.counted("texels", size(bytes), || self.device().create_texture(&descriptor)).map(|texture| {
            let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
            Texels { texture, view }
        })
    }
}

/// The copy of an array to a texture before a dispatch.
pub(super) struct Copy {
    from: Bound,
    to: Texels,
}

impl Copy {
    pub fn new(from: Bound, to: Texels) -> Copy {
        Copy { from, to }
    }

    /// Whole lines first, then the beginning of the last.
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        let texels = self.from.size / TEXEL;
        let (lines, rest) = (texels / WIDTH, texels % WIDTH);
        for (line, width, height) in [(0, WIDTH, lines), (lines, rest, 1)] {
            if width == 0 || height == 0 {
                continue;
            }
            let layout = wgpu::TexelCopyBufferLayout {
                offset: self.from.offset + line * TEXEL * WIDTH,
                bytes_per_row: Some((TEXEL * WIDTH) as u32),
                rows_per_image: None,
            };
            let origin = wgpu::Origin3d { x: 0, y: line as u32, z: 0 };
            encoder.copy_buffer_to_texture(
                wgpu::TexelCopyBufferInfo { buffer: &self.from.buffer, layout },
                wgpu::TexelCopyTextureInfo { origin, ..self.to.texture.as_image_copy() },
                wgpu::Extent3d { width: width as u32, height: height as u32, depth_or_array_layers: 1 },
            );
        }
    }
}
