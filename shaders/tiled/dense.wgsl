// Y = act(X W + b), act being ReLU or the identity.
//
//   x       [rows, inputs]          rows padded to whole vec4s with zeros, here and below
//   params  [inputs + 1, outputs]   W, and b as one more row
//   y       [rows, outputs]
//
// An invocation has a block of 4 rows by 4 columns, and for four inputs at a time loads 8 vec4s
// straight from the buffers for 64 multiply-adds. From workgroup memory it would need the same
// bytes; on many GPUs that is the nearest cache under another name, and the way through it costs
// a copy and two barriers a slice.
//
// What counts is latency. With 32 rows, 784 inputs and 128 outputs there are 256 blocks: at an
// invocation each, 8 warps for the 132 multiprocessors of an H100, and 196 trips to the L2 cache
// one after another. So 64 invocations deal the inputs of a block out among them, 4 trips each,
// and their sums meet in workgroup memory, always in the same order. A workgroup has 4 rows by 16
// columns: 64 workgroups for those sizes, and 8 for ten classes, which leave a quarter of it idle.
// A multiprocessor has room for 8, by their 256 invocations as by their 16 KiB.
//
// With many rows it is bytes that count. Where tiles of 16 rows still make 128 workgroups, a tile
// has 16 rows and a block 16 invocations, so that W comes a quarter as often: with 512 rows, 26 MB
// from the L2 cache in place of 64. Reasoned, not timed.
// Dispatch: one workgroup a tile, row after row of tiles, folded into y where x would overflow.
// Host twin: engine/kernels/twins.rs, dense.

struct Arguments {
    rows: u32,
    inputs: u32,
    outputs: u32,
    relu: u32,
}

@group(0) @binding(0) var<uniform> args: Arguments;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> params: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

const INVOCATIONS = 256u;
const TALL = 16u;      // rows of a tile
const LOW = 4u;        // the same where tall ones would be too few
const COLUMNS = 16u;   // of a tile
const QUADS = COLUMNS / 4u;
const MANY = 128u;     // workgroups that keep a GPU busy

var<workgroup> partial: array<vec4<f32>, INVOCATIONS * 4u>;  // [part][row][quad]

fn x_at(row: u32, quad: u32) -> vec4<f32> {
    return x[min(row, args.rows - 1u) * ((args.inputs + 3u) / 4u) + quad];
}

// Rows behind W meet what pads X, so it does not matter what they hold.
fn w_at(input: u32, quad: u32) -> vec4<f32> {
    return params[min(input, args.inputs) * ((args.outputs + 3u) / 4u) + quad];
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
    let tall = (args.rows + (TALL - 1u)) / TALL * tiles_across >= MANY;
    let rows = select(LOW, TALL, tall);
    let tile = group.x + group.y * groups.x;
    let row_0 = tile / tiles_across * rows;
    let quad_0 = tile % tiles_across * QUADS;

    // Neighbours have neighbouring quads, then blocks, then parts, so that a warp uses all of the
    // 32 bytes that a cache fetches at least.
    let part = local / rows;
    let parts = INVOCATIONS / rows;
    let block = local % rows / QUADS * 4u;  // its first row in the tile
    let quad = quad_0 + local % QUADS;
    let idle = row_0 + block >= args.rows || quad >= quads;

    var sums: array<vec4<f32>, 4>;  // [row]
    for (var k = part * 4u; k < select(args.inputs, 0u, idle); k += parts * 4u) {
        let w = mat4x4(w_at(k, quad), w_at(k + 1u, quad), w_at(k + 2u, quad), w_at(k + 3u, quad));
        for (var r = 0u; r < 4u; r++) {
            sums[r] = add(sums[r], x_at(row_0 + block + r, k / 4u), w);
        }
    }
    for (var r = 0u; r < 4u; r++) {
        partial[(part * rows + block + r) * QUADS + local % QUADS] = sums[r];
    }
    workgroupBarrier();

    // In two steps, all taking part in the first: a quarter of the array is whole parts.
    partial[local] = (partial[local] + partial[local + INVOCATIONS])
        + (partial[local + INVOCATIONS * 2u] + partial[local + INVOCATIONS * 3u]);
    workgroupBarrier();
    let row = row_0 + local / QUADS;
    if local >= rows * QUADS || row >= args.rows || quad >= quads { return; }
    var sum = w_at(args.inputs, quad);
    for (var at = local; at < INVOCATIONS; at += rows * QUADS) {
        sum += partial[at];
    }
    // Not by max, which would hide that a sum is not a number.
    let off = vec4(args.relu != 0u) & (sum < vec4(0.0));
    y[row * quads + quad] = select(sum, vec4(0.0), off);
}
