// dW = X^T dY + 2 L2 W, and db = the column sums of dY.
//
//   x       [rows, inputs]          rows padded to whole vec4s with zeros, here and below
//   dy      [rows, outputs]
//   params  [inputs + 1, outputs]   W, and b as one more row
//   dparams [inputs + 1, outputs]   dW, and db as one more row
//
// With a column of ones behind X this is one matrix product over the rows.
//
// The scheme of dense.wgsl, for the reasons given there. An invocation has a block of 4 inputs by
// 4 columns, and for four rows at a time loads 8 vec4s straight from the buffers. The rows of a
// block are dealt out among 16 invocations, whose sums meet in workgroup memory, always in the same
// order. A workgroup has 16 inputs by 16 columns: for 784 x 128 weights 400 workgroups, and 8
// trips to the L2 cache one after another at 512 rows, one at up to 64.
//
// Ten classes would make 50 such workgroups. Where there are fewer than 128, a tile has 4 inputs
// and a block 64 invocations. That uses half of the 32 bytes that a cache fetches of X at least,
// but X is small, and idle processors cost more. Reasoned, not timed.
// Dispatch: one workgroup a tile, row after row of tiles, folded into y where x would overflow.
// Host twin: engine/kernels/twins.rs, dense_weight_gradient.

struct Arguments {
    rows: u32,
    inputs: u32,
    outputs: u32,
    l2: f32,
}

@group(0) @binding(0) var<uniform> args: Arguments;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> params: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> dparams: array<vec4<f32>>;

const INVOCATIONS = 256u;
const TALL = 16u;      // inputs of a tile
const LOW = 4u;        // the same where tall ones would be too few
const COLUMNS = 16u;   // of a tile
const QUADS = COLUMNS / 4u;
const MANY = 128u;     // workgroups that keep a GPU busy

var<workgroup> partial: array<vec4<f32>, INVOCATIONS * 4u>;  // [part][input][quad]

// Four inputs, or the column of ones behind the last. Behind the last row are zeros, which meet
// that row of dY once more.
fn x_at(row: u32, input: u32) -> vec4<f32> {
    let quads = (args.inputs + 3u) / 4u;
    let xs = x[min(row, args.rows - 1u) * quads + min(input / 4u, quads - 1u)];
    let ones = vec4(input) + vec4(0u, 1u, 2u, 3u) == vec4(args.inputs);
    return select(vec4(0.0), select(xs, vec4(1.0), ones), row < args.rows);
}

fn dy_at(row: u32, quad: u32) -> vec4<f32> {
    return dy[min(row, args.rows - 1u) * ((args.outputs + 3u) / 4u) + quad];
}

// sum + m v.
fn add(sum: vec4<f32>, v: vec4<f32>, m: mat4x4<f32>) -> vec4<f32> {
    let half = fma(vec4(v.y), m[1], fma(vec4(v.x), m[0], sum));
    return fma(vec4(v.w), m[3], fma(vec4(v.z), m[2], half));
}

@compute @workgroup_size(INVOCATIONS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let quads = (args.outputs + 3u) / 4u;
    let tiles_across = (quads + QUADS - 1u) / QUADS;
    let tall = (args.inputs + TALL) / TALL * tiles_across >= MANY;
    let inputs = select(LOW, TALL, tall);
    let tile = group.x + group.y * groups.x;
    let input_0 = tile / tiles_across * inputs;
    let quad_0 = tile % tiles_across * QUADS;

    // Neighbours have neighbouring quads, then blocks, then parts.
    let part = local / inputs;
    let parts = INVOCATIONS / inputs;
    let block = local % inputs / QUADS * 4u;  // its first input in the tile
    let quad = quad_0 + local % QUADS;
    let idle = input_0 + block > args.inputs || quad >= quads;

    var sums: array<vec4<f32>, 4>;  // [input]
    for (var k = part * 4u; k < select(args.rows, 0u, idle); k += parts * 4u) {
        let input = input_0 + block;
        // By input in place of by row.
        let xs = transpose(mat4x4(x_at(k, input), x_at(k + 1u, input),
                                  x_at(k + 2u, input), x_at(k + 3u, input)));
        let dys = mat4x4(dy_at(k, quad), dy_at(k + 1u, quad),
                         dy_at(k + 2u, quad), dy_at(k + 3u, quad));
        sums[0] = add(sums[0], xs[0], dys);
        sums[1] = add(sums[1], xs[1], dys);
        sums[2] = add(sums[2], xs[2], dys);
        sums[3] = add(sums[3], xs[3], dys);
    }
    for (var r = 0u; r < 4u; r++) {
        partial[(part * inputs + block + r) * QUADS + local % QUADS] = sums[r];
    }
    workgroupBarrier();

    // In two steps, all taking part in the first: a quarter of the array is whole parts.
    partial[local] = (partial[local] + partial[local + INVOCATIONS])
        + (partial[local + INVOCATIONS * 2u] + partial[local + INVOCATIONS * 3u]);
    workgroupBarrier();
    let input = input_0 + local / QUADS;
    if local >= inputs * QUADS || input > args.inputs || quad >= quads { return; }
    let to = input * quads + quad;
    var sum = vec4(0.0);
    if args.l2 != 0.0 && input < args.inputs { sum = 2.0 * args.l2 * params[to]; }
    for (var at = local; at < INVOCATIONS; at += inputs * QUADS) {
        sum += partial[at];
    }
    dparams[to] = sum;
}
