//! The GL half of a tile: uploads the three planes of a picture as they are and lets a shader turn them into colours.
//!
//! Everything here runs on the main thread inside egui's paint callback, where the window's GL context is current. egui
//! sets the scissor area and blend function before the callback, and its viewport, program, vertex array, texture unit
//! and blending after it; this file restores nothing of those and changes no other state that egui relies on.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use eframe::egui::PaintCallbackInfo;
use eframe::egui_glow::ShaderVersion;
use eframe::glow::{self, HasContext as _};

use super::placement::{Part, Placement, bands_and_corners, whole_pixels};
use crate::media::{Plane, VideoFrame};

/// One picture to draw.
#[derive(Debug)]
pub(super) struct Picture {
    /// Names the textures, one set a key.
    pub(super) key: u64,
    /// Another number than at the last draw with this key means another picture.
    pub(super) version: u64,
    pub(super) frame: Arc<VideoFrame>,
    pub(super) placement: Placement,
    /// Radius of the corners in points.
    pub(super) rounding: f32,
}

/// The programs and textures that draw I420 pictures.
#[derive(Debug, Default)]
pub(super) struct YuvShader {
    stage: Stage,
    textures: HashMap<u64, PlaneTextures>,
    /// Keys whose textures go at the next call with a GL context.
    doomed: Vec<u64>,
}

#[derive(Debug, Default)]
enum Stage {
    /// Nothing has been drawn yet.
    #[default]
    Untried,
    Ready(Pipeline),
    Refused,
}

impl YuvShader {
    /// True when this GL driver refuses the shaders: nothing is ever drawn.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self.stage, Stage::Refused)
    }

    /// Marks the textures of `key` for deletion.
    pub(super) fn doom(&mut self, key: u64) {
        self.doomed.push(key);
    }

    /// True when there is something for `free_doomed` to do.
    pub(super) fn has_doomed(&self) -> bool {
        !self.doomed.is_empty()
    }

    /// Deletes the textures of doomed keys.
    pub(super) fn free_doomed(&mut self, gl: &glow::Context) {
        for key in self.doomed.drain(..) {
            if let Some(textures) = self.textures.remove(&key) {
                textures.delete(gl);
            }
        }
    }

    /// Uploads the picture when it is another one than at the last call with its key, and draws it.
    pub(super) fn draw(&mut self, gl: &glow::Context, info: &PaintCallbackInfo, picture: &Picture) {
        self.free_doomed(gl);
        if matches!(self.stage, Stage::Untried) {
            self.stage = match Pipeline::new(gl) {
                Ok(pipeline) => Stage::Ready(pipeline),
                Err(message) => {
                    tracing::error!(%message, "the graphics driver refuses the video shader: no picture is shown");
                    Stage::Refused
                }
            };
        }
        let Stage::Ready(pipeline) = &self.stage else { return };
        let textures = match self.textures.entry(picture.key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => match PlaneTextures::new(gl) {
                Ok(textures) => entry.insert(textures),
                Err(message) => {
                    tracing::warn!(%message, "no texture for a picture");
                    return;
                }
            },
        };
        if textures.version != Some(picture.version) {
            textures.upload(gl, pipeline.format, &picture.frame);
            textures.version = Some(picture.version);
        }
        pipeline.draw(gl, info, picture, textures);
    }
}

/// How planes become one-channel textures in this GL.
#[derive(Clone, Copy, Debug)]
struct PlaneFormat {
    /// How GL keeps a plane.
    internal: u32,
    /// How its bytes are handed over.
    external: u32,
    /// How chroma is read between its samples.
    chroma_filter: u32,
}

impl PlaneFormat {
    fn of(gl: &glow::Context, version: ShaderVersion) -> Self {
        let (internal, external) =
            if version.is_new_shader_interface() { (glow::R8, glow::RED) } else { (glow::LUMINANCE, glow::LUMINANCE) };
        // SAFETY: the GL context is current.
        let renderer = unsafe { gl.get_parameter_string(glow::RENDERER) }.to_lowercase();
        let in_software =
            ["llvmpipe", "softpipe", "swiftshader", "software"].iter().any(|name| renderer.contains(name));
        // Smooth chroma costs a graphics card nothing, and a processor that stands in for one a third of the whole
        // draw.
        let chroma_filter = if in_software { glow::NEAREST } else { glow::LINEAR };
        Self { internal, external, chroma_filter }
    }
}

/// The textures of one picture.
#[derive(Debug)]
struct PlaneTextures {
    planes: [glow::Texture; 3],
    /// Width and height of the picture that they have room for.
    size: (u32, u32),
    version: Option<u64>,
}

impl PlaneTextures {
    fn new(gl: &glow::Context) -> Result<Self, String> {
        // SAFETY: the GL context is current.
        let create = || unsafe { gl.create_texture() };
        Ok(Self { planes: [create()?, create()?, create()?], size: (0, 0), version: None })
    }

    fn delete(self, gl: &glow::Context) {
        for texture in self.planes {
            // SAFETY: the GL context is current, and the name is one that it gave out and that is deleted only here.
            unsafe { gl.delete_texture(texture) };
        }
    }

    fn upload(&mut self, gl: &glow::Context, format: PlaneFormat, frame: &VideoFrame) {
        let size = (frame.width(), frame.height());
        let has_room = self.size == size;
        self.size = size;
        for (texture, plane) in self.planes.into_iter().zip([Plane::Y, Plane::U, Plane::V]) {
            let bytes = frame.plane(plane);
            let width = frame.stride(plane);
            let (width, height) = (width as i32, (bytes.len() / width) as i32);
            let pixels = glow::PixelUnpackData::Slice(Some(bytes));
            // SAFETY: the GL context is current; with rows packed tightly (alignment 1) GL reads width * height bytes,
            // and the slice has them.
            unsafe {
                gl.bind_texture(glow::TEXTURE_2D, Some(texture));
                gl.pixel_store_i32(glow::UNPACK_ALIGNMENT, 1);
                if has_room {
                    gl.tex_sub_image_2d(
                        glow::TEXTURE_2D,
                        0,
                        0,
                        0,
                        width,
                        height,
                        format.external,
                        glow::UNSIGNED_BYTE,
                        pixels,
                    );
                } else {
                    let filter = if plane == Plane::Y { glow::LINEAR } else { format.chroma_filter };
                    // A texture's size need not be a power of two where it neither repeats nor has smaller levels.
                    for (name, value) in [
                        (glow::TEXTURE_MIN_FILTER, filter),
                        (glow::TEXTURE_MAG_FILTER, filter),
                        (glow::TEXTURE_WRAP_S, glow::CLAMP_TO_EDGE),
                        (glow::TEXTURE_WRAP_T, glow::CLAMP_TO_EDGE),
                    ] {
                        gl.tex_parameter_i32(glow::TEXTURE_2D, name, value as i32);
                    }
                    gl.tex_image_2d(
                        glow::TEXTURE_2D,
                        0,
                        format.internal as i32,
                        width,
                        height,
                        0,
                        format.external,
                        glow::UNSIGNED_BYTE,
                        pixels,
                    );
                }
            }
        }
    }
}

/// GL objects that all tiles share: two programs and the corners of a square.
#[derive(Debug)]
struct Pipeline {
    format: PlaneFormat,
    /// For parts that are opaque all over.
    opaque: Program,
    /// For parts with a rounded corner, whose edge is blended.
    rounded: Program,
    /// The four corners of the unit square, as a strip of two triangles.
    corners: glow::Buffer,
    /// None where GL has no vertex array objects.
    vertex_array: Option<glow::VertexArray>,
}

impl Pipeline {
    fn new(gl: &glow::Context) -> Result<Self, String> {
        let version = ShaderVersion::get(gl);
        let format = PlaneFormat::of(gl, version);
        let opaque = Program::new(gl, version, false)?;
        let rounded = Program::new(gl, version, true)?;
        let corners: Vec<u8> =
            [0.0_f32, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0].iter().flat_map(|number| number.to_ne_bytes()).collect();
        // SAFETY: the GL context is current; the buffer is filled before anything draws from it. egui's own vertex
        // array is put aside before attributes are set, and bound again by egui after the callback.
        unsafe {
            let vertex_array = has_vertex_arrays(gl).then(|| gl.create_vertex_array()).transpose()?;
            let buffer = gl.create_buffer()?;
            if vertex_array.is_some() {
                gl.bind_vertex_array(vertex_array);
            }
            gl.bind_buffer(glow::ARRAY_BUFFER, Some(buffer));
            gl.buffer_data_u8_slice(glow::ARRAY_BUFFER, &corners, glow::STATIC_DRAW);
            if vertex_array.is_some() {
                enable_corner_attribute(gl);
            }
            Ok(Self { format, opaque, rounded, corners: buffer, vertex_array })
        }
    }

    fn draw(&self, gl: &glow::Context, info: &PaintCallbackInfo, picture: &Picture, textures: &PlaneTextures) {
        let [left, top, width, height] = whole_pixels(info.viewport, info.pixels_per_point);
        let size = [width as f32, height as f32];
        let radius = (picture.rounding * info.pixels_per_point).clamp(0.0, size[0].min(size[1]) / 2.0);
        // SAFETY: the GL context is current; programs, buffer and textures belong to it; the corner attribute is read
        // from a buffer that holds all four vertices.
        unsafe {
            // egui's own viewport is cut to the window, which would squeeze a tile that sticks out of it.
            gl.viewport(left, info.screen_size_px[1] as i32 - top - height, width, height);
            for (unit, texture) in textures.planes.into_iter().enumerate() {
                gl.active_texture(glow::TEXTURE0 + unit as u32);
                gl.bind_texture(glow::TEXTURE_2D, Some(texture));
            }
            if self.vertex_array.is_some() {
                gl.bind_vertex_array(self.vertex_array);
            } else {
                gl.bind_buffer(glow::ARRAY_BUFFER, Some(self.corners));
                enable_corner_attribute(gl);
            }
        }
        let (bands, corners) = bands_and_corners(size[0], size[1], radius);
        // SAFETY: the GL context is current. egui sets its own blending again after the callback.
        unsafe { gl.disable(glow::BLEND) };
        self.opaque.draw(gl, picture, size, radius, &bands);
        if radius > 0.0 {
            // egui's blend function is in force: premultiplied alpha.
            // SAFETY: as above.
            unsafe { gl.enable(glow::BLEND) };
            self.rounded.draw(gl, picture, size, radius, &corners);
        }
    }
}

/// Where vertex array objects exist: from GL 3 and GL ES 3 on, and before that as an extension. The same rule as
/// egui's.
fn has_vertex_arrays(gl: &glow::Context) -> bool {
    let extensions = gl.supported_extensions();
    let name = if gl.version().is_embedded { "GL_OES_vertex_array_object" } else { "GL_ARB_vertex_array_object" };
    gl.version().major >= 3 || extensions.contains(name)
}

const CORNER_ATTRIBUTE: u32 = 0;

/// Reads the corner attribute from the bound array buffer.
///
/// # Safety
/// The GL context is current.
unsafe fn enable_corner_attribute(gl: &glow::Context) {
    // SAFETY: as the caller promises.
    unsafe {
        gl.vertex_attrib_pointer_f32(CORNER_ATTRIBUTE, 2, glow::FLOAT, false, 8, 0);
        gl.enable_vertex_attrib_array(CORNER_ATTRIBUTE);
    }
}

/// A linked program and where its uniforms are.
#[derive(Debug)]
struct Program {
    name: glow::Program,
    size: Option<glow::UniformLocation>,
    part: Option<glow::UniformLocation>,
    seen: Option<glow::UniformLocation>,
    radius: Option<glow::UniformLocation>,
}

impl Program {
    fn new(gl: &glow::Context, version: ShaderVersion, rounded: bool) -> Result<Self, String> {
        let head = format!(
            "{}#define NEW_INTERFACE {}\n#define ROUNDED {}\n{PRECISION}",
            version.version_declaration(),
            i32::from(version.is_new_shader_interface()),
            i32::from(rounded)
        );
        // SAFETY: the GL context is current.
        unsafe {
            let name = gl.create_program()?;
            gl.bind_attrib_location(name, CORNER_ATTRIBUTE, "a_corner");
            for (kind, body) in [(glow::VERTEX_SHADER, VERTEX), (glow::FRAGMENT_SHADER, FRAGMENT)] {
                let shader = gl.create_shader(kind)?;
                gl.shader_source(shader, &format!("{head}{body}"));
                gl.compile_shader(shader);
                if !gl.get_shader_compile_status(shader) {
                    return Err(gl.get_shader_info_log(shader));
                }
                gl.attach_shader(name, shader);
                // Goes with the program.
                gl.delete_shader(shader);
            }
            gl.link_program(name);
            if !gl.get_program_link_status(name) {
                return Err(gl.get_program_info_log(name));
            }
            gl.use_program(Some(name));
            for (unit, sampler) in ["u_y", "u_u", "u_v"].into_iter().enumerate() {
                gl.uniform_1_i32(gl.get_uniform_location(name, sampler).as_ref(), unit as i32);
            }
            let uniform = |uniform| gl.get_uniform_location(name, uniform);
            Ok(Self {
                name,
                size: uniform("u_size"),
                part: uniform("u_part"),
                seen: uniform("u_seen"),
                radius: uniform("u_radius"),
            })
        }
    }

    fn draw(&self, gl: &glow::Context, picture: &Picture, size: [f32; 2], radius: f32, parts: &[Part]) {
        let Placement { left_top, right_bottom, .. } = picture.placement;
        // SAFETY: the GL context is current, and the program belongs to it.
        unsafe {
            gl.use_program(Some(self.name));
            gl.uniform_2_f32(self.size.as_ref(), size[0], size[1]);
            gl.uniform_4_f32(self.seen.as_ref(), left_top.x, left_top.y, right_bottom.x, right_bottom.y);
            gl.uniform_1_f32(self.radius.as_ref(), radius);
            for [left, top, right, bottom] in parts {
                if left < right && top < bottom {
                    gl.uniform_4_f32(self.part.as_ref(), *left, *top, *right, *bottom);
                    gl.draw_arrays(glow::TRIANGLE_STRIP, 0, 4);
                }
            }
        }
    }
}

/// Uniforms that both stages use must have one precision in GL ES.
const PRECISION: &str = "
#ifdef GL_ES
    #if defined(GL_FRAGMENT_PRECISION_HIGH) && GL_FRAGMENT_PRECISION_HIGH == 1
        precision highp float;
    #else
        precision mediump float;
    #endif
#endif
";

const VERTEX: &str = "
#if NEW_INTERFACE
    #define attribute in
    #define varying out
#endif
attribute vec2 a_corner;
uniform vec2 u_size;   // the tile, in pixels
uniform vec4 u_part;   // the part of it to draw, in pixels from the left top
uniform vec4 u_seen;   // the picture at the tile's left top and right bottom
varying vec2 v_texture;
varying vec2 v_from_center;

void main() {
    vec2 at = mix(u_part.xy, u_part.zw, a_corner);
    v_texture = mix(u_seen.xy, u_seen.zw, at / u_size);
    v_from_center = at - u_size / 2.0;
    gl_Position = vec4(2.0 * at.x / u_size.x - 1.0, 1.0 - 2.0 * at.y / u_size.y, 0.0, 1.0);
}
";

/// BT.601 with limited range, as `VideoFrame` says. Colours stay in the gamma of the video, as egui blends them.
const FRAGMENT: &str = "
#if NEW_INTERFACE
    #define varying in
    #define texture2D texture
    out vec4 f_color;
    #define gl_FragColor f_color
#endif
uniform sampler2D u_y;
uniform sampler2D u_u;
uniform sampler2D u_v;
uniform vec2 u_size;
uniform float u_radius;
varying vec2 v_texture;
varying vec2 v_from_center;

void main() {
    float y = 1.164384 * (texture2D(u_y, v_texture).r - 16.0 / 255.0);
    float u = texture2D(u_u, v_texture).r - 128.0 / 255.0;
    float v = texture2D(u_v, v_texture).r - 128.0 / 255.0;
    vec3 rgb = clamp(vec3(y + 1.596027 * v, y - 0.391762 * u - 0.812968 * v, y + 2.017232 * u), 0.0, 1.0);
#if ROUNDED
    vec2 beyond = max(abs(v_from_center) - (u_size / 2.0 - u_radius), 0.0);
    float alpha = clamp(u_radius - length(beyond) + 0.5, 0.0, 1.0);
    gl_FragColor = vec4(rgb * alpha, alpha);
#else
    gl_FragColor = vec4(rgb, 1.0);
#endif
}
";
