// Y = act(X W + b), act being ReLU or the identity.
//
//   x       [rows, inputs]          a storage texture, four columns a texel
//   params  [inputs + 1, outputs]   W, and b as one more row, likewise
//   y       [rows, outputs]         likewise; what pads a texel is zero, as it is in x and params
//
// For drivers that run a workgroup as one subgroup of 8 lanes on a processor's vector unit. There
// arithmetic is cheap and every load is dear: a load from a buffer is a loop over the lanes, a
// texel costs about a quarter of that, and handing a value from lane to lane costs nothing.
// So a tile is 16 rows by 64 columns: a lane has two quads of columns, loads 4 rows of W for them,
// and 2 texels of X of which every lane takes what the shuffle hands it: 10 loads for 512 vector
// multiply-adds. All four terms of a row are added before the next row, so that the sums of a row
// stay in registers meanwhile. With 784 x 128 weights this does 40 GFLOP/s a core, where tiles of
// 32 x 32 and 32 x 64 do 34, their code being longer, and the buffers of the tiled family 4
// (llvmpipe, LLVM 15, 256 bits, on a core whose sgemm does 95).
//
// Ten classes would leave most of such a tile idle: up to 12 outputs, a lane has two rows instead,
// and the shuffle hands round W. An override says which, since the driver computes both sides of
// every branch that it cannot decide when it compiles.
// Dispatch: one workgroup a tile, row after row of tiles, folded into y where x would overflow.
// Host twin: engine/kernels/twins.rs, dense.

struct Arguments {
    rows: u32,
    inputs: u32,
    outputs: u32,
    relu: u32,
}

override NARROW: bool;  // at most NARROW_COLUMNS outputs

@group(0) @binding(0) var<uniform> args: Arguments;
@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var params: texture_storage_2d<rgba32float, read>;
@group(0) @binding(3) var y: texture_storage_2d<rgba32float, write>;

const LANES = 8u;
const ROWS = 16u;            // of a tile
const COLUMNS = 64u;         // of a wide tile
const QUADS = COLUMNS / 4u;
const NARROW_COLUMNS = 12u;  // of a narrow tile
const NARROW_QUADS = NARROW_COLUMNS / 4u;

fn x_at(quad: u32, row: u32) -> vec4<f32> {
    return select(vec4(0.0), textureLoad(x, vec2(quad, row)), quad * 4u < args.inputs);
}

// sum + m v, m being the matrix with columns a, b, c, d.
fn add(sum: vec4<f32>, v: vec4<f32>, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>,
       d: vec4<f32>) -> vec4<f32> {
    return fma(vec4(v.w), d, fma(vec4(v.z), c, fma(vec4(v.y), b, fma(vec4(v.x), a, sum))));
}

fn store(quad: u32, row: u32, sum: vec4<f32>) {
    if row >= args.rows || quad * 4u >= args.outputs { return; }
    // Not by max, which would hide that a sum is not a number.
    let off = vec4(args.relu != 0u) & (sum < vec4(0.0));
    textureStore(y, vec2(quad, row), select(sum, vec4(0.0), off));
}

fn wide(row_0: u32, quad: u32, lane: u32) {
    var sums: array<vec4<f32>, ROWS>;    // [row], the lane's first quad
    var sums_2: array<vec4<f32>, ROWS>;  // [row], its second quad
    let bias = textureLoad(params, vec2(quad, args.inputs));
    let bias_2 = textureLoad(params, vec2(quad + LANES, args.inputs));
    for (var r = 0u; r < ROWS; r++) {
        sums[r] = bias;
        sums_2[r] = bias_2;
    }
    for (var k = 0u; k < args.inputs; k += 4u) {
        let a = textureLoad(params, vec2(quad, k));
        let b = textureLoad(params, vec2(quad, k + 1u));
        let c = textureLoad(params, vec2(quad, k + 2u));
        let d = textureLoad(params, vec2(quad, k + 3u));
        let a_2 = textureLoad(params, vec2(quad + LANES, k));
        let b_2 = textureLoad(params, vec2(quad + LANES, k + 1u));
        let c_2 = textureLoad(params, vec2(quad + LANES, k + 2u));
        let d_2 = textureLoad(params, vec2(quad + LANES, k + 3u));
        let upper = textureLoad(x, vec2(k / 4u, row_0 + lane));
        let lower = textureLoad(x, vec2(k / 4u, row_0 + LANES + lane));
        for (var r = 0u; r < LANES; r++) {
            let xs = subgroupShuffle(upper, r);
            sums[r] = add(sums[r], xs, a, b, c, d);
            sums_2[r] = add(sums_2[r], xs, a_2, b_2, c_2, d_2);
        }
        for (var r = 0u; r < LANES; r++) {
            let xs = subgroupShuffle(lower, r);
            let s = r + LANES;
            sums[s] = add(sums[s], xs, a, b, c, d);
            sums_2[s] = add(sums_2[s], xs, a_2, b_2, c_2, d_2);
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

fn narrow(row: u32, lane: u32) {
    var sums: array<vec4<f32>, NARROW_QUADS>;    // [quad], the lane's first row
    var sums_2: array<vec4<f32>, NARROW_QUADS>;  // [quad], its second row
    for (var q = 0u; q < NARROW_QUADS; q++) {
        let bias = textureLoad(params, vec2(q, args.inputs));
        sums[q] = bias;
        sums_2[q] = bias;
    }
    for (var k = 0u; k < args.inputs; k += LANES) {
        let xs = x_at(k / 4u, row);
        let xs_4 = x_at(k / 4u + 1u, row);
        let zs = x_at(k / 4u, row + LANES);
        let zs_4 = x_at(k / 4u + 1u, row + LANES);
        for (var q = 0u; q < NARROW_QUADS; q++) {
            let ws = textureLoad(params, vec2(q, min(k + lane, args.inputs)));
            let a = subgroupShuffle(ws, 0u);
            let b = subgroupShuffle(ws, 1u);
            let c = subgroupShuffle(ws, 2u);
            let d = subgroupShuffle(ws, 3u);
            let e = subgroupShuffle(ws, 4u);
            let f = subgroupShuffle(ws, 5u);
            let g = subgroupShuffle(ws, 6u);
            let h = subgroupShuffle(ws, 7u);
            sums[q] = add(sums[q], xs, a, b, c, d);
            sums[q] = add(sums[q], xs_4, e, f, g, h);
            sums_2[q] = add(sums_2[q], zs, a, b, c, d);
            sums_2[q] = add(sums_2[q], zs_4, e, f, g, h);
        }
    }
    for (var q = 0u; q < NARROW_QUADS; q++) {
        store(q, row, sums[q]);
        store(q, row + LANES, sums_2[q]);
    }
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let tile = group.x + group.y * groups.x;
    if NARROW {
        narrow(tile * ROWS + lane, lane);
    } else {
        let tiles_across = (args.outputs + QUADS * 4u - 1u) / (QUADS * 4u);
        wide(tile / tiles_across * ROWS, tile % tiles_across * QUADS + lane, lane);
    }
}
