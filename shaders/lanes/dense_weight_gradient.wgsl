// dW = X^T dY + 2 L2 W, and db = the column sums of dY.
//
//   x       [rows, inputs]          a storage texture, four columns a texel
//   dy      [rows, outputs]         likewise
//   params  [inputs + 1, outputs]   W, and b as one more row, likewise
//   dparams [inputs + 1, outputs]   dW, and db as one more row: a buffer, since the host reads it;
//                                   rows are padded to whole vec4s with zeros, as in dy
//
// With a column of ones behind X this is one matrix product over the rows.
//
// For drivers that run a workgroup as one subgroup of 8 lanes on a processor's vector unit, as
// dense.wgsl explains. A tile is 32 inputs by 32 columns: a sample is one texel of dY and one of X a
// lane, and every lane takes what the shuffle hands it: 8 loads for 512 vector multiply-adds, four
// samples at a time so that a sum is fetched once for four. This does 40 GFLOP/s a core at 512
// samples, and 32 x 64 does 33. At 32 samples half of the time goes into writing the 400 KB of
// gradient, a loop over the lanes for each vec4; neither texels nor 64-bit words make that faster.
//
// Up to 12 outputs, a lane has a quad of inputs instead, and the shuffle hands round dY.
//
// The driver keeps sums in registers only where it unrolls a loop, and gives up on one with more
// than some 64 vec4 multiply-adds or 16 stores: hence two loops where one would do, without which
// this is four times slower.
// Dispatch: one workgroup a tile, row after row of tiles, folded into y where x would overflow.
// Host twin: engine/kernels/twins.rs, dense_weight_gradient.

struct Arguments {
    rows: u32,
    inputs: u32,
    outputs: u32,
    l2: f32,
}

override NARROW: bool;  // at most NARROW_COLUMNS outputs
override DECAY: bool;   // l2 is not 0

@group(0) @binding(0) var<uniform> args: Arguments;
@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var dy: texture_storage_2d<rgba32float, read>;
@group(0) @binding(3) var params: texture_storage_2d<rgba32float, read>;
@group(0) @binding(4) var<storage, read_write> dparams: array<vec4<f32>>;

const LANES = 8u;
const INPUTS = 32u;          // of a tile
const COLUMNS = 32u;         // of a wide tile
const QUADS = COLUMNS / 4u;
const NARROW_COLUMNS = 12u;  // of a narrow tile
const NARROW_QUADS = NARROW_COLUMNS / 4u;

// Rows behind the last may hold what an earlier minibatch left there.
fn x_at(quad: u32, row: u32, ones: vec4<bool>) -> vec4<f32> {
    let xs = select(textureLoad(x, vec2(quad, row)), vec4(1.0), ones);
    return select(vec4(0.0), xs, row < args.rows);
}

fn dy_at(quad: u32, row: u32) -> vec4<f32> {
    return select(vec4(0.0), textureLoad(dy, vec2(quad, row)), row < args.rows);
}

// Which of a quad of inputs is the column of ones.
fn ones_in(quad: u32) -> vec4<bool> {
    return vec4(quad * 4u) + vec4(0u, 1u, 2u, 3u) == vec4(args.inputs);
}

// sum + m v, m being the matrix with columns a, b, c, d.
fn add(sum: vec4<f32>, v: vec4<f32>, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>,
       d: vec4<f32>) -> vec4<f32> {
    return fma(vec4(v.w), d, fma(vec4(v.z), c, fma(vec4(v.y), b, fma(vec4(v.x), a, sum))));
}

fn store(quad: u32, input: u32, sum: vec4<f32>) {
    let quads = (args.outputs + 3u) / 4u;
    if input > args.inputs || quad >= quads { return; }
    var total = sum;
    if DECAY && input < args.inputs {
        total = fma(vec4(2.0 * args.l2), textureLoad(params, vec2(quad, input)), sum);
    }
    dparams[input * quads + quad] = total;
}

fn wide(input_0: u32, quad: u32, lane: u32) {
    // By which of four inputs, [quad of inputs].
    var sums_a: array<vec4<f32>, LANES>;
    var sums_b: array<vec4<f32>, LANES>;
    var sums_c: array<vec4<f32>, LANES>;
    var sums_d: array<vec4<f32>, LANES>;
    let inputs = input_0 / 4u + lane;
    let ones = ones_in(inputs);
    for (var k = 0u; k < args.rows; k += 4u) {
        let a = dy_at(quad, k);
        let b = dy_at(quad, k + 1u);
        let c = dy_at(quad, k + 2u);
        let d = dy_at(quad, k + 3u);
        // By input in place of by sample.
        let xs = transpose(mat4x4(
            x_at(inputs, k, ones), x_at(inputs, k + 1u, ones),
            x_at(inputs, k + 2u, ones), x_at(inputs, k + 3u, ones)));
        for (var q = 0u; q < LANES; q++) {
            sums_a[q] = add(sums_a[q], subgroupShuffle(xs[0], q), a, b, c, d);
            sums_b[q] = add(sums_b[q], subgroupShuffle(xs[1], q), a, b, c, d);
        }
        for (var q = 0u; q < LANES; q++) {
            sums_c[q] = add(sums_c[q], subgroupShuffle(xs[2], q), a, b, c, d);
            sums_d[q] = add(sums_d[q], subgroupShuffle(xs[3], q), a, b, c, d);
        }
    }
    for (var q = 0u; q < LANES; q++) {
        store(quad, input_0 + q * 4u, sums_a[q]);
        store(quad, input_0 + q * 4u + 1u, sums_b[q]);
    }
    for (var q = 0u; q < LANES; q++) {
        store(quad, input_0 + q * 4u + 2u, sums_c[q]);
        store(quad, input_0 + q * 4u + 3u, sums_d[q]);
    }
}

fn narrow(quad: u32, lane: u32) {
    var sums: array<vec4<f32>, 4u * NARROW_QUADS>;  // [input][quad of columns]
    let ones = ones_in(quad);
    for (var k = 0u; k < args.rows; k += LANES) {
        let mine = dy_at(0u, k + lane);
        let mine_2 = dy_at(1u, k + lane);
        let mine_3 = dy_at(2u, k + lane);
        for (var s = 0u; s < LANES; s++) {
            let xs = x_at(quad, k + s, ones);
            let a = subgroupShuffle(mine, s);
            let b = subgroupShuffle(mine_2, s);
            let c = subgroupShuffle(mine_3, s);
            sums[0] = fma(vec4(xs.x), a, sums[0]);
            sums[1] = fma(vec4(xs.x), b, sums[1]);
            sums[2] = fma(vec4(xs.x), c, sums[2]);
            sums[3] = fma(vec4(xs.y), a, sums[3]);
            sums[4] = fma(vec4(xs.y), b, sums[4]);
            sums[5] = fma(vec4(xs.y), c, sums[5]);
            sums[6] = fma(vec4(xs.z), a, sums[6]);
            sums[7] = fma(vec4(xs.z), b, sums[7]);
            sums[8] = fma(vec4(xs.z), c, sums[8]);
            sums[9] = fma(vec4(xs.w), a, sums[9]);
            sums[10] = fma(vec4(xs.w), b, sums[10]);
            sums[11] = fma(vec4(xs.w), c, sums[11]);
        }
    }
    for (var i = 0u; i < 4u; i++) {
        store(0u, quad * 4u + i, sums[i * NARROW_QUADS]);
        store(1u, quad * 4u + i, sums[i * NARROW_QUADS + 1u]);
        store(2u, quad * 4u + i, sums[i * NARROW_QUADS + 2u]);
    }
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let tile = group.x + group.y * groups.x;
    if NARROW {
        narrow(tile * INPUTS / 4u + lane, lane);
    } else {
        let tiles_across = (args.outputs + QUADS * 4u - 1u) / (QUADS * 4u);
        wide(tile / tiles_across * INPUTS, tile % tiles_across * QUADS + lane, lane);
    }
}
