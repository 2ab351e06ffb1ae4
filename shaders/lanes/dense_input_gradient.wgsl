// dX = dY W^T where X > 0, and 0 elsewhere: the gradient behind a ReLU.
//
//   dy      [rows, outputs]         a storage texture, four columns a texel
//   params  [inputs + 1, outputs]   W, and b as one more row, likewise; b is not used
//   x       [rows, inputs]          likewise
//   dx      [rows, inputs]          likewise; what pads a texel is zero, as it is in x and dy
//
// The tile of dense.wgsl, 16 rows by 64 columns, for the reasons given there. A lane has two quads
// of columns, which are rows of W: it loads 8 texels of W, and turning four of them over costs
// nothing, since a component of a lane's vec4 is a vector register of its own.
// Dispatch: one workgroup a tile, row after row of tiles, folded into y where x would overflow.
// Host twin: engine/kernels/twins.rs, dense_input_gradient.

struct Arguments {
    rows: u32,
    inputs: u32,
    outputs: u32,
}

@group(0) @binding(0) var<uniform> args: Arguments;
@group(0) @binding(1) var dy: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var params: texture_storage_2d<rgba32float, read>;
@group(0) @binding(3) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(4) var dx: texture_storage_2d<rgba32float, write>;

const LANES = 8u;
const ROWS = 16u;      // of a tile
const COLUMNS = 64u;   // of a tile
const QUADS = COLUMNS / 4u;

// Four rows of W at four columns, turned over: column k of the result is column k of W.
fn turned(input: u32, quad: u32) -> mat4x4<f32> {
    return transpose(mat4x4(
        textureLoad(params, vec2(quad, min(input, args.inputs))),
        textureLoad(params, vec2(quad, min(input + 1u, args.inputs))),
        textureLoad(params, vec2(quad, min(input + 2u, args.inputs))),
        textureLoad(params, vec2(quad, min(input + 3u, args.inputs)))));
}

// sum + m v.
fn add(sum: vec4<f32>, v: vec4<f32>, m: mat4x4<f32>) -> vec4<f32> {
    return fma(vec4(v.w), m[3], fma(vec4(v.z), m[2], fma(vec4(v.y), m[1], fma(vec4(v.x), m[0], sum))));
}

fn store(quad: u32, row: u32, sum: vec4<f32>) {
    if row >= args.rows || quad * 4u >= args.inputs { return; }
    let on = textureLoad(x, vec2(quad, row)) > vec4(0.0);
    textureStore(dx, vec2(quad, row), select(vec4(0.0), sum, on));
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let tiles_across = (args.inputs + QUADS * 4u - 1u) / (QUADS * 4u);
    let tile = group.x + group.y * groups.x;
    let row_0 = tile / tiles_across * ROWS;
    let quad = tile % tiles_across * QUADS + lane;

    var sums: array<vec4<f32>, ROWS>;    // [row], the lane's first quad
    var sums_2: array<vec4<f32>, ROWS>;  // [row], its second quad
    for (var k = 0u; k < args.outputs; k += 4u) {
        let w = turned(quad * 4u, k / 4u);
        let w_2 = turned((quad + LANES) * 4u, k / 4u);
        let upper = textureLoad(dy, vec2(k / 4u, row_0 + lane));
        let lower = textureLoad(dy, vec2(k / 4u, row_0 + LANES + lane));
        for (var r = 0u; r < LANES; r++) {
            let dys = subgroupShuffle(upper, r);
            sums[r] = add(sums[r], dys, w);
            sums_2[r] = add(sums_2[r], dys, w_2);
        }
        for (var r = 0u; r < LANES; r++) {
            let dys = subgroupShuffle(lower, r);
            let s = r + LANES;
            sums[s] = add(sums[s], dys, w);
            sums_2[s] = add(sums_2[s], dys, w_2);
        }
    }
    // Two loops, since the driver unrolls only small ones, and keeps only then sums in registers.
    for (var r = 0u; r < ROWS; r++) {
        store(quad, row_0 + r, sums[r]);
    }
    for (var r = 0u; r < ROWS; r++) {
        store(quad + LANES, row_0 + r, sums_2[r]);
    }
}
