// dX = dY W^T where X > 0, and 0 elsewhere: the gradient behind a ReLU.
//
//   dy      [rows, outputs]         rows padded to whole vec4s with zeros, here and below
//   params  [inputs + 1, outputs]   W, and b as one more row; b is not used
//   x       [rows, inputs]
//   dx      [rows, inputs]
//
// As in dense.wgsl, an invocation has a block of 4 rows by 4 columns, and for four outputs at a
// time loads 8 vec4s straight from the buffers for 64 multiply-adds; W comes by rows, and turning
// four of them over costs nothing, since a component of a vec4 is a register of its own.
//
// The sum runs over the outputs, which are few: ten classes are three vec4s. So a block has 4
// invocations, which deal them out among them, one trip to the L2 cache each for ten classes and 8
// for 128 outputs; their sums meet in workgroup memory, always in the same order. A workgroup of 64
// has 16 rows by 16 columns: with 128 columns, 16 workgroups for 32 rows and 256 for 512.
// Reasoned, not timed.
// Dispatch: one workgroup a tile, row after row of tiles, folded into y where x would overflow.
// Host twin: engine/kernels/twins.rs, dense_input_gradient.

struct Arguments {
    rows: u32,
    inputs: u32,
    outputs: u32,
}

@group(0) @binding(0) var<uniform> args: Arguments;
@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> params: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4<f32>>;

const ROWS = 16u;      // of a tile
const COLUMNS = 16u;   // of a tile
const QUADS = COLUMNS / 4u;
const PARTS = 4u;
const INVOCATIONS = ROWS / 4u * QUADS * PARTS;

var<workgroup> partial: array<vec4<f32>, PARTS * ROWS * QUADS>;  // [part][row][quad]

fn dy_at(row: u32, quad: u32) -> vec4<f32> {
    return dy[min(row, args.rows - 1u) * ((args.outputs + 3u) / 4u) + quad];
}

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
    let quads = (args.inputs + 3u) / 4u;
    let tiles_across = (quads + QUADS - 1u) / QUADS;
    let tile = group.x + group.y * groups.x;
    let row_0 = tile / tiles_across * ROWS;
    let quad_0 = tile % tiles_across * QUADS;

    // Neighbours have neighbouring parts, since both operands lie along the outputs.
    let part = local % PARTS;
    let across = local / PARTS % QUADS;
    let block = local / PARTS / QUADS * 4u;  // its first row in the tile
    let idle = row_0 + block >= args.rows || quad_0 + across >= quads;

    var sums: array<vec4<f32>, 4>;  // [row]
    for (var k = part; k < select((args.outputs + 3u) / 4u, 0u, idle); k += PARTS) {
        let input = (quad_0 + across) * 4u;
        // By output in place of by input.
        let w = transpose(mat4x4(w_at(input, k), w_at(input + 1u, k),
                                 w_at(input + 2u, k), w_at(input + 3u, k)));
        for (var r = 0u; r < 4u; r++) {
            sums[r] = add(sums[r], dy_at(row_0 + block + r, k), w);
        }
    }
    for (var r = 0u; r < 4u; r++) {
        partial[(part * ROWS + block + r) * QUADS + across] = sums[r];
    }
    workgroupBarrier();

    // A tile has as many vec4s as invocations, and each sums one.
    let row = row_0 + local / QUADS;
    let quad = quad_0 + local % QUADS;
    if row >= args.rows || quad >= quads { return; }
    var sum = partial[local];
    for (var p = 1u; p < PARTS; p++) {
        sum += partial[p * ROWS * QUADS + local];
    }
    let to = row * quads + quad;
    dx[to] = select(vec4(0.0), sum, x[to] > vec4(0.0));
}
